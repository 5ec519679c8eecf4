package dev.kagami.block;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** A view of an image that somebody else closes. */
record SharedImage(BlockImage image) implements BlockImage {
    @Override
    public Path file() {
        return image.file();
    }

    @Override
    public ImageFormat format() {
        return image.format();
    }

    @Override
    public long size() {
        return image.size();
    }

    @Override
    public boolean readOnly() {
        return image.readOnly();
    }

    @Override
    public int clusterSize() {
        return image.clusterSize();
    }

    @Override
    public void read(long offset, MemorySegment target) {
        image.read(offset, target);
    }

    @Override
    public void write(long offset, MemorySegment source) {
        image.write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) {
        image.writeZeroes(offset, length, unmap);
    }

    @Override
    public void discard(long offset, long length) {
        image.discard(offset, length);
    }

    @Override
    public void flush() {
        image.flush();
    }

    @Override
    public void resize(long newSize) {
        image.resize(newSize);
    }

    @Override
    public long extent(long offset) {
        return image.extent(offset);
    }

    @Override
    public void close() {}
}
