package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Where the disk's clusters are in the file: the active L1 table and its L2 tables. Guarded by the image's lock, which must
 * be held exclusively except for {@link #cached}, {@link #owned} and {@link #l2Offset}.
 */
final class ClusterMap {
    private static final int SECTOR_ENTRIES = 512 / Long.BYTES;
    private static final long CACHE_BYTES = 32L << 20;
    private static final int MIN_CACHED = 4;

    private final ImageState state;
    private final Refcounts refcounts;
    private final int l2Bits;
    private final TableCache tables;

    private long[] l1;
    private long l1Offset;
    private final BitSet dirtySectors = new BitSet();

    ClusterMap(ImageState state, Refcounts refcounts, Qcow2Header header) {
        this.state = state;
        this.refcounts = refcounts;
        this.l2Bits = state.clusterBits - 3;
        this.l1Offset = header.l1Offset();
        this.l1 = readL1(state, l1Offset, header.l1Size());
        this.tables = new TableCache(l1.length, (int) Math.max(MIN_CACHED, CACHE_BYTES >> state.clusterBits));
    }

    /** Reads an L1 table, active or not. */
    static long[] readL1(ImageState state, long offset, int size) {
        // The size was checked against the format's limit and the file's length.
        byte[] bytes = new byte[size * Long.BYTES];
        state.storage.read(ByteBuffer.wrap(bytes), offset);
        long[] entries = new long[size];
        ByteBuffer.wrap(bytes).asLongBuffer().get(entries);
        return entries;
    }

    /** {@return the index of the L2 table for a byte of the disk} */
    int l1Index(long diskOffset) {
        return (int) (diskOffset >>> l2Bits + state.clusterBits);
    }

    /** {@return the index in its L2 table of the entry for a byte of the disk} */
    int l2Index(long diskOffset) {
        return (int) (diskOffset >>> state.clusterBits) & l2Entries() - 1;
    }

    int l2Entries() {
        return 1 << l2Bits;
    }

    int l1Size() {
        return l1.length;
    }

    long l1Offset() {
        return l1Offset;
    }

    /** {@return the L1 entry's pointer, 0 when there is no L2 table} */
    long l2Offset(int l1Index) {
        return l1[l1Index] & Qcow2Format.OFFSET_MASK;
    }

    /** {@return whether the L2 table is there and no snapshot's} */
    boolean owned(int l1Index) {
        return (l1[l1Index] & Qcow2Format.COPIED) != 0;
    }

    /** Corrects what {@link #owned} says. */
    void setOwned(int l1Index, boolean owned) {
        l1[l1Index] = owned ? l1[l1Index] | Qcow2Format.COPIED : l1[l1Index] & ~Qcow2Format.COPIED;
        dirtySectors.set(l1Index / SECTOR_ENTRIES);
    }

    /** Returns an L2 table if it is in memory. */
    @Nullable
    CachedTable cached(int l1Index) {
        return tables.get(l1Index);
    }

    /** Returns an L2 table that there is. */
    CachedTable load(int l1Index) {
        CachedTable table = tables.get(l1Index);
        if (table == null) {
            long offset = l2Offset(l1Index);
            table = new CachedTable(offset, state.readTable("L2 table", offset));
            tables.put(l1Index, table);
        }
        return table;
    }

    /**
     * Returns an L2 table that may be changed: makes one if there is none, and a copy of one that is shared with a snapshot.
     *
     * @param freed takes the cluster of the shared one
     */
    CachedTable writable(int l1Index, LongList freed) {
        long entry = l1[l1Index];
        if ((entry & Qcow2Format.COPIED) != 0 && l2Offset(l1Index) != 0) {
            return load(l1Index);
        }
        byte[] bytes;
        if (l2Offset(l1Index) == 0) {
            bytes = new byte[state.clusterSize];
        } else {
            bytes = load(l1Index).bytes.clone();
        }
        long cluster = refcounts.allocate(1);
        long offset = cluster << state.clusterBits;
        CachedTable table = new CachedTable(offset, bytes);
        try {
            // What the file has there may not be linked before it makes sense: entries come with the next flush.
            state.storage.write(ByteBuffer.wrap(bytes), offset);
        } catch (BlockException e) {
            refcounts.unallocate(cluster, 1);
            throw e;
        }
        state.extendTo(offset + state.clusterSize);
        if (l2Offset(l1Index) != 0) {
            // Whatever a shared table leads to is shared as well.
            for (int i = 0; i < l2Entries(); i++) {
                long mapped = table.get(i);
                if ((mapped & Qcow2Format.COPIED) != 0) {
                    table.set(i, mapped & ~Qcow2Format.COPIED);
                }
            }
            freed.add(l2Offset(l1Index) >>> state.clusterBits);
        }
        state.metadata.add(cluster);
        l1[l1Index] = offset | Qcow2Format.COPIED;
        dirtySectors.set(l1Index / SECTOR_ENTRIES);
        tables.put(l1Index, table);
        return table;
    }

    /** {@return whether so much is waiting to be written that a flush is due} */
    boolean crowded() {
        if (tables.count() < tables.capacity()) {
            return false;
        }
        int[] dirty = new int[1];
        tables.forEach(table -> dirty[0] += table.isDirty() ? 1 : 0);
        return dirty[0] > tables.capacity() / 2;
    }

    boolean isDirty() {
        boolean[] dirty = {!dirtySectors.isEmpty()};
        tables.forEach(table -> dirty[0] |= table.isDirty());
        return dirty[0];
    }

    /** Copies what a flush must write when all that it points to is stable. */
    void seal(Patches patches) {
        tables.forEach(table -> {
            if (table.isDirty()) {
                table.seal(patches);
            }
        });
        dirtySectors.stream().forEach(sector -> {
            int first = sector * SECTOR_ENTRIES;
            int count = Math.min(SECTOR_ENTRIES, l1.length - first);
            ByteBuffer bytes = ByteBuffer.allocate(count * Long.BYTES);
            bytes.asLongBuffer().put(l1, first, count);
            patches.add(l1Offset + (long) first * Long.BYTES, bytes.array(), () -> dirtySectors.set(sector));
        });
        dirtySectors.clear();
    }

    /** Says that a flush has ended. */
    void unseal() {
        tables.forEach(table -> table.sealed = false);
    }

    /**
     * Moves the L1 table to where it can be longer: writes it there, but doesn't link it. Nothing may be dirty.
     *
     * @return where it was
     */
    long moveL1(long newOffset, int newSize) {
        long[] longer = Arrays.copyOf(l1, newSize);
        ByteBuffer bytes = ByteBuffer.allocate(newSize * Long.BYTES);
        bytes.asLongBuffer().put(longer);
        state.storage.write(bytes, newOffset);
        state.extendTo(newOffset + bytes.capacity());
        long oldOffset = l1Offset;
        l1 = longer;
        l1Offset = newOffset;
        tables.resize(newSize);
        return oldOffset;
    }
}
