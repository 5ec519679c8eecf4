package dev.kagami.block.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Zeros, and how to find them. */
public final class Zeros {
    /** How many zeros {@link #SEGMENT} has. */
    public static final int SIZE = 1 << 20;

    /** Zeros. */
    public static final MemorySegment SEGMENT =
            Arena.global().allocate(SIZE, Long.BYTES).asReadOnly();

    private Zeros() {}

    /** {@return whether a range of memory is all zeros} */
    public static boolean isZero(MemorySegment memory, long start, long length) {
        // Data mostly tells itself by its first bytes.
        if (length >= Long.BYTES && memory.get(ValueLayout.JAVA_LONG_UNALIGNED, start) != 0) {
            return false;
        }
        long end = start + length;
        for (long at = start; at < end; at += SIZE) {
            long pieceEnd = Math.min(end, at + SIZE);
            if (MemorySegment.mismatch(memory, at, pieceEnd, SEGMENT, 0, pieceEnd - at) >= 0) {
                return false;
            }
        }
        return true;
    }

    /** Writes zeros to storage. */
    public static void write(Storage storage, long position, long length) {
        for (long done = 0; done < length; done += SIZE) {
            storage.write(SEGMENT.asSlice(0, Math.min(SIZE, length - done)).asByteBuffer(), position + done);
        }
    }
}
