package dev.kagami.virtio.filesystem;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the guest has open, by number. Used by one thread. */
final class OpenFiles implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(OpenFiles.class.getName());

    /** The host has to have a file open for each. */
    private static final int MAX_OPEN = 4096;

    /** An open file. */
    record File(Node node, FileChannel channel) {}

    /** An open directory; its names are read when they are first asked for, and then stay. */
    static final class Directory {
        final Node node;

        @Nullable
        List<Path> names;

        Directory(Node node) {
            this.node = node;
        }
    }

    private final Map<Long, File> files = new HashMap<>();
    private final Map<Long, Directory> directories = new HashMap<>();
    private long next = 1;

    private void requireRoom() {
        if (files.size() + directories.size() >= MAX_OPEN) {
            throw new FuseException(Errno.ENFILE);
        }
    }

    /** Checks that one more can be opened, before it is. */
    void reserve() {
        requireRoom();
    }

    long add(File file) {
        files.put(next, file);
        return next++;
    }

    long add(Directory directory) {
        requireRoom();
        directories.put(next, directory);
        return next++;
    }

    File file(long handle) {
        File file = files.get(handle);
        if (file == null) {
            throw new FuseException(Errno.EBADF);
        }
        return file;
    }

    @Nullable
    File fileIfOpen(long handle) {
        return files.get(handle);
    }

    /** {@return some open handle of a file, or null} */
    @Nullable
    File anyOf(Node node) {
        for (File file : files.values()) {
            if (file.node() == node) {
                return file;
            }
        }
        return null;
    }

    Directory directory(long handle) {
        Directory directory = directories.get(handle);
        if (directory == null) {
            throw new FuseException(Errno.EBADF);
        }
        return directory;
    }

    void releaseFile(long handle) throws IOException {
        File file = files.remove(handle);
        if (file != null) {
            file.channel().close();
        }
    }

    void releaseDirectory(long handle) {
        directories.remove(handle);
    }

    @Override
    public void close() {
        for (File file : files.values()) {
            try {
                file.channel().close();
            } catch (IOException e) {
                LOGGER.log(Level.WARNING, "closing a file of a shared directory", e);
            }
        }
        files.clear();
        directories.clear();
    }
}
