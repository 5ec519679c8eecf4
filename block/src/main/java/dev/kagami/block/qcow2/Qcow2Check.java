package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Compares what an image's tables refer to with its reference counts, and corrects the counts. */
public final class Qcow2Check {
    private static final int MAX_MESSAGES = 20;
    private static final int BITMAP_ENTRY_BYTES = 24;
    /** Most bytes of the directory of bitmaps, and of the tables of all of them, that are looked at. */
    private static final long MAX_BITMAP_BYTES = 64L << 20;

    /** What may be corrected. */
    public enum Repair {
        /** Nothing. */
        NOTHING,
        /** Clusters that nothing refers to are freed. */
        LEAKS,
        /** All counts, and the flags that depend on them. */
        ALL
    }

    /**
     * What was found.
     *
     * @param errors contradictions that may cost data
     * @param leaks clusters that count as used but aren't
     * @param fixedErrors contradictions that were corrected, not counted in {@code errors}
     * @param fixedLeaks clusters that were freed, not counted in {@code leaks}
     * @param allocatedClusters clusters of the disk that have a place in the file
     * @param totalClusters clusters of the disk
     * @param messages the first errors, each in a sentence
     */
    public record Result(
            long errors,
            long leaks,
            long fixedErrors,
            long fixedLeaks,
            long allocatedClusters,
            long totalClusters,
            List<String> messages) {}

    private final Qcow2Image image;
    private final Qcow2Header header;
    private final ImageState state;
    private final Refcounts refcounts;
    private final ClusterMap map;
    private final Repair repair;
    private final ReferenceMap references;

    private long errors;
    private long leaks;
    private long fixedErrors;
    private long fixedLeaks;
    private long allocated;
    private final List<String> messages = new ArrayList<>();

    private Qcow2Check(Qcow2Image image, Repair repair) {
        this.image = image;
        this.header = image.header();
        this.state = image.state();
        this.refcounts = image.refcounts();
        this.map = image.map();
        this.repair = repair;
        this.references = new ReferenceMap(image.file());
    }

    /**
     * Checks an image.
     *
     * @param storage the file, writable if anything is to be corrected; not closed
     * @param repair what to correct
     * @return what was found
     * @throws BlockException when the header or the snapshot table makes no sense
     */
    public static Result check(Storage storage, Repair repair) {
        Qcow2Header header = Qcow2Header.read(storage);
        // With a dirty bit the counts are known to be wrong; freeing by them alone would be too.
        Repair chosen = header.dirty() && repair == Repair.LEAKS ? Repair.ALL : repair;
        return new Qcow2Check(Qcow2Image.openForCheck(storage, header), chosen).run();
    }

    /** Corrects the counts of an image that wasn't closed. */
    static void repair(Storage storage) {
        Result result = check(storage, Repair.ALL);
        if (result.errors() > 0) {
            throw BlockException.corrupt(
                    storage.path(),
                    "it wasn't closed, and %d errors can't be repaired, such as: %s"
                            .formatted(result.errors(), result.messages().getFirst()));
        }
    }

    private Result run() {
        countTables();
        countRefcountBlocks();
        countMappings();
        countBitmaps();
        long structural = errors;
        compare();
        if (repair == Repair.ALL) {
            correctCounts();
        }
        checkFlags();
        if (repair != Repair.NOTHING) {
            image.syncForCheck();
            if (errors == 0 && structural == 0) {
                long clean =
                        header.incompatible() & ~(Qcow2Format.INCOMPATIBLE_DIRTY | Qcow2Format.INCOMPATIBLE_CORRUPT);
                if (clean != header.incompatible() && repair == Repair.ALL) {
                    state.storage.write(
                            ByteBuffer.allocate(Long.BYTES).putLong(0, clean), Qcow2Format.OFFSET_INCOMPATIBLE);
                    state.storage.force();
                }
            }
        }
        long total = header.size() + state.clusterSize - 1 >>> state.clusterBits;
        return new Result(errors, leaks, fixedErrors, fixedLeaks, allocated, total, List.copyOf(messages));
    }

    private void error(String format, Object... arguments) {
        errors++;
        if (messages.size() < MAX_MESSAGES) {
            messages.add(format.formatted(arguments));
        }
    }

    /** Counts the clusters of a range; the range may end a little behind the file. */
    private boolean count(String name, long offset, long bytes, int times) {
        long end = (state.end() + state.clusterSize - 1 >>> state.clusterBits) + 1 << state.clusterBits;
        if (offset < 0 || bytes < 0 || offset > end - bytes) {
            error("%s: %d bytes at %s are outside of the file", name, bytes, Long.toUnsignedString(offset));
            return false;
        }
        if (bytes > 0) {
            long last = offset + bytes - 1 >>> state.clusterBits;
            for (long cluster = offset >>> state.clusterBits; cluster <= last; cluster++) {
                references.add(cluster, times);
            }
        }
        return true;
    }

    private boolean countAligned(String name, long offset, long bytes, int times) {
        if (!state.aligned(offset)) {
            error("%s at %s is not aligned", name, Long.toUnsignedString(offset));
            return false;
        }
        return count(name, offset, bytes, times);
    }

    private void countTables() {
        count("header", 0, 1, 1);
        count("L1 table", map.l1Offset(), (long) map.l1Size() * Long.BYTES, 1);
        count("refcount table", refcounts.tableOffset(), (long) refcounts.tableLength() * Long.BYTES, 1);
        if (!image.snapshots().list().isEmpty()) {
            count("snapshot table", header.snapshotsOffset(), image.snapshots().bytes(), 1);
        }
        for (Snapshots.Snapshot snapshot : image.snapshots().list()) {
            count("L1 table of snapshot " + snapshot.id(), snapshot.l1Offset(), (long) snapshot.l1Size() * 8, 1);
        }
    }

    private void countRefcountBlocks() {
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < refcounts.tableLength(); i++) {
            long offset = refcounts.blockOffset(i);
            if (offset == 0) {
                continue;
            }
            boolean sound = state.aligned(offset) && state.inFile(offset, state.clusterSize) && seen.add(offset);
            if (sound) {
                countAligned("refcount block", offset, state.clusterSize, 1);
            } else if (repair == Repair.ALL) {
                refcounts.dropBlock(i);
                fixedErrors++;
            } else {
                error("refcount block %d at %s", i, Long.toUnsignedString(offset));
                unusable.add(i);
            }
        }
    }

    /** Refcount blocks that can't be read. */
    private final Set<Integer> unusable = new HashSet<>();

    private void countMappings() {
        // A table that several L1 tables share is read once, and its entries count as often.
        Map<Long, Integer> tables = new HashMap<>();
        long[] active = new long[map.l1Size()];
        for (int i = 0; i < active.length; i++) {
            active[i] = map.l2Offset(i);
        }
        collect("active", active, tables);
        Set<Long> activeTables = Set.copyOf(tables.keySet());
        for (Snapshots.Snapshot snapshot : image.snapshots().list()) {
            collect(
                    "snapshot " + snapshot.id(),
                    ClusterMap.readL1(state, snapshot.l1Offset(), snapshot.l1Size()),
                    tables);
        }
        byte[] bytes = new byte[state.clusterSize];
        tables.forEach((offset, times) -> {
            if (countAligned("L2 table", offset, state.clusterSize, times)) {
                state.storage.read(ByteBuffer.wrap(bytes), offset);
                countEntries(offset, ByteBuffer.wrap(bytes), times, activeTables.contains(offset));
            }
        });
    }

    private void collect(String name, long[] l1, Map<Long, Integer> tables) {
        Set<Long> seen = new HashSet<>();
        for (long entry : l1) {
            long offset = entry & Qcow2Format.OFFSET_MASK;
            if (offset == 0) {
                continue;
            }
            if (seen.add(offset)) {
                tables.merge(offset, 1, Integer::sum);
            } else {
                error("the L2 table at %d is used twice in the L1 table (%s)", offset, name);
            }
        }
    }

    private void countEntries(long tableOffset, ByteBuffer table, int times, boolean active) {
        for (int i = 0; i < state.clusterSize / Long.BYTES; i++) {
            long entry = table.getLong(i * Long.BYTES);
            if ((entry & Qcow2Format.COMPRESSED) != 0) {
                count(
                        "compressed data",
                        image.compressed().offset(entry),
                        image.compressed().length(entry),
                        times);
                allocated += active ? 1 : 0;
                if ((entry & Qcow2Format.COPIED) != 0) {
                    error("entry %d of the L2 table at %d is compressed and not shared", i, tableOffset);
                }
                continue;
            }
            if ((entry & Qcow2Format.ZERO) != 0 && state.version < 3) {
                error("entry %d of the L2 table at %d is a zero cluster in version 2", i, tableOffset);
            }
            long offset = entry & Qcow2Format.OFFSET_MASK;
            if (offset != 0) {
                countAligned("data", offset, state.clusterSize, times);
                allocated += active ? 1 : 0;
            } else if ((entry & Qcow2Format.COPIED) != 0) {
                error("entry %d of the L2 table at %d has a flag but no cluster", i, tableOffset);
            }
        }
    }

    private void countBitmaps() {
        Qcow2Header.Bitmaps bitmaps = header.bitmaps();
        if (bitmaps == null || (header.autoclear() & Qcow2Format.AUTOCLEAR_BITMAPS) == 0) {
            return;
        }
        if (bitmaps.bytes() > MAX_BITMAP_BYTES
                || !countAligned("bitmap directory", bitmaps.offset(), bitmaps.bytes(), 1)) {
            error("the directory of bitmaps has %s bytes", Long.toUnsignedString(bitmaps.bytes()));
            return;
        }
        long tableBytes = 0;
        long at = bitmaps.offset();
        long end = at + bitmaps.bytes();
        while (at + BITMAP_ENTRY_BYTES <= end) {
            ByteBuffer entry = ByteBuffer.allocate(BITMAP_ENTRY_BYTES);
            state.storage.read(entry, at);
            long tableOffset = entry.getLong(0);
            long entries = Integer.toUnsignedLong(entry.getInt(8));
            tableBytes += entries * Long.BYTES;
            if (tableBytes > MAX_BITMAP_BYTES) {
                error("the tables of bitmaps have %d bytes or more", tableBytes);
                return;
            }
            if (countAligned("bitmap table", tableOffset, entries * Long.BYTES, 1)) {
                countBitmap(tableOffset, (int) entries);
            }
            long extra = Integer.toUnsignedLong(entry.getInt(20));
            at += BITMAP_ENTRY_BYTES + (entry.getShort(18) & 0xFFFF) + extra + 7 & ~7L;
        }
    }

    private void countBitmap(long tableOffset, int entries) {
        ByteBuffer table = ByteBuffer.allocate(entries * Long.BYTES);
        state.storage.read(table, tableOffset);
        for (int i = 0; i < entries; i++) {
            long offset = table.getLong(i * Long.BYTES) & Qcow2Format.OFFSET_MASK;
            if (offset != 0) {
                countAligned("bitmap", offset, state.clusterSize, 1);
            }
        }
    }

    private boolean counted(long cluster) {
        long index = cluster >>> refcounts.blockBits();
        return index < refcounts.tableLength()
                && refcounts.blockOffset((int) index) != 0
                && !unusable.contains((int) index);
    }

    private void compare() {
        references.forEach((cluster, wanted) -> {
            long found = counted(cluster) ? refcounts.get(cluster) : 0;
            if (found < wanted) {
                if (repair == Repair.ALL && wanted <= refcounts.maximum()) {
                    fixedErrors++;
                } else {
                    error("cluster %d has %d references and refcount %d", cluster, wanted, found);
                }
            }
        });
        for (int i = 0; i < refcounts.tableLength(); i++) {
            if (refcounts.blockOffset(i) == 0 || unusable.contains(i)) {
                continue;
            }
            long first = (long) i << refcounts.blockBits();
            for (long cluster = first; cluster < first + (1L << refcounts.blockBits()); cluster++) {
                long found = refcounts.get(cluster);
                if (found != 0 && found > references.get(cluster)) {
                    if (repair == Repair.NOTHING) {
                        leaks++;
                    } else {
                        refcounts.set(cluster, references.get(cluster));
                        fixedLeaks++;
                    }
                }
            }
        }
    }

    private void correctCounts() {
        refcounts.distrustBelow(Math.max(references.end(), state.end() + state.clusterSize - 1 >>> state.clusterBits));
        references.forEach((cluster, wanted) -> {
            if (wanted <= refcounts.maximum()) {
                refcounts.ensureBlock(cluster);
                if (refcounts.get(cluster) < wanted) {
                    refcounts.set(cluster, wanted);
                }
            }
        });
    }

    /** Whether a cluster's flag should say that nobody shares it. */
    private boolean alone(long offset) {
        long cluster = offset >>> state.clusterBits;
        return counted(cluster) && refcounts.get(cluster) == 1;
    }

    /** Whether a wrong flag may be corrected: only where the count is right. */
    private boolean correctable(long offset) {
        long cluster = offset >>> state.clusterBits;
        return repair != Repair.NOTHING && counted(cluster) && refcounts.get(cluster) == references.get(cluster);
    }

    /** The flag in entries of active tables must say whether the refcount is one. */
    private void checkFlags() {
        for (int i = 0; i < map.l1Size(); i++) {
            long offset = map.l2Offset(i);
            if (offset == 0 || !state.aligned(offset) || !state.inFile(offset, state.clusterSize)) {
                continue;
            }
            if (alone(offset) != map.owned(i)) {
                if (correctable(offset)) {
                    map.setOwned(i, !map.owned(i));
                    fixedErrors++;
                } else {
                    error("entry %d of the L1 table has the wrong flag", i);
                }
            }
            CachedTable table = map.load(i);
            for (int entry = 0; entry < map.l2Entries(); entry++) {
                checkFlag(table, entry);
            }
        }
    }

    private void checkFlag(CachedTable table, int index) {
        long entry = table.get(index);
        long offset = entry & Qcow2Format.OFFSET_MASK;
        if ((entry & Qcow2Format.COMPRESSED) != 0 || offset == 0 || !state.aligned(offset)) {
            return;
        }
        if (alone(offset) != ((entry & Qcow2Format.COPIED) != 0)) {
            if (correctable(offset)) {
                table.set(index, entry ^ Qcow2Format.COPIED);
                fixedErrors++;
            } else {
                error("entry %d of the L2 table at %d has the wrong flag", index, table.offset);
            }
        }
    }
}
