package dev.kagami.net;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The directory of the user's sockets, which nobody else may enter. */
public final class RuntimeDirectory {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");

    private RuntimeDirectory() {}

    /**
     * {@return {@code $XDG_RUNTIME_DIR/kagami}, or {@code kagami-USER} in the directory for temporary files where there is no
     * such directory (XDG Base Directory Specification 0.8); it need not exist}
     */
    public static Path ofUser() {
        return of(System.getenv("XDG_RUNTIME_DIR"));
    }

    static Path of(@Nullable String runtime) {
        if (runtime != null && !runtime.isEmpty() && Files.isDirectory(Path.of(runtime))) {
            return Path.of(runtime, "kagami");
        }
        return Path.of(System.getProperty("java.io.tmpdir"), "kagami-" + System.getProperty("user.name"));
    }

    /**
     * Makes the directory, or checks that the one that is there is nobody else's.
     *
     * @param directory the directory
     * @throws IOException if it can't be made, or others could put something into it
     */
    public static void prepare(Path directory) throws IOException {
        boolean posix = directory.getFileSystem().supportedFileAttributeViews().contains("posix");
        if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectories(
                    Objects.requireNonNull(directory.toAbsolutePath().getParent()));
            try {
                if (posix) {
                    Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
                } else {
                    Files.createDirectory(directory);
                }
            } catch (FileAlreadyExistsException e) {
                // Another JVM was faster.
            }
        }
        if (!posix) {
            return;
        }
        PosixFileAttributes attributes = Files.getFileAttributeView(
                        directory, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes();
        String user = System.getProperty("user.name");
        boolean writableByOthers = attributes.permissions().contains(PosixFilePermission.GROUP_WRITE)
                || attributes.permissions().contains(PosixFilePermission.OTHERS_WRITE);
        if (!attributes.isDirectory()
                || writableByOthers
                || !attributes.owner().getName().equals(user)) {
            throw new IOException(directory + " must be a directory that only " + user + " can write to");
        }
    }
}
