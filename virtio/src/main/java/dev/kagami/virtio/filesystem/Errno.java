package dev.kagami.virtio.filesystem;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;

/** Linux's error numbers, as FUSE answers with them, and what exceptions mean in them. */
final class Errno {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int EIO = 5;
    static final int EBADF = 9;
    static final int EACCES = 13;
    static final int EEXIST = 17;
    static final int EXDEV = 18;
    static final int ENOTDIR = 20;
    static final int EISDIR = 21;
    static final int EINVAL = 22;
    static final int ENFILE = 23;
    static final int EFBIG = 27;
    static final int ENOSPC = 28;
    static final int EROFS = 30;
    static final int EMLINK = 31;
    static final int ENAMETOOLONG = 36;
    static final int ENOSYS = 38;
    static final int ENOTEMPTY = 39;
    static final int ELOOP = 40;
    static final int EOPNOTSUPP = 95;
    static final int ESTALE = 116;
    static final int EDQUOT = 122;

    private Errno() {}

    /** {@return the error number for an exception of the host's file system} */
    static int of(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> ENOENT;
            case FileAlreadyExistsException _ -> EEXIST;
            case DirectoryNotEmptyException _ -> ENOTEMPTY;
            case AccessDeniedException _ -> EACCES;
            case NotDirectoryException _ -> ENOTDIR;
            case NotLinkException _ -> EINVAL;
            case CharacterCodingException _ -> EINVAL;
            case ClosedChannelException _ -> EBADF;
            default -> ofText(String.valueOf(e.getMessage()));
        };
    }

    /** The JDK has no exceptions of their own for these; the text is the C library's. */
    private static int ofText(String text) {
        String[] texts = {
            "symbolic link",
            "Is a directory",
            "Not a directory",
            "No space left",
            "Read-only",
            "cross-device",
            "name too long",
            "not permitted",
            "quota",
            "File exists",
            "Invalid argument",
            "too large",
            "not empty",
            "Too many links"
        };
        int[] numbers = {
            ELOOP,
            EISDIR,
            ENOTDIR,
            ENOSPC,
            EROFS,
            EXDEV,
            ENAMETOOLONG,
            EPERM,
            EDQUOT,
            EEXIST,
            EINVAL,
            EFBIG,
            ENOTEMPTY,
            EMLINK
        };
        for (int i = 0; i < texts.length; i++) {
            if (text.contains(texts[i])) {
                return numbers[i];
            }
        }
        return EIO;
    }
}
