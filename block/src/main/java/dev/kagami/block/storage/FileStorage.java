package dev.kagami.block.storage;

import dev.kagami.block.BlockException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A file of the host. Thread-safe. */
public final class FileStorage implements Storage {
    private final SharedFile file;
    private final boolean durable;
    private final AtomicBoolean closed = new AtomicBoolean();

    private FileStorage(SharedFile file, boolean durable) {
        this.file = file;
        this.durable = durable;
    }

    /**
     * Opens a file and locks it: against everybody else for writing, against writers for reading.
     *
     * @param path a regular file
     * @param writable whether it will be written
     * @throws BlockException when it isn't there, can't be opened, or is in use
     */
    public static FileStorage open(Path path, boolean writable) {
        return new FileStorage(SharedFile.open(path, writable), true);
    }

    /**
     * Creates a file, and locks it against everybody else.
     *
     * @param path where there is no file yet
     * @throws BlockException when there is a file, or one can't be made
     */
    public static FileStorage create(Path path) {
        return new FileStorage(SharedFile.create(path), true);
    }

    /**
     * Creates a file that goes away with this process or when it is closed, whichever is first. It never needs to survive a
     * power cut, so {@link #force} does nothing.
     *
     * @param directory where it takes its space
     */
    public static FileStorage temporary(Path directory) {
        return new FileStorage(SharedFile.temporary(directory), false);
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public @Nullable Object identity() {
        return file.identity();
    }

    @Override
    public boolean readOnly() {
        return !file.writable();
    }

    @Override
    public long length() {
        checkOpen();
        return file.length();
    }

    @Override
    public void read(ByteBuffer target, long position) {
        checkOpen();
        file.read(target, position);
    }

    @Override
    public void write(ByteBuffer source, long position) {
        checkWritable();
        file.write(source, position);
    }

    @Override
    public void setLength(long length) {
        checkWritable();
        file.setLength(length);
    }

    @Override
    public void force() {
        checkWritable();
        if (durable) {
            file.force();
        }
    }

    @Override
    public void close() {
        if (!closed.getAndSet(true)) {
            file.release();
        }
    }

    private void checkWritable() {
        checkOpen();
        if (!file.writable()) {
            throw BlockException.readOnly(path());
        }
    }

    private void checkOpen() {
        if (closed.get()) {
            throw new BlockException(
                    BlockException.Code.CLOSED,
                    "%s was closed".formatted(path()),
                    "Don't use an image after closing it; this is a bug in the program.");
        }
    }
}
