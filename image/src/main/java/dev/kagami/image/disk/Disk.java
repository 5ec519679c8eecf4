package dev.kagami.image.disk;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.image.ImageException;
import java.lang.foreign.MemorySegment;

/**
 * A range of a disk image's bytes, read at any offset: a whole disk or a partition. What lies on it is not trusted: a read
 * outside of the range is the disk's fault and an {@link ImageException}.
 *
 * <p>Thread-safe.
 */
public final class Disk {

    private final Source source;
    private final long start;
    private final long size;

    /** Reads bytes of an image, as {@link BlockImage#read} does. */
    @FunctionalInterface
    public interface Source {
        /**
         * Reads bytes.
         *
         * @param offset first byte
         * @param target takes as many bytes as it has
         */
        void read(long offset, MemorySegment target);
    }

    private Disk(Source source, long start, long size) {
        this.source = source;
        this.start = start;
        this.size = size;
    }

    /** Returns all of an image. */
    public static Disk of(BlockImage image) {
        return new Disk(image::read, 0, image.size());
    }

    /**
     * Returns a disk whose bytes come from elsewhere.
     *
     * @param source reads them
     * @param size how many there are
     */
    public static Disk of(Source source, long size) {
        return new Disk(source, 0, size);
    }

    /**
     * Returns a part of this disk.
     *
     * @param offset first byte
     * @param length bytes; cut off at this disk's end
     * @throws ImageException if the first byte is outside of this disk
     */
    public Disk slice(long offset, long length) {
        if (offset < 0 || length < 0 || offset > size) {
            throw ImageException.invalidDisk(
                    "A partition at byte " + offset + " lies outside of the disk of " + size + " bytes");
        }
        return new Disk(source, start + offset, Math.min(length, size - offset));
    }

    /** Returns the size in bytes. */
    public long size() {
        return size;
    }

    /**
     * Reads bytes.
     *
     * @param offset first byte
     * @param target takes them
     * @param from index of the first in the target
     * @param count how many
     * @throws ImageException if they aren't all inside of this disk, or the host fails to read them
     */
    public void read(long offset, byte[] target, int from, int count) {
        if (offset < 0 || offset > size - count) {
            throw ImageException.invalidDisk(
                    "Its tables point to byte " + offset + ", outside of its " + size + " bytes");
        }
        try {
            source.read(start + offset, MemorySegment.ofArray(target).asSlice(from, count));
        } catch (BlockException e) {
            throw new ImageException(ImageException.Code.DISK_UNREADABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    /**
     * Reads bytes into a new array.
     *
     * @param offset first byte
     * @param count how many; never a number that stands on the disk, unless checked before
     */
    public byte[] read(long offset, int count) {
        byte[] bytes = new byte[count];
        read(offset, bytes, 0, count);
        return bytes;
    }
}
