package dev.kagami.block.qcow2;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;

/** A table of one cluster, an L2 table or a refcount block, in memory. Guarded by the image's lock. */
final class CachedTable {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final int PIECE_BITS = 12;

    /** Where it is in the file. */
    final long offset;

    final byte[] bytes;
    /** Pieces of 4 KiB that the file has no current copy of. */
    private final BitSet dirty = new BitSet();
    /** Whether a flush is under way with a copy of it, so that the file's copy is older still. */
    boolean sealed;
    /** Whether somebody looked since the cache last wanted to throw it out. Racy on purpose. */
    boolean used = true;

    CachedTable(long offset, byte[] bytes) {
        this.offset = offset;
        this.bytes = bytes;
    }

    long get(int index) {
        return (long) LONG.get(bytes, index << 3);
    }

    void set(int index, long value) {
        LONG.set(bytes, index << 3, value);
        dirty.set(index << 3 >> PIECE_BITS);
    }

    /** Says that a byte was changed. */
    void touch(int byteIndex) {
        dirty.set(byteIndex >> PIECE_BITS);
    }

    /** Says that the file has none of it. */
    void touchAll() {
        dirty.set(0, (bytes.length - 1 >> PIECE_BITS) + 1);
    }

    boolean isDirty() {
        return !dirty.isEmpty();
    }

    /** Copies what is dirty, and counts it as clean until {@link Patches#undo}. */
    void seal(Patches patches) {
        int first = dirty.nextSetBit(0);
        while (first >= 0) {
            int end = dirty.nextClearBit(first);
            int from = first << PIECE_BITS;
            int to = Math.min(bytes.length, end << PIECE_BITS);
            patches.add(offset + from, Arrays.copyOfRange(bytes, from, to), () -> touchRange(from, to));
            first = dirty.nextSetBit(end);
        }
        dirty.clear();
        sealed = true;
    }

    private void touchRange(int from, int to) {
        dirty.set(from >> PIECE_BITS, (to - 1 >> PIECE_BITS) + 1);
    }
}
