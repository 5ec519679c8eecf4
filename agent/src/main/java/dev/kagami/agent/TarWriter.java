package dev.kagami.agent;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Set;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;

/** Writes a file or a tree of the host as a tar stream. */
final class TarWriter {
    private static final int PERMISSIONS = 0777;
    private static final int FILE_TYPE = 0100000;

    private final Path source;
    private final String name;

    private TarWriter(Path source, String name) {
        this.source = source;
        this.name = name;
    }

    /**
     * Describes a stream.
     *
     * @param source a file or a directory; when it is a symbolic link, what it points to
     * @param name what it is called in the stream
     * @throws IOException when it isn't there
     */
    static TarWriter of(Path source, String name) throws IOException {
        if (!Files.exists(source)) {
            throw new NoSuchFileException(source.toString(), null, "no such file");
        }
        return new TarWriter(source.toRealPath(), name);
    }

    void write(OutputStream target) throws IOException {
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(target, StandardCharsets.UTF_8.name())) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_GNU);
            tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_STAR);
            Files.walkFileTree(source, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
                        throws IOException {
                    put(tar, directory, attributes);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    put(tar, file, attributes);
                    return FileVisitResult.CONTINUE;
                }
            });
        }
    }

    private void put(TarArchiveOutputStream tar, Path file, BasicFileAttributes attributes) throws IOException {
        String relative = source.relativize(file).toString();
        String path = relative.isEmpty() ? name : name + "/" + relative;
        TarArchiveEntry entry;
        if (attributes.isSymbolicLink()) {
            entry = new TarArchiveEntry(path, TarConstants.LF_SYMLINK);
            entry.setLinkName(Files.readSymbolicLink(file).toString());
        } else if (attributes.isDirectory()) {
            entry = new TarArchiveEntry(path + "/");
        } else if (attributes.isRegularFile()) {
            entry = new TarArchiveEntry(path);
            entry.setSize(attributes.size());
        } else {
            throw new IOException(file + " is neither a file nor a directory nor a symbolic link");
        }
        entry.setIds(0, 0);
        entry.setModTime(attributes.lastModifiedTime());
        if (!attributes.isSymbolicLink()) {
            entry.setMode(mode(file, attributes.isDirectory()));
        }
        tar.putArchiveEntry(entry);
        if (attributes.isRegularFile()) {
            Files.copy(file, tar);
        }
        tar.closeArchiveEntry();
    }

    private static int mode(Path file, boolean directory) throws IOException {
        if (!Files.getFileStore(file).supportsFileAttributeView("posix")) {
            return directory ? 0755 : FILE_TYPE | 0644;
        }
        Set<PosixFilePermission> set = Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS);
        int mode = 0;
        for (PosixFilePermission permission : PosixFilePermission.values()) {
            // The constants are in the order of the bits, from the owner's to the others'.
            mode = mode << 1 | (set.contains(permission) ? 1 : 0);
        }
        return (directory ? 0 : FILE_TYPE) | mode & PERMISSIONS;
    }
}
