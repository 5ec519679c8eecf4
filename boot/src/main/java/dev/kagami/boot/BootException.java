package dev.kagami.boot;

import org.jspecify.annotations.Nullable;

/** Thrown when a kernel cannot be started; names the file, what is wrong with it and what to do about it. */
public final class BootException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What kind of problem it is. */
    public enum Code {
        /** A file isn't there, isn't a regular file or can't be read. */
        FILE_UNREADABLE,
        /** The kernel is none of the known formats. */
        FORMAT_UNKNOWN,
        /** The format is known, but not this variant, or not the protocol that was asked for. */
        FORMAT_UNSUPPORTED,
        /** A field contradicts the file, the format or another field. */
        IMAGE_CORRUPT,
        /** The guest's memory is too small. */
        MEMORY_TOO_SMALL,
        /** An address that the image insists on is taken or is not RAM. */
        ADDRESS_UNAVAILABLE,
        /** The command line is too long or holds a NUL. */
        COMMAND_LINE_INVALID
    }

    /** What kind of problem it is. */
    private final Code code;

    /** What to do about it. */
    private final String hint;

    BootException(Code code, String message, String hint) {
        this(code, message, hint, null);
    }

    BootException(Code code, String message, String hint, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.hint = hint;
    }

    static BootException corrupt(String file, String problem) {
        return new BootException(
                Code.IMAGE_CORRUPT, file + ": " + problem, "the file is damaged or incomplete; fetch it again");
    }

    static BootException unsupported(String file, String problem, String hint) {
        return new BootException(Code.FORMAT_UNSUPPORTED, file + ": " + problem, hint);
    }

    /** {@return what kind of problem it is} */
    public Code code() {
        return code;
    }

    /** {@return what the user can do about it, in words} */
    public String hint() {
        return hint;
    }
}
