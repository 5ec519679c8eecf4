package dev.kagami.block.storage;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A file that means nothing to anybody until it is complete, and is forced once, when it is closed. */
public final class UnforcedStorage implements Storage {
    private final Storage storage;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Wraps a file, which is closed with this. */
    public UnforcedStorage(Storage storage) {
        this.storage = storage;
    }

    @Override
    public Path path() {
        return storage.path();
    }

    @Override
    public @Nullable Object identity() {
        return storage.identity();
    }

    @Override
    public boolean readOnly() {
        return storage.readOnly();
    }

    @Override
    public long length() {
        return storage.length();
    }

    @Override
    public void read(ByteBuffer target, long position) {
        storage.read(target, position);
    }

    @Override
    public void write(ByteBuffer source, long position) {
        storage.write(source, position);
    }

    @Override
    public void setLength(long length) {
        storage.setLength(length);
    }

    @Override
    public void force() {}

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        try {
            storage.force();
        } finally {
            storage.close();
        }
    }
}
