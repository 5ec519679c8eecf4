package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** Reference counts of the file's clusters, and who gets a free one. Guarded by the image's lock, held exclusively. */
final class Refcounts {
    private static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    /** Refcount table entries in a sector, which reaches the disk as a whole. */
    private static final int SECTOR_ENTRIES = 512 / Long.BYTES;

    private static final int CACHE_BYTES = 8 << 20;
    private static final int MIN_CACHED = 8;

    private final ImageState state;
    private final int order;
    private final int blockBits;
    private final TableCache blocks;

    private long[] table;
    private long tableOffset;
    /** Sectors of the table that the file has no current copy of; all of them once it has moved. */
    private final BitSet dirtySectors = new BitSet();

    private boolean moved;

    /** For each block, an entry below which nothing is free. */
    private int[] freeFrom;
    /** Below this block nothing is free. */
    private int firstBlock;

    private long distrusted = 1;

    /** Set by {@link #allocate}: how many clusters it got. */
    private int allocated;

    Refcounts(ImageState state, Qcow2Header header) {
        this.state = state;
        this.order = header.refcountOrder();
        this.blockBits = state.clusterBits + 3 - order;
        this.tableOffset = header.refcountTableOffset();
        byte[] bytes = new byte[header.refcountTableClusters() << state.clusterBits];
        state.storage.read(ByteBuffer.wrap(bytes), tableOffset);
        this.table = new long[bytes.length / Long.BYTES];
        ByteBuffer.wrap(bytes).asLongBuffer().get(table);
        for (int i = 0; i < table.length; i++) {
            table[i] &= Qcow2Format.REFCOUNT_OFFSET_MASK;
        }
        this.freeFrom = new int[table.length];
        this.blocks = new TableCache(table.length, Math.max(MIN_CACHED, CACHE_BYTES >> state.clusterBits));
    }

    /** {@return how many clusters one block counts for} */
    private int blockEntries() {
        return 1 << blockBits;
    }

    /** {@return the number of entries in the refcount table} */
    int tableLength() {
        return table.length;
    }

    long tableOffset() {
        return tableOffset;
    }

    /** {@return where a block is, 0 for none} */
    long blockOffset(int index) {
        return table[index];
    }

    /** {@return the largest count} */
    long maximum() {
        return order == Qcow2Format.MAX_REFCOUNT_ORDER ? Long.MAX_VALUE : (1L << (1 << order)) - 1;
    }

    private @Nullable CachedTable block(int index) {
        if (index >= table.length || table[index] == 0) {
            return null;
        }
        CachedTable block = blocks.get(index);
        if (block == null) {
            block = new CachedTable(table[index], state.readTable("refcount block", table[index]));
            blocks.put(index, block);
        }
        return block;
    }

    private static long entry(byte[] bytes, int index, int order) {
        return switch (order) {
            case 0, 1, 2 -> {
                int bit = index << order;
                yield (bytes[bit >> 3] & 0xFF) >> (bit & 7) & (1 << (1 << order)) - 1;
            }
            case 3 -> bytes[index] & 0xFF;
            case 4 -> (short) SHORT.get(bytes, index << 1) & 0xFFFF;
            case 5 -> Integer.toUnsignedLong((int) INT.get(bytes, index << 2));
            default -> {
                // A count with the highest bit set is nonsense; as a large number it stays harmless.
                long count = (long) LONG.get(bytes, index << 3);
                yield count < 0 ? Long.MAX_VALUE : count;
            }
        };
    }

    private void setEntry(CachedTable block, int index, long count) {
        byte[] bytes = block.bytes;
        switch (order) {
            case 0, 1, 2 -> {
                int bit = index << order;
                int mask = (1 << (1 << order)) - 1 << (bit & 7);
                bytes[bit >> 3] = (byte) (bytes[bit >> 3] & ~mask | (int) count << (bit & 7));
            }
            case 3 -> bytes[index] = (byte) count;
            case 4 -> SHORT.set(bytes, index << 1, (short) count);
            case 5 -> INT.set(bytes, index << 2, (int) count);
            default -> LONG.set(bytes, index << 3, count);
        }
        block.touch((int) ((long) index << order >> 3));
    }

    /** {@return a cluster's count} */
    long get(long cluster) {
        long index = cluster >>> blockBits;
        CachedTable block = index < table.length ? block((int) index) : null;
        return block == null ? 0 : entry(block.bytes, (int) cluster & blockEntries() - 1, order);
    }

    /** Sets a cluster's count; makes the block that holds it if need be. */
    void set(long cluster, long count) {
        int index = Math.toIntExact(cluster >>> blockBits);
        CachedTable block = block(index);
        if (block == null) {
            if (count == 0) {
                return;
            }
            throw new IllegalStateException("no refcount block for cluster " + cluster);
        }
        int entry = (int) cluster & blockEntries() - 1;
        setEntry(block, entry, count);
        if (count == 0) {
            freeFrom[index] = Math.min(freeFrom[index], entry);
            firstBlock = Math.min(firstBlock, index);
        }
    }

    /** Lets go of one reference, for good: nothing on the disk may use it any more. */
    void release(long cluster) {
        long count = get(cluster);
        if (count == 0) {
            // The image lied about what its entries refer to. There is nothing left to free.
            return;
        }
        set(cluster, count - 1);
        if (count == 1) {
            state.metadata.remove(cluster);
        }
    }

    /**
     * Takes free clusters that follow one another, and sets their counts to one.
     *
     * @param wanted how many would be best
     * @return the first; {@link #allocated} says how many there are, at least 1
     */
    long allocate(int wanted) {
        while (true) {
            int index = firstBlock;
            if (index == table.length) {
                growTable(1);
            }
            CachedTable block = block(index);
            if (block == null) {
                // The first cluster that the block counts for is as free as any, and counts itself.
                block = createBlock(index, (long) index << blockBits);
                setEntry(block, 0, 1);
                freeFrom[index] = 1;
            }
            int entries = blockEntries();
            int first = freeFrom[index];
            while (first < entries && entry(block.bytes, first, order) != 0) {
                first++;
            }
            if (first == entries) {
                freeFrom[index] = entries;
                firstBlock = index + 1;
                continue;
            }
            int end = first;
            while (end < entries && end - first < wanted && entry(block.bytes, end, order) == 0) {
                checkFree(((long) index << blockBits) + end);
                setEntry(block, end++, 1);
            }
            freeFrom[index] = end;
            allocated = end - first;
            return ((long) index << blockBits) + first;
        }
    }

    /** {@return how many clusters the last {@link #allocate} got} */
    int allocated() {
        return allocated;
    }

    /** Gives back clusters that nothing on the disk refers to yet. */
    void unallocate(long first, int count) {
        for (int i = 0; i < count; i++) {
            set(first + i, 0);
        }
    }

    private void checkFree(long cluster) {
        if (cluster == 0 || state.metadata.contains(cluster)) {
            throw BlockException.corrupt(
                    state.storage.path(), "cluster %d holds tables but has refcount 0".formatted(cluster));
        }
        if (cluster << state.clusterBits >>> state.clusterBits != cluster
                || cluster << state.clusterBits > Qcow2Format.OFFSET_MASK) {
            throw full();
        }
    }

    private BlockException full() {
        return new BlockException(
                BlockException.Code.NO_SPACE,
                "%s is as large as a file of its format can get".formatted(state.storage.path()),
                "Convert it to an image with larger clusters.");
    }

    private CachedTable createBlock(int index, long cluster) {
        checkFree(cluster);
        CachedTable block = new CachedTable(cluster << state.clusterBits, new byte[state.clusterSize]);
        block.touchAll();
        state.metadata.add(cluster);
        table[index] = block.offset;
        dirtySectors.set(index / SECTOR_ENTRIES);
        blocks.put(index, block);
        freeFrom[index] = 0;
        return block;
    }

    /** Says that clusters below one may be in use whatever their counts say. */
    void distrustBelow(long cluster) {
        distrusted = cluster;
    }

    /** Makes sure that there is a block that counts for a cluster. */
    void ensureBlock(long counted) {
        int index = Math.toIntExact(counted >>> blockBits);
        if (index >= table.length) {
            growTable(index + 1 - table.length);
        }
        if (block(index) == null) {
            long cluster = allocateAtEnd(1);
            if (block(index) == null) {
                createBlock(index, cluster);
            } else {
                // The block was made on the way.
                unallocate(cluster, 1);
            }
        }
    }

    /** Forgets a block that makes no sense. */
    void dropBlock(int index) {
        table[index] = 0;
        dirtySectors.set(index / SECTOR_ENTRIES);
    }

    int blockBits() {
        return blockBits;
    }

    /** {@return the first cluster from which on all are free} */
    long endOfUse() {
        return Math.max(distrusted, countedEnd());
    }

    private long countedEnd() {
        for (int index = table.length - 1; index >= 0; index--) {
            CachedTable block = block(index);
            if (block == null) {
                continue;
            }
            for (int entry = blockEntries() - 1; entry >= 0; entry--) {
                if (entry(block.bytes, entry, order) != 0) {
                    return ((long) index << blockBits) + entry + 1;
                }
            }
        }
        return 1;
    }

    /** Takes clusters that follow one another, behind all that is in use; returns the first. */
    long allocateAtEnd(int count) {
        while (true) {
            long start = endOfUse();
            // Blocks that are missing for the new clusters come first, and count for themselves too.
            int missing = 0;
            int last;
            while (true) {
                last = Math.toIntExact(start + missing + count - 1 >>> blockBits);
                int found = 0;
                for (long index = start >>> blockBits; index <= last; index++) {
                    if (index >= table.length || table[(int) index] == 0) {
                        found++;
                    }
                }
                if (found == missing) {
                    break;
                }
                missing = found;
            }
            if (last >= table.length) {
                growTable(last + 1 - table.length);
                continue;
            }
            long next = start;
            for (int index = (int) (start >>> blockBits); index <= last; index++) {
                if (table[index] == 0) {
                    createBlock(index, next++);
                }
            }
            for (long cluster = start; cluster < next + count; cluster++) {
                if (cluster >= next) {
                    checkFree(cluster);
                }
                set(cluster, 1);
            }
            return next;
        }
    }

    /** Moves the refcount table to a place where it can be longer. */
    private void growTable(int more) {
        long oldOffset = tableOffset;
        int oldClusters = table.length * Long.BYTES >> state.clusterBits;
        int perCluster = state.clusterSize / Long.BYTES;
        // Half as much again, and what it takes to count for the table itself.
        long wanted = table.length + (long) table.length / 2 + more + 2;
        wanted += (wanted / perCluster >> blockBits) + 1;
        int clusters = Math.toIntExact((wanted + perCluster - 1) / perCluster);
        if ((long) clusters << state.clusterBits > Math.max(state.clusterSize, Qcow2Format.MAX_REFCOUNT_TABLE_BYTES)) {
            throw full();
        }
        int entries = clusters * perCluster;
        table = Arrays.copyOf(table, entries);
        freeFrom = Arrays.copyOf(freeFrom, entries);
        blocks.resize(entries);
        long start = allocateAtEnd(clusters);
        for (int i = 0; i < clusters; i++) {
            state.metadata.add(start + i);
        }
        tableOffset = start << state.clusterBits;
        moved = true;
        for (int i = 0; i < oldClusters; i++) {
            retired.add((oldOffset >>> state.clusterBits) + i);
        }
    }

    /** Clusters of former refcount tables, to be freed by the flush that makes the move stable. */
    private final LongList retired = new LongList();

    LongList retired() {
        return retired;
    }

    boolean isDirty() {
        boolean[] dirty = {moved || !dirtySectors.isEmpty()};
        blocks.forEach(block -> dirty[0] |= block.isDirty());
        return dirty[0];
    }

    /**
     * Copies what a flush must write.
     *
     * @param first what goes first: counts, and a table that has moved
     * @param second what may go only when that is stable: pointers to blocks, or to the table
     */
    void seal(Patches first, Patches second) {
        blocks.forEach(block -> {
            if (block.isDirty()) {
                block.seal(first);
            }
        });
        if (moved) {
            ByteBuffer bytes = ByteBuffer.allocate(table.length * Long.BYTES);
            bytes.asLongBuffer().put(table);
            Runnable undo = () -> moved = true;
            first.add(tableOffset, bytes.array(), undo);
            // One sector of the header holds both fields, so both change or neither.
            ByteBuffer header = ByteBuffer.allocate(Long.BYTES + Integer.BYTES);
            header.putLong(0, tableOffset).putInt(Long.BYTES, bytes.capacity() >> state.clusterBits);
            second.add(Qcow2Format.OFFSET_REFCOUNT_TABLE, header.array(), undo);
            moved = false;
        } else {
            dirtySectors.stream().forEach(sector -> {
                ByteBuffer bytes = ByteBuffer.allocate(SECTOR_ENTRIES * Long.BYTES);
                bytes.asLongBuffer().put(table, sector * SECTOR_ENTRIES, SECTOR_ENTRIES);
                second.add(
                        tableOffset + (long) sector * bytes.capacity(), bytes.array(), () -> dirtySectors.set(sector));
            });
        }
        dirtySectors.clear();
    }

    /** Says that a flush has ended. */
    void unseal() {
        blocks.forEach(block -> block.sealed = false);
    }
}
