package dev.kagami.image;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Reports that a guest image could not be fetched, read or assembled, and what to do about it. */
public final class ImageException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** Names what went wrong, for programs; the message says it for people. */
    public enum Code {
        /** The host has no {@code apt-get} or {@code apt-cache}. */
        APT_MISSING,
        /** apt ran and failed: no network, no such mirror, a bad signature. */
        APT_FAILED,
        /** apt was silent, or ran, for longer than allowed and was stopped. */
        APT_TIMEOUT,
        /** The host's package sources carry none of the packages looked for. */
        PACKAGE_NOT_FOUND,
        /** A package is damaged, or isn't shaped as expected. */
        PACKAGE_INVALID,
        /** The cache directory can't be created, locked or written. */
        CACHE_UNUSABLE,
        /** The host fails to read a disk image. */
        DISK_UNREADABLE,
        /** A disk's partition table or a file system on it is damaged. */
        DISK_INVALID,
        /** A disk holds a file system, or one with a feature, that can't be read. */
        FILE_SYSTEM_UNSUPPORTED,
        /** There is nothing on a disk that says which kernel to boot. */
        NOTHING_TO_BOOT,
        /** A cloud-init seed can't be made of what was given. */
        SEED_INVALID,
        /** A server or the network failed. */
        DOWNLOAD_FAILED,
        /** A file isn't the one that its digest says. */
        DIGEST_MISMATCH,
        /** An archive is damaged, hostile or holds no disk image. */
        ARCHIVE_INVALID,
        /** The calling thread was interrupted; its interrupt flag is set again. */
        INTERRUPTED
    }

    private final Code code;
    private final String hint;

    /**
     * Creates an exception.
     *
     * @param code what went wrong
     * @param message what went wrong, in a sentence or several lines
     * @param hint what the user can do about it, in a sentence
     * @param cause the cause, or null
     */
    public ImageException(Code code, String message, String hint, @Nullable Throwable cause) {
        super(message, cause);
        this.code = Objects.requireNonNull(code);
        this.hint = Objects.requireNonNull(hint);
    }

    /** Returns what went wrong. */
    public Code code() {
        return code;
    }

    /** Returns what the user can do about it, in a sentence. */
    public String hint() {
        return hint;
    }

    /** Returns an exception with the hint that names the files to pass when the default guest can't be had. */
    static ImageException noGuest(Code code, String message, @Nullable Throwable cause) {
        return new ImageException(
                code,
                message,
                "Pass the files yourself: --kernel FILE (an x86-64 bzImage, such as /boot/vmlinuz-* of a Debian machine)"
                        + " and --initrd FILE (an initramfs for it).",
                cause);
    }

    /** Returns an exception about a package that is damaged or hostile. */
    static ImageException invalidPackage(String message, @Nullable Throwable cause) {
        return new ImageException(
                Code.PACKAGE_INVALID,
                message,
                "Try again; if it stays, check the mirror named in the host's apt sources.",
                cause);
    }

    /** Returns an exception about a disk whose tables or file systems are damaged. */
    public static ImageException invalidDisk(String message) {
        return new ImageException(
                Code.DISK_INVALID,
                message,
                "Repair the disk, for example with fsck in a guest booted from another one, or restore it from a copy;"
                        + " or pass --kernel FILE and --initrd FILE to boot it without reading it.",
                null);
    }

    /** Returns an exception about a file system that can't be read. */
    public static ImageException unsupportedFileSystem(String message) {
        return new ImageException(
                Code.FILE_SYSTEM_UNSUPPORTED,
                message,
                "Pass --kernel FILE and --initrd FILE, copied out of the guest's /boot, or use an image whose /boot lies"
                        + " on ext4.",
                null);
    }

    /** Returns an exception about what can't be in a cloud-init seed. */
    public static ImageException invalidSeed(String message, String hint) {
        return new ImageException(Code.SEED_INVALID, message, hint, null);
    }

    /** Returns an exception about the cache directory. */
    static ImageException cacheUnusable(String message, @Nullable Throwable cause) {
        return new ImageException(
                Code.CACHE_UNUSABLE,
                message,
                "Make the directory writable and its file system not full, or set XDG_CACHE_HOME to another directory.",
                cause);
    }

    /** Sets the thread's interrupt flag again and returns the exception to throw. */
    static ImageException interrupted(String during, @Nullable Throwable cause) {
        Thread.currentThread().interrupt();
        return new ImageException(Code.INTERRUPTED, "Interrupted while " + during, "Run it again.", cause);
    }
}
