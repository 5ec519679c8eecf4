package dev.kagami.block;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * A disk image: an array of bytes of fixed size, read and written at any offset. Calls block until the host has done its
 * part; {@link BlockDevice} makes them asynchronous.
 *
 * <p>A write is visible to reads at once, and survives the process or the host going down once a {@link #flush} that began
 * after it has returned. Without a flush each 512-byte sector of it is, after such an end, either old or new.
 *
 * <p>Thread-safe. Overlapping requests in flight at the same time happen in any order. A thread that is interrupted during
 * a call finishes it and stays interrupted.
 *
 * <p>All methods throw {@link BlockException}: {@code OUT_OF_RANGE} for a range outside of the image, {@code READ_ONLY},
 * {@code CORRUPT}, {@code NO_SPACE}, {@code IO_ERROR}, {@code CLOSED}.
 */
public interface BlockImage extends AutoCloseable {
    /** Size of a sector in bytes: what guests address, and what is written as a whole or not at all. */
    int SECTOR_SIZE = 512;

    /** {@return the file, for messages} */
    Path file();

    /** {@return the format} */
    ImageFormat format();

    /** {@return the size of the disk in bytes, not always a multiple of {@link #SECTOR_SIZE}} */
    long size();

    /** {@return whether writes are refused} */
    boolean readOnly();

    /** {@return the unit in bytes, a power of two, in which space is taken and given back: the best alignment} */
    int clusterSize();

    /**
     * Reads bytes.
     *
     * @param offset first byte on the disk
     * @param target takes as many bytes as it has
     */
    void read(long offset, MemorySegment target);

    /**
     * Writes bytes.
     *
     * @param offset first byte on the disk
     * @param source the bytes; may change during the call, and then either value is written
     */
    void write(long offset, MemorySegment source);

    /**
     * Makes a range read as zeros.
     *
     * @param offset first byte on the disk
     * @param length bytes
     * @param unmap whether space may be given back to the host; if not, it stays allocated where the format knows how
     */
    void writeZeroes(long offset, long length, boolean unmap);

    /**
     * Says that nobody wants the contents of a range any more. Afterwards each sector of it reads either as before or as
     * zeros, never as anything else.
     *
     * @param offset first byte on the disk
     * @param length bytes
     */
    void discard(long offset, long length);

    /** Returns when every write, discard and zeroing that ended before the call is on stable storage. */
    void flush();

    /**
     * Changes the size of the disk. New bytes read as zeros.
     *
     * @param newSize bytes, in qcow2 rounded up to whole sectors; not less than now: shrinking is refused because it would
     *     throw data away
     */
    void resize(long newSize);

    /**
     * Tells what is known about contents without reading them.
     *
     * @param offset a byte on the disk
     * @return n &gt; 0 when the n bytes from there hold data; -n &lt; 0 when n bytes from there read as zeros; never 0, and
     *     never past the end
     */
    long extent(long offset);

    /** Flushes and closes the image and what it is based on. A second call does nothing. */
    @Override
    void close();
}
