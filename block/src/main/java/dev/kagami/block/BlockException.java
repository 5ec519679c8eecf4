package dev.kagami.block;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Reports that a disk image could not be opened, read, written or changed, and what to do about it. */
public final class BlockException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Names what went wrong, for programs; the message says it for people. */
    public enum Code {
        /** There is no such file. */
        NOT_FOUND,
        /** There is such a file already, or one that must not be overwritten. */
        ALREADY_EXISTS,
        /** The host's file system doesn't let this process at the file. */
        ACCESS_DENIED,
        /** Another program or another user in this one has the image open in a way that excludes this one. */
        LOCKED,
        /** The file isn't an image of the expected format, or its header makes no sense. */
        INVALID_IMAGE,
        /** The image uses a feature of its format that isn't supported. */
        UNSUPPORTED,
        /** The image's tables contradict themselves. */
        CORRUPT,
        /** A backing file is missing, in a cycle, too deep, or not allowed. */
        BACKING_FILE,
        /** A write to an image opened read-only. */
        READ_ONLY,
        /** An offset or a size is outside of what the image or the format can hold. */
        OUT_OF_RANGE,
        /** The host's file system is full. */
        NO_SPACE,
        /** The host failed to read or write. */
        IO_ERROR,
        /** The image was closed. */
        CLOSED
    }

    private final Code code;
    private final String hint;

    /**
     * Creates an exception.
     *
     * @param code what went wrong
     * @param message what went wrong, in a sentence that names the file
     * @param hint what the user can do about it, in a sentence
     * @param cause the cause, or null
     */
    public BlockException(Code code, String message, String hint, @Nullable Throwable cause) {
        super(message, cause);
        this.code = Objects.requireNonNull(code);
        this.hint = Objects.requireNonNull(hint);
    }

    /**
     * Creates an exception that nothing else caused.
     *
     * @param code what went wrong
     * @param message what went wrong, in a sentence that names the file
     * @param hint what the user can do about it, in a sentence
     */
    public BlockException(Code code, String message, String hint) {
        this(code, message, hint, null);
    }

    /** {@return what went wrong} */
    public Code code() {
        return code;
    }

    /** {@return what the user can do about it, in a sentence} */
    public String hint() {
        return hint;
    }

    /**
     * Returns the exception for a failure of the host's file system.
     *
     * @param doing what was being done to the file, such as "open"
     * @param file the file
     * @param cause what the host said
     * @return the exception, with the most exact code that the cause gives away
     */
    public static BlockException of(String doing, Path file, IOException cause) {
        String message = "Cannot %s %s".formatted(doing, file);
        if (cause instanceof NoSuchFileException) {
            return new BlockException(Code.NOT_FOUND, message + ": there is no such file", "Check the path.", cause);
        }
        if (cause instanceof FileAlreadyExistsException) {
            return new BlockException(
                    Code.ALREADY_EXISTS,
                    message + ": the file exists",
                    "Choose another name, or remove the file first.",
                    cause);
        }
        if (cause instanceof AccessDeniedException) {
            return new BlockException(
                    Code.ACCESS_DENIED,
                    message + ": permission denied",
                    "Change the permissions of the file or its directory, or open it read-only.",
                    cause);
        }
        String reason =
                Objects.requireNonNullElse(cause.getMessage(), cause.getClass().getSimpleName());
        // The JDK has no exception of its own for these two; the text is the C library's.
        String lower = reason.toLowerCase(Locale.ROOT);
        if (lower.contains("no space left") || lower.contains("disk quota") || lower.contains("file too large")) {
            return new BlockException(
                    Code.NO_SPACE, message + ": " + reason, "Make room on the file system of the image.", cause);
        }
        if (lower.contains("read-only file system")) {
            return new BlockException(
                    Code.ACCESS_DENIED, message + ": " + reason, "Open it read-only, or through an overlay.", cause);
        }
        return new BlockException(
                Code.IO_ERROR, message + ": " + reason, "Check the host's disk and its system log.", cause);
    }

    /** {@return the exception for a write to an image that was opened read-only} */
    public static BlockException readOnly(Path file) {
        return new BlockException(
                Code.READ_ONLY,
                "Cannot write to %s: it is open read-only".formatted(file),
                "Open it read-write, or through an overlay.");
    }

    /** {@return the exception for tables that contradict themselves} */
    public static BlockException corrupt(Path file, String what) {
        return new BlockException(
                Code.CORRUPT,
                "%s is damaged: %s".formatted(file, what),
                "Run `kagami image check` on it, and restore it from a backup if it can't be repaired.");
    }

    /** {@return the exception for a header that makes no sense} */
    public static BlockException invalid(Path file, String what) {
        return new BlockException(
                Code.INVALID_IMAGE,
                "%s is not a valid image: %s".formatted(file, what),
                "Check that the file is what it should be and was copied or downloaded completely.");
    }

    /** {@return the exception for a range outside of an image} */
    public static BlockException outOfRange(Path file, long offset, long length, long size) {
        return new BlockException(
                Code.OUT_OF_RANGE,
                "%d bytes at %d are outside of %s, which has %d bytes".formatted(length, offset, file, size),
                "Stay inside of the image, or resize it.");
    }
}
