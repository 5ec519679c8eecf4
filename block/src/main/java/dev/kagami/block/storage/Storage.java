package dev.kagami.block.storage;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of an image file. What was written is visible to reads at once, but survives a power cut only after
 * {@link #force}; until then any part of it, in any order, may.
 *
 * <p>Thread-safe. Methods throw {@link dev.kagami.block.BlockException}.
 */
public interface Storage extends AutoCloseable {
    /** {@return the file, for messages and to resolve backing files against} */
    Path path();

    /** {@return what tells this file from all others on the host: equal for two handles to one file; null if unknown} */
    @Nullable
    Object identity();

    /** {@return whether writes are refused} */
    boolean readOnly();

    /** {@return the length in bytes} */
    long length();

    /** Fills a buffer from a position; what lies past the end is read as zeros. */
    void read(ByteBuffer target, long position);

    /** Writes all of a buffer to a position; makes the file longer when need be, with zeros in any gap. */
    void write(ByteBuffer source, long position);

    /** Cuts the file off, or makes it longer with zeros that take no space. */
    void setLength(long length);

    /** Returns when everything written before, and the length, is on stable storage. */
    void force();

    /** Closes this handle without forcing. A second call does nothing. */
    @Override
    void close();
}
