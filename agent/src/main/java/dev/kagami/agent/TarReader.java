package dev.kagami.agent;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * Unpacks what a guest has packed. The guest may be hostile: nothing is written outside of the target, through no symbolic
 * link, and no link leads a later name elsewhere, because symbolic links are made last.
 */
final class TarReader {
    private final Path target;
    private final Map<Path, TarArchiveEntry> links = new LinkedHashMap<>();
    private final Map<Path, TarArchiveEntry> directories = new LinkedHashMap<>();

    /**
     * Makes a reader.
     *
     * @param target what the first component of all names stands for
     */
    TarReader(Path target) {
        this.target = target.toAbsolutePath().normalize();
    }

    void read(InputStream in) throws IOException {
        try {
            TarArchiveInputStream tar = new TarArchiveInputStream(in, StandardCharsets.UTF_8.name());
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                unpack(entry, tar);
            }
        } catch (IllegalArgumentException | ArithmeticException | IndexOutOfBoundsException e) {
            // How the library fails on some malformed numbers.
            throw new IOException("the guest sent a damaged archive: " + e.getMessage(), e);
        }
        for (Map.Entry<Path, TarArchiveEntry> link : links.entrySet()) {
            Path path = link.getKey();
            makeParents(path);
            Files.deleteIfExists(path);
            Files.createSymbolicLink(path, Path.of(link.getValue().getLinkName()));
        }
        // Last, as a directory's permissions may forbid to write to it, and its time changes with every file.
        for (Map.Entry<Path, TarArchiveEntry> directory : directories.entrySet().stream()
                .sorted(Map.Entry.<Path, TarArchiveEntry>comparingByKey().reversed())
                .toList()) {
            setAttributes(directory.getKey(), directory.getValue());
        }
    }

    private void unpack(TarArchiveEntry entry, TarArchiveInputStream content) throws IOException {
        Path path = place(entry.getName());
        if (entry.isDirectory()) {
            makeParents(path);
            makeDirectory(path);
            directories.put(path, entry);
        } else if (entry.isSymbolicLink()) {
            links.put(path, entry);
        } else if (entry.isLink()) {
            Path original = place(entry.getLinkName());
            makeParents(path);
            makeParents(original);
            if (!Files.isRegularFile(original, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException("the guest sent a link to nothing: " + entry.getLinkName());
            }
            Files.copy(original, path, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES);
        } else if (entry.isFile() && !entry.isFIFO() && !entry.isCharacterDevice() && !entry.isBlockDevice()) {
            makeParents(path);
            Files.copy(content, path, StandardCopyOption.REPLACE_EXISTING);
            setAttributes(path, entry);
        } else {
            throw new IOException(entry.getName() + " is neither a file nor a directory nor a symbolic link");
        }
    }

    /** Where an entry goes: its name without the first component, below the target. */
    private Path place(String name) throws IOException {
        Path path = target;
        boolean first = true;
        for (String part : name.split("/")) {
            if (part.isEmpty() || part.equals(".")) {
                continue;
            }
            if (part.equals("..") || part.indexOf('\0') >= 0) {
                throw new IOException("the guest sent a name that points elsewhere: " + name);
            }
            if (!first) {
                path = path.resolve(part);
            }
            first = false;
        }
        return path;
    }

    /** Makes the directories from the target to a path's parent, none of which may be a symbolic link. */
    private void makeParents(Path path) throws IOException {
        if (path.equals(target)) {
            return;
        }
        Path directory = target;
        makeDirectory(directory);
        for (Path part : target.relativize(path.getParent())) {
            directory = directory.resolve(part);
            makeDirectory(directory);
        }
    }

    private static void makeDirectory(Path path) throws IOException {
        try {
            if (!path.getFileName().toString().isEmpty()) {
                Files.createDirectory(path);
            }
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException(path + " is there, and not a directory", e);
            }
        }
    }

    private static void setAttributes(Path path, TarArchiveEntry entry) throws IOException {
        if (Files.getFileStore(path).supportsFileAttributeView("posix")) {
            Set<PosixFilePermission> set = EnumSet.noneOf(PosixFilePermission.class);
            PosixFilePermission[] all = PosixFilePermission.values();
            for (int i = 0; i < all.length; i++) {
                if ((entry.getMode() >> all.length - 1 - i & 1) != 0) {
                    set.add(all[i]);
                }
            }
            Files.setPosixFilePermissions(path, set);
        }
        FileTime time = entry.getLastModifiedTime();
        Files.getFileAttributeView(path, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .setTimes(time, null, null);
    }
}
