package dev.kagami.block;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * A view of an image that somebody else closes.
 *
 * @param image the image
 * @param readOnly whether writes are refused
 */
record SharedImage(BlockImage image, boolean readOnly) implements BlockImage {
    private BlockImage target() {
        if (readOnly) {
            throw new BlockException(
                    BlockException.Code.READ_ONLY, image.file() + " is only read", "write to an overlay over it");
        }
        return image;
    }

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
    public int clusterSize() {
        return image.clusterSize();
    }

    @Override
    public void read(long offset, MemorySegment target) {
        image.read(offset, target);
    }

    @Override
    public void write(long offset, MemorySegment source) {
        target().write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) {
        target().writeZeroes(offset, length, unmap);
    }

    @Override
    public void discard(long offset, long length) {
        target().discard(offset, length);
    }

    @Override
    public void flush() {
        image.flush();
    }

    @Override
    public void resize(long newSize) {
        target().resize(newSize);
    }

    @Override
    public long extent(long offset) {
        return image.extent(offset);
    }

    @Override
    public void close() {}
}
