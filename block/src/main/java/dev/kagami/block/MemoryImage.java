package dev.kagami.block;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** A small read-only image in memory, such as a CD with a few files. */
public final class MemoryImage implements BlockImage {
    private static final int CLUSTER = 4096;

    private final Path name;
    private final MemorySegment contents;

    private MemoryImage(Path name, MemorySegment contents) {
        this.name = name;
        this.contents = contents;
    }

    /**
     * Makes an image.
     *
     * @param name for messages
     * @param contents of the disk; copied
     */
    public static MemoryImage readOnly(String name, byte[] contents) {
        return new MemoryImage(
                Path.of(name), MemorySegment.ofArray(contents.clone()).asReadOnly());
    }

    @Override
    public Path file() {
        return name;
    }

    @Override
    public ImageFormat format() {
        return ImageFormat.RAW;
    }

    @Override
    public long size() {
        return contents.byteSize();
    }

    @Override
    public boolean readOnly() {
        return true;
    }

    @Override
    public int clusterSize() {
        return CLUSTER;
    }

    private void check(long offset, long length) {
        if (offset < 0 || length < 0 || length > size() - offset) {
            throw BlockException.outOfRange(name, offset, length, size());
        }
    }

    @Override
    public void read(long offset, MemorySegment target) {
        check(offset, target.byteSize());
        MemorySegment.copy(contents, offset, target, 0, target.byteSize());
    }

    @Override
    public void write(long offset, MemorySegment source) {
        check(offset, source.byteSize());
        throw BlockException.readOnly(name);
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) {
        check(offset, length);
        throw BlockException.readOnly(name);
    }

    @Override
    public void discard(long offset, long length) {
        check(offset, length);
        throw BlockException.readOnly(name);
    }

    /** Does nothing. */
    @Override
    public void flush() {}

    @Override
    public void resize(long newSize) {
        throw BlockException.readOnly(name);
    }

    @Override
    public long extent(long offset) {
        check(offset, 1);
        return size() - offset;
    }

    /** Does nothing. */
    @Override
    public void close() {}
}
