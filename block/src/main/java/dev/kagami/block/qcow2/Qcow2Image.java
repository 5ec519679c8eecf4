package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.storage.Flushes;
import dev.kagami.block.storage.Pieces;
import dev.kagami.block.storage.Storage;
import dev.kagami.block.storage.Zeros;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/** An open qcow2 image. See the package for how tables reach the disk, and for what the locks protect. */
public final class Qcow2Image implements BlockImage {
    /** So many clusters waiting to be freed make a flush due. */
    private static final int MAX_FREED = 1 << 18;

    private final Qcow2Header header;
    private final Storage storage;
    private final ImageState state;
    private final Refcounts refcounts;
    private final ClusterMap map;
    private final CompressedClusters compressed;
    private final Snapshots snapshots;
    private final @Nullable BlockImage backing;

    private final Lock shared;
    private final Lock exclusive;
    private final Flushes flushes;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Guarded by the exclusive lock: clusters that nothing will use once the tables as they are now are stable. */
    private LongList freed = new LongList();

    private boolean freedCompressed;
    /** Guarded by the exclusive lock: where the next compressed cluster may go on, 0 for nowhere. */
    private long packPosition;

    private @Nullable MemorySegment scratch;

    private volatile long size;
    private volatile boolean prepared;
    private volatile boolean flushDue;
    private volatile @Nullable BlockException broken;

    private Qcow2Image(Storage storage, Qcow2Header header, @Nullable BlockImage backing) {
        this.storage = storage;
        this.header = header;
        this.backing = backing;
        this.size = header.size();
        this.state = new ImageState(storage, header.version(), header.clusterBits());
        this.snapshots = Snapshots.read(storage, header);
        this.refcounts = new Refcounts(state, header);
        this.map = new ClusterMap(state, refcounts, header);
        this.compressed = new CompressedClusters(state, header.compressionType());
        this.flushes = new Flushes(this::sync, failure -> broken == null);
        ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
        this.shared = lock.readLock();
        this.exclusive = lock.writeLock();
    }

    /**
     * Opens an image.
     *
     * @param storage the file; closed with the image, but not if this fails
     * @param header what {@link Qcow2Header#read} found in there
     * @param backing the backing file's contents if the header names one; closed with the image, but not if this fails
     * @throws BlockException when its tables make no sense, or it must not be written but should
     */
    public static Qcow2Image open(Storage storage, Qcow2Header header, @Nullable BlockImage backing) {
        if (storage.readOnly()) {
            return new Qcow2Image(storage, header, backing);
        }
        if (header.corrupt()) {
            throw new BlockException(
                    BlockException.Code.CORRUPT,
                    "%s is marked as damaged and can't be written".formatted(storage.path()),
                    "Run `kagami image check --repair` on it, or open it read-only.");
        }
        if (header.dirty()) {
            // A program with lazy refcounts didn't close it.
            Qcow2Check.repair(storage);
            return open(storage, Qcow2Header.read(storage), backing);
        }
        Qcow2Image image = new Qcow2Image(storage, header, backing);
        image.registerMetadata();
        return image;
    }

    /** Opens an image as its check needs it: whatever its feature bits say, and without contents of a backing file. */
    static Qcow2Image openForCheck(Storage storage, Qcow2Header header) {
        return new Qcow2Image(storage, header, null);
    }

    /** Writes what a check has corrected. */
    void syncForCheck() {
        flushNow();
    }

    private void registerMetadata() {
        register("header", 0, 1);
        register("L1 table", header.l1Offset(), (long) header.l1Size() * Long.BYTES);
        register("refcount table", header.refcountTableOffset(), (long) refcounts.tableLength() * Long.BYTES);
        if (!snapshots.list().isEmpty()) {
            register("snapshot table", header.snapshotsOffset(), snapshots.bytes());
        }
        for (Snapshots.Snapshot snapshot : snapshots.list()) {
            register("L1 table of a snapshot", snapshot.l1Offset(), (long) snapshot.l1Size() * Long.BYTES);
        }
        for (int i = 0; i < refcounts.tableLength(); i++) {
            if (refcounts.blockOffset(i) != 0) {
                register("refcount block", refcounts.blockOffset(i), 1);
            }
        }
        for (int i = 0; i < map.l1Size(); i++) {
            if (map.l2Offset(i) != 0) {
                register("L2 table", map.l2Offset(i), 1);
            }
        }
    }

    private void register(String name, long offset, long bytes) {
        if (bytes == 0) {
            return;
        }
        long last = offset + bytes - 1 >>> state.clusterBits;
        for (long cluster = offset >>> state.clusterBits; cluster <= last; cluster++) {
            if (!state.aligned(offset) || !state.metadata.add(cluster)) {
                throw BlockException.corrupt(
                        file(), "its %s at %s overlaps other tables".formatted(name, Long.toUnsignedString(offset)));
            }
        }
    }

    /** {@return what the header said when the image was opened} */
    public Qcow2Header header() {
        return header;
    }

    /** {@return the internal snapshots} */
    public Snapshots snapshots() {
        return snapshots;
    }

    /** {@return what shows where the image has nothing of its own, or null} */
    public @Nullable BlockImage backing() {
        return backing;
    }

    ImageState state() {
        return state;
    }

    Refcounts refcounts() {
        return refcounts;
    }

    ClusterMap map() {
        return map;
    }

    CompressedClusters compressed() {
        return compressed;
    }

    @Override
    public Path file() {
        return storage.path();
    }

    @Override
    public ImageFormat format() {
        return ImageFormat.QCOW2;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public boolean readOnly() {
        return storage.readOnly();
    }

    @Override
    public int clusterSize() {
        return state.clusterSize;
    }

    // ---------------------------------------------------------------- checks

    private void check(long offset, long length) {
        if (offset < 0 || length < 0 || length > size - offset) {
            throw BlockException.outOfRange(file(), offset, length, size);
        }
        if (closed.get()) {
            throw new BlockException(
                    BlockException.Code.CLOSED,
                    "%s was closed".formatted(file()),
                    "Don't use an image after closing it; this is a bug in the program.");
        }
    }

    private void checkWrite(long offset, long length) {
        check(offset, length);
        if (storage.readOnly()) {
            throw BlockException.readOnly(file());
        }
        checkSound();
        if (!prepared) {
            prepare();
        }
    }

    private void checkSound() {
        BlockException reason = broken;
        if (reason != null) {
            throw new BlockException(reason.code(), reason.getMessage() + " (earlier)", reason.hint(), reason);
        }
    }

    /** Clears the bits that say that extensions, which aren't kept up to date here, match the contents. */
    private void prepare() {
        exclusive.lock();
        try {
            if (!prepared && header.autoclear() != 0) {
                storage.write(ByteBuffer.allocate(Long.BYTES), Qcow2Format.OFFSET_AUTOCLEAR);
                storage.force();
            }
            prepared = true;
        } finally {
            exclusive.unlock();
        }
    }

    /** Refuses to write any more, and says so in the file where the format can. */
    private BlockException corrupt(String what) {
        BlockException reason = BlockException.corrupt(file(), what);
        if (!storage.readOnly() && broken == null) {
            broken = reason;
            if (header.version() > 2) {
                storage.write(
                        ByteBuffer.allocate(Long.BYTES)
                                .putLong(0, header.incompatible() | Qcow2Format.INCOMPATIBLE_CORRUPT),
                        Qcow2Format.OFFSET_INCOMPATIBLE);
            }
        }
        return reason;
    }

    // --------------------------------------------------------------- entries

    private static boolean isCompressed(long entry) {
        return (entry & Qcow2Format.COMPRESSED) != 0;
    }

    /** Only for entries that aren't compressed. */
    private static boolean isZero(long entry) {
        return (entry & Qcow2Format.ZERO) != 0;
    }

    private static boolean isUnallocated(long entry) {
        return (entry & (Qcow2Format.COMPRESSED | Qcow2Format.ZERO | Qcow2Format.OFFSET_MASK)) == 0;
    }

    /** Whether the cluster in the file is this entry's alone, whatever it reads as. */
    private static boolean ownsCluster(long entry) {
        return (entry & Qcow2Format.COPIED) != 0 && !isCompressed(entry) && (entry & Qcow2Format.OFFSET_MASK) != 0;
    }

    private static boolean isWritableInPlace(long entry) {
        return ownsCluster(entry) && !isZero(entry);
    }

    private long hostOffset(long entry) {
        long offset = entry & Qcow2Format.OFFSET_MASK;
        if (!state.aligned(offset) || offset == 0) {
            throw BlockException.corrupt(file(), "an L2 entry points to %s".formatted(Long.toUnsignedString(offset)));
        }
        return offset;
    }

    /** Returns how many entries from an index on, at most so many, are of the same kind and follow one another. */
    private int run(CachedTable table, int index, long entry, int limit) {
        int count = 1;
        if (isZero(entry)) {
            if (state.version < 3) {
                throw BlockException.corrupt(file(), "a zero cluster, which version 2 of the format doesn't have");
            }
            while (count < limit && !isCompressed(table.get(index + count)) && isZero(table.get(index + count))) {
                count++;
            }
        } else if (isUnallocated(entry)) {
            while (count < limit && isUnallocated(table.get(index + count))) {
                count++;
            }
        } else {
            long flags = Qcow2Format.COPIED | Qcow2Format.COMPRESSED | Qcow2Format.ZERO | Qcow2Format.OFFSET_MASK;
            long expected = (entry & flags) + state.clusterSize;
            while (count < limit && (table.get(index + count) & flags) == expected) {
                count++;
                expected += state.clusterSize;
            }
        }
        return count;
    }

    private int clustersUpTo(int index, int inCluster, long length) {
        long clusters = inCluster + length + state.clusterSize - 1 >>> state.clusterBits;
        return (int) Math.min(map.l2Entries() - index, clusters);
    }

    private int inCluster(long offset) {
        return (int) offset & state.clusterSize - 1;
    }

    // ----------------------------------------------------------------- reads

    @Override
    public void read(long offset, MemorySegment target) {
        long length = target.byteSize();
        check(offset, length);
        long done = 0;
        while (done < length) {
            long count;
            shared.lock();
            try {
                count = readMapped(offset + done, target, done, length - done);
            } finally {
                shared.unlock();
            }
            if (count == 0) {
                load(offset + done);
            }
            done += count;
        }
    }

    private void load(long offset) {
        exclusive.lock();
        try {
            map.load(map.l1Index(offset));
        } finally {
            exclusive.unlock();
        }
    }

    /** Reads what lies together; returns how many bytes, or 0 when the L2 table isn't in memory. Needs a lock. */
    private long readMapped(long offset, MemorySegment target, long at, long length) {
        int l1Index = map.l1Index(offset);
        if (map.l2Offset(l1Index) == 0) {
            long span = Math.min(length, tableEnd(l1Index) - offset);
            readBacking(offset, target.asSlice(at, span));
            return span;
        }
        CachedTable table = map.cached(l1Index);
        if (table == null) {
            return 0;
        }
        int index = map.l2Index(offset);
        int inCluster = inCluster(offset);
        long entry = table.get(index);
        if (isCompressed(entry)) {
            long bytes = Math.min(length, state.clusterSize - inCluster);
            MemorySegment.copy(MemorySegment.ofArray(compressed.read(entry)), inCluster, target, at, bytes);
            return bytes;
        }
        int count = run(table, index, entry, clustersUpTo(index, inCluster, length));
        long bytes = Math.min(length, ((long) count << state.clusterBits) - inCluster);
        MemorySegment piece = target.asSlice(at, bytes);
        if (isZero(entry)) {
            piece.fill((byte) 0);
        } else if (isUnallocated(entry)) {
            readBacking(offset, piece);
        } else {
            Pieces.read(storage, hostOffset(entry) + inCluster, piece);
        }
        return bytes;
    }

    private long tableEnd(int l1Index) {
        return (long) (l1Index + 1) << 2 * state.clusterBits - 3;
    }

    private void readBacking(long offset, MemorySegment target) {
        long length = target.byteSize();
        long available = backing == null ? 0 : Math.clamp(backing.size() - offset, 0, length);
        if (available > 0) {
            backing.read(offset, target.asSlice(0, available));
        }
        if (available < length) {
            target.asSlice(available).fill((byte) 0);
        }
    }

    // ---------------------------------------------------------------- writes

    @Override
    public void write(long offset, MemorySegment source) {
        long length = source.byteSize();
        checkWrite(offset, length);
        try {
            long done = 0;
            while (done < length) {
                long count;
                shared.lock();
                try {
                    count = overwrite(offset + done, source, done, length - done);
                } finally {
                    shared.unlock();
                }
                if (count == 0) {
                    exclusive.lock();
                    try {
                        count = allocateAndWrite(offset + done, source, done, length - done);
                        noteCrowd();
                    } finally {
                        exclusive.unlock();
                    }
                }
                done += count;
            }
        } finally {
            flushes.dirty();
        }
        relieve();
    }

    private void noteCrowd() {
        if (map.crowded() || freed.size() > MAX_FREED) {
            flushDue = true;
        }
    }

    /** Flushes when too much waits for it in memory. */
    private void relieve() {
        if (flushDue) {
            flushDue = false;
            flush();
        }
    }

    /** Writes to clusters that are this image's own; returns how many bytes, or 0 if there are none. Needs a lock. */
    private long overwrite(long offset, MemorySegment source, long at, long length) {
        int l1Index = map.l1Index(offset);
        CachedTable table = map.cached(l1Index);
        if (table == null || !map.owned(l1Index)) {
            return 0;
        }
        int index = map.l2Index(offset);
        long entry = table.get(index);
        if (!isWritableInPlace(entry)) {
            return 0;
        }
        int inCluster = inCluster(offset);
        int count = run(table, index, entry, clustersUpTo(index, inCluster, length));
        long host = hostOffset(entry);
        checkData(host, count);
        long bytes = Math.min(length, ((long) count << state.clusterBits) - inCluster);
        writeData(host + inCluster, source.asSlice(at, bytes));
        return bytes;
    }

    /** Refuses to write over tables, or far behind the end of the file, because an L2 entry says so. */
    private void checkData(long host, int count) {
        boolean sound = state.inFile(host, (long) count << state.clusterBits);
        for (int i = 0; i < count && sound; i++) {
            sound = !state.metadata.contains((host >>> state.clusterBits) + i);
        }
        if (!sound) {
            throw corrupt("an L2 entry points to %d, where no data can be".formatted(host));
        }
    }

    private void writeData(long position, MemorySegment source) {
        // First, because a write that fails may have written a part.
        state.extendTo(position + source.byteSize());
        Pieces.write(storage, position, source);
    }

    /** Writes to clusters that have to be allocated first; returns how many bytes. Needs the exclusive lock. */
    private long allocateAndWrite(long offset, MemorySegment source, long at, long length) {
        CachedTable table = map.writable(map.l1Index(offset), freed);
        int index = map.l2Index(offset);
        int inCluster = inCluster(offset);
        long entry = table.get(index);
        if (isWritableInPlace(entry)) {
            return overwrite(offset, source, at, length);
        }
        if (ownsCluster(entry)) {
            // Reads as zeros, but has a place; what is there is old.
            long host = hostOffset(entry);
            checkData(host, 1);
            long bytes = Math.min(length, state.clusterSize - inCluster);
            writePart(host, offset, entry, source.asSlice(at, bytes));
            table.set(index, host | Qcow2Format.COPIED);
            return bytes;
        }
        int limit = clustersUpTo(index, inCluster, length);
        int wanted = 1;
        while (wanted < limit && !ownsCluster(table.get(index + wanted))) {
            wanted++;
        }
        long first = refcounts.allocate(wanted);
        int count = refcounts.allocated();
        long bytes = Math.min(length, ((long) count << state.clusterBits) - inCluster);
        boolean written = false;
        try {
            writeNew(first << state.clusterBits, table, index, offset, source.asSlice(at, bytes));
            written = true;
        } finally {
            if (!written) {
                refcounts.unallocate(first, count);
            }
        }
        for (int i = 0; i < count; i++) {
            free(table.get(index + i));
            table.set(index + i, first + i << state.clusterBits | Qcow2Format.COPIED);
        }
        return bytes;
    }

    /** Writes to new clusters, with what their unwritten ends held before. */
    private void writeNew(long host, CachedTable table, int index, long offset, MemorySegment source) {
        long length = source.byteSize();
        int inCluster = inCluster(offset);
        long done = 0;
        if (inCluster != 0 || length < state.clusterSize) {
            done = Math.min(length, state.clusterSize - inCluster);
            writePart(host, offset, table.get(index), source.asSlice(0, done));
        }
        long whole = length - done & -state.clusterSize;
        if (whole > 0) {
            writeData(host + inCluster + done, source.asSlice(done, whole));
            done += whole;
        }
        if (done < length) {
            long last = inCluster + done;
            long entry = table.get(index + (int) (last >>> state.clusterBits));
            writePart(host + last, offset + done, entry, source.asSlice(done));
        }
    }

    /**
     * Writes a part of a cluster, and around it what the cluster held before.
     *
     * @param host where the cluster is in the file now
     * @param offset first byte of the part on the disk
     * @param old the cluster's entry until now
     * @param source the part
     */
    private void writePart(long host, long offset, long old, MemorySegment source) {
        int inCluster = inCluster(offset);
        if (source.byteSize() == state.clusterSize) {
            writeData(host, source);
            return;
        }
        long clusterStart = offset - inCluster;
        boolean zeros = readsAsZeros(old, clusterStart);
        if (zeros && host >= state.end()) {
            // Nothing was ever written there.
            writeData(host + inCluster, source);
            return;
        }
        if (scratch == null) {
            scratch = Arena.ofAuto().allocate(state.clusterSize, Long.BYTES);
        }
        MemorySegment cluster = scratch;
        long known = zeros ? 0 : Math.min(state.clusterSize, size - clusterStart);
        long read = 0;
        while (read < known) {
            read += readMapped(clusterStart + read, cluster, read, known - read);
        }
        cluster.asSlice(known).fill((byte) 0);
        MemorySegment.copy(source, 0, cluster, inCluster, source.byteSize());
        writeData(host, cluster);
    }

    /** Whether a cluster is known to read as zeros. */
    private boolean readsAsZeros(long entry, long clusterStart) {
        if (isCompressed(entry)) {
            return false;
        }
        if (isZero(entry)) {
            return true;
        }
        return isUnallocated(entry)
                && (backing == null
                        || clusterStart >= backing.size()
                        || -backing.extent(clusterStart) >= Math.min(state.clusterSize, backing.size() - clusterStart));
    }

    /** Frees what an entry referred to, as soon as the disk agrees. Needs the exclusive lock. */
    private void free(long entry) {
        if (isCompressed(entry)) {
            long offset = compressed.offset(entry);
            long last = offset + compressed.length(entry) - 1 >>> state.clusterBits;
            for (long cluster = offset >>> state.clusterBits; cluster <= last; cluster++) {
                freed.add(cluster);
            }
            freedCompressed = true;
        } else if ((entry & Qcow2Format.OFFSET_MASK) != 0) {
            freed.add((entry & Qcow2Format.OFFSET_MASK) >>> state.clusterBits);
        }
    }

    // ---------------------------------------------------- zeros and discards

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) {
        checkWrite(offset, length);
        long end = offset + length;
        long from = Math.min(end, offset + state.clusterSize - 1 & -state.clusterSize);
        // What lies behind the end of the disk is nobody's.
        long to = end == size ? end : Math.max(from, end & -state.clusterSize);
        try {
            writeZeroData(offset, from);
            while (from < to) {
                long spanEnd = Math.min(to, tableEnd(map.l1Index(from)));
                boolean done;
                exclusive.lock();
                try {
                    done = zeroClusters(from, spanEnd, unmap);
                    noteCrowd();
                } finally {
                    exclusive.unlock();
                }
                if (!done) {
                    writeZeroData(from, spanEnd);
                }
                from = spanEnd;
                flushes.dirty();
                relieve();
            }
            writeZeroData(to, end);
        } finally {
            flushes.dirty();
        }
        relieve();
    }

    /** Writes zeros where there may be anything else. */
    private void writeZeroData(long from, long to) {
        long at = from;
        while (at < to) {
            long known = extent(at);
            long pieceEnd = Math.min(to, at + Math.abs(known));
            while (known > 0 && at < pieceEnd) {
                long bytes = Math.min(pieceEnd - at, Zeros.SIZE);
                write(at, Zeros.SEGMENT.asSlice(0, bytes));
                at += bytes;
            }
            at = pieceEnd;
        }
    }

    /** Zeroes clusters of one L2 table by their entries; returns false when zeros must be written. */
    private boolean zeroClusters(long from, long to, boolean unmap) {
        int l1Index = map.l1Index(from);
        if (backing == null && map.l2Offset(l1Index) == 0) {
            return true;
        }
        if (state.version < 3 && (backing != null || !unmap)) {
            return false;
        }
        CachedTable table = map.writable(l1Index, freed);
        for (long at = from; at < to; at += state.clusterSize) {
            int index = map.l2Index(at);
            long entry = table.get(index);
            long zeroed;
            if (!unmap && ownsCluster(entry)) {
                zeroed = entry | Qcow2Format.ZERO;
            } else if (backing == null && (unmap || isUnallocated(entry))) {
                zeroed = 0;
            } else {
                zeroed = Qcow2Format.ZERO;
            }
            replace(table, index, zeroed);
        }
        return true;
    }

    private void replace(CachedTable table, int index, long entry) {
        long old = table.get(index);
        if (old != entry) {
            if ((entry & Qcow2Format.OFFSET_MASK) == 0) {
                free(old);
            }
            table.set(index, entry);
        }
    }

    @Override
    public void discard(long offset, long length) {
        checkWrite(offset, length);
        if (state.version < 3 && backing != null) {
            // Without zero clusters the old contents of the backing file would show again.
            return;
        }
        long end = offset + length;
        long from = offset + state.clusterSize - 1 & -state.clusterSize;
        long to = end == size ? end : end & -state.clusterSize;
        try {
            while (from < to) {
                long spanEnd = Math.min(to, tableEnd(map.l1Index(from)));
                exclusive.lock();
                try {
                    discardClusters(from, spanEnd);
                    noteCrowd();
                } finally {
                    exclusive.unlock();
                    flushes.dirty();
                }
                from = spanEnd;
                relieve();
            }
        } finally {
            flushes.dirty();
        }
    }

    private void discardClusters(long from, long to) {
        int l1Index = map.l1Index(from);
        if (map.l2Offset(l1Index) == 0) {
            return;
        }
        CachedTable table = map.load(l1Index);
        boolean own = false;
        for (long at = from; at < to; at += state.clusterSize) {
            int index = map.l2Index(at);
            long entry = table.get(index);
            if (isUnallocated(entry) || !isCompressed(entry) && (entry & Qcow2Format.OFFSET_MASK) == 0) {
                continue;
            }
            if (!own) {
                table = map.writable(l1Index, freed);
                own = true;
            }
            replace(table, index, backing == null || state.version < 3 ? 0 : Qcow2Format.ZERO);
        }
    }

    // --------------------------------------------------------------- flushes

    @Override
    public void flush() {
        if (!storage.readOnly()) {
            checkSound();
            flushes.flush();
        }
    }

    /** Makes everything stable, in the order that the package describes. Never runs twice at the same time. */
    private void sync() {
        Patches counts = new Patches();
        Patches pointers = new Patches();
        Patches mapping = new Patches();
        LongList released = new LongList();
        boolean releasedCompressed = false;
        boolean written = false;
        try {
            exclusive.lock();
            try {
                released.addAll(freed);
                released.addAll(refcounts.retired());
                freed.clear();
                refcounts.retired().clear();
                releasedCompressed = freedCompressed;
                freedCompressed = false;
                refcounts.seal(counts, pointers);
                map.seal(mapping);
            } finally {
                exclusive.unlock();
            }
            write(counts);
            force();
            if (!pointers.isEmpty()) {
                write(pointers);
                force();
            }
            if (!mapping.isEmpty()) {
                write(mapping);
                force();
            }
            written = true;
        } catch (BlockException e) {
            if (e.code() != BlockException.Code.NO_SPACE && broken == null) {
                broken = e;
            }
            throw e;
        } finally {
            exclusive.lock();
            try {
                refcounts.unseal();
                map.unseal();
                if (written) {
                    release(released, releasedCompressed);
                } else {
                    counts.undo();
                    pointers.undo();
                    mapping.undo();
                    freed.addAll(released);
                    freedCompressed |= releasedCompressed;
                }
            } finally {
                exclusive.unlock();
            }
        }
    }

    private void release(LongList released, boolean releasedCompressed) {
        released.forEach(refcounts::release);
        if (releasedCompressed) {
            compressed.forget();
        }
        if (!released.isEmpty()) {
            packPosition = 0;
        }
    }

    private void write(Patches patches) {
        state.extendTo(patches.end());
        patches.write(storage);
    }

    private void force() {
        try {
            storage.force();
        } catch (BlockException e) {
            // What of it reached the disk, nobody can tell.
            broken = e;
            throw e;
        }
    }

    // ---------------------------------------------------------------- resize

    @Override
    public void resize(long wantedSize) {
        checkWrite(0, 0);
        // Other programs cut the rest off.
        long newSize =
                wantedSize > Long.MAX_VALUE - SECTOR_SIZE ? wantedSize : wantedSize + SECTOR_SIZE - 1 & -SECTOR_SIZE;
        if (newSize < size) {
            throw new BlockException(
                    BlockException.Code.OUT_OF_RANGE,
                    "%s has %d bytes and can't be shrunk to %d".formatted(file(), size, newSize),
                    "Shrink the file system inside, and copy the part in use to a new, smaller image.");
        }
        long entries = Qcow2Header.l1EntriesFor(newSize, state.clusterBits);
        if (entries > Qcow2Format.MAX_L1_BYTES / Long.BYTES) {
            throw new BlockException(
                    BlockException.Code.OUT_OF_RANGE,
                    "%d bytes are too many for clusters of %d bytes in %s"
                            .formatted(newSize, state.clusterSize, file()),
                    "Convert it to an image with larger clusters.");
        }
        // A flush takes the locks in this order too.
        flushes.exclude(() -> {
            exclusive.lock();
            try {
                if (newSize > size) {
                    grow((int) entries, newSize);
                }
            } finally {
                exclusive.unlock();
            }
        });
    }

    /** Changes the size, with the locks held: this is rare, and every step must be stable before the next. */
    private void grow(int entries, long newSize) {
        long oldSize = size;
        try {
            // Behind the disk there may be what a crash, or another program with a machine's state to save, left there.
            long left = oldSize + state.clusterSize - 1 & -state.clusterSize;
            long mapped = (long) map.l1Size() << 2 * state.clusterBits - 3;
            while (left < mapped) {
                long spanEnd = tableEnd(map.l1Index(left));
                discardClusters(left, spanEnd);
                left = spanEnd;
            }
            flushNow();
            if (entries > map.l1Size()) {
                growL1(entries);
            }
            size = newSize;
            // Neither the rest of the last cluster nor a larger backing file may show.
            long zeroEnd = oldSize + state.clusterSize - 1 & -state.clusterSize;
            if (backing != null) {
                zeroEnd = Math.max(zeroEnd, backing.size());
            }
            zeroEnd = Math.min(zeroEnd, newSize);
            writeZeroes(oldSize, zeroEnd - oldSize, false);
            flushNow();
            writeHeader(newSize);
        } catch (BlockException e) {
            size = oldSize;
            if (broken == null) {
                // What is in memory may be ahead of the file now.
                broken = e;
            }
            throw e;
        }
    }

    private void flushNow() {
        flushes.dirty();
        flushes.flush();
    }

    private void growL1(int entries) {
        int clusters = clustersFor((long) entries * Long.BYTES);
        long first = refcounts.allocateAtEnd(clusters);
        int oldClusters = clustersFor((long) map.l1Size() * Long.BYTES);
        long oldOffset = map.moveL1(first << state.clusterBits, entries);
        for (int i = 0; i < clusters; i++) {
            state.metadata.add(first + i);
        }
        flushNow();
        writeHeader(size);
        for (int i = 0; i < oldClusters; i++) {
            freed.add((oldOffset >>> state.clusterBits) + i);
        }
    }

    private int clustersFor(long bytes) {
        return (int) (bytes + state.clusterSize - 1 >>> state.clusterBits);
    }

    private void writeHeader(long diskSize) {
        // One sector holds size, L1 size and L1 offset, so all change or none.
        ByteBuffer fields = ByteBuffer.allocate(Qcow2Format.OFFSET_REFCOUNT_TABLE - Qcow2Format.OFFSET_SIZE);
        fields.putLong(0, diskSize);
        fields.putInt(Qcow2Format.OFFSET_L1_SIZE - Qcow2Format.OFFSET_SIZE, map.l1Size());
        fields.putLong(Qcow2Format.OFFSET_L1_SIZE - Qcow2Format.OFFSET_SIZE + Integer.BYTES, map.l1Offset());
        storage.write(fields, Qcow2Format.OFFSET_SIZE);
        force();
    }

    // ------------------------------------------------------------ compressed

    /**
     * Writes a cluster that was packed with the image's compression type.
     *
     * @param offset first byte of the cluster on the disk
     * @param packed the packed contents of the whole cluster, with zeros behind the end of the disk; shorter than a cluster
     */
    public void writeCompressed(long offset, ByteBuffer packed) {
        checkWrite(offset, Math.min(state.clusterSize, size - offset));
        int length = packed.remaining();
        if (!state.aligned(offset) || length < 1 || length >= state.clusterSize) {
            throw new IllegalArgumentException("%d bytes packed for offset %d".formatted(length, offset));
        }
        exclusive.lock();
        try {
            CachedTable table = map.writable(map.l1Index(offset), freed);
            int index = map.l2Index(offset);
            long position = allocatePacked(length);
            storage.write(packed, position);
            state.extendTo(position + length);
            free(table.get(index));
            table.set(index, compressed.entry(position, length));
            noteCrowd();
        } finally {
            exclusive.unlock();
            flushes.dirty();
        }
        relieve();
    }

    /** Finds room for less than a cluster: behind what was packed last if possible. */
    private long allocatePacked(int length) {
        int used = inCluster(packPosition);
        if (used != 0) {
            long cluster = packPosition >>> state.clusterBits;
            long references = refcounts.get(cluster);
            if (references < refcounts.maximum()) {
                if (length <= state.clusterSize - used) {
                    refcounts.set(cluster, references + 1);
                    return packAt(packPosition, length);
                }
                long next = refcounts.allocate(1);
                if (next == cluster + 1) {
                    refcounts.set(cluster, references + 1);
                    return packAt(packPosition, length);
                }
                return packAt(next << state.clusterBits, length);
            }
        }
        return packAt(refcounts.allocate(1) << state.clusterBits, length);
    }

    private long packAt(long position, int length) {
        packPosition = position + length;
        return position;
    }

    // --------------------------------------------------------------- extents

    @Override
    public long extent(long offset) {
        check(offset, 1);
        while (true) {
            long known;
            shared.lock();
            try {
                known = extentMapped(offset);
            } finally {
                shared.unlock();
            }
            if (known != 0) {
                return known;
            }
            load(offset);
        }
    }

    private long extentMapped(long offset) {
        int l1Index = map.l1Index(offset);
        if (map.l2Offset(l1Index) == 0) {
            int end = l1Index + 1;
            while (end < map.l1Size() && tableEnd(end - 1) < size && map.l2Offset(end) == 0) {
                end++;
            }
            return backingExtent(offset, Math.min(size, tableEnd(end - 1)) - offset);
        }
        CachedTable table = map.cached(l1Index);
        if (table == null) {
            return 0;
        }
        int index = map.l2Index(offset);
        long entry = table.get(index);
        int inCluster = inCluster(offset);
        if (isCompressed(entry)) {
            return Math.min(size - offset, state.clusterSize - inCluster);
        }
        int count = run(table, index, entry, map.l2Entries() - index);
        long span = Math.min(size - offset, ((long) count << state.clusterBits) - inCluster);
        if (isUnallocated(entry)) {
            return backingExtent(offset, span);
        }
        return isZero(entry) ? -span : span;
    }

    /**
     * Tells what this file has itself, whatever it is based on.
     *
     * @param offset a byte on the disk
     * @return n &gt; 0 when the n bytes from there are in this file, or zeros by its say; -n &lt; 0 when n bytes from there are
     *     those of its backing file; never 0, and never past the end
     */
    public long ownExtent(long offset) {
        check(offset, 1);
        while (true) {
            shared.lock();
            try {
                int l1Index = map.l1Index(offset);
                if (map.l2Offset(l1Index) == 0) {
                    return offset - Math.min(size, tableEnd(l1Index));
                }
                CachedTable table = map.cached(l1Index);
                if (table != null) {
                    long span = Math.min(size - offset, state.clusterSize - inCluster(offset));
                    return isUnallocated(table.get(map.l2Index(offset))) ? -span : span;
                }
            } finally {
                shared.unlock();
            }
            load(offset);
        }
    }

    private long backingExtent(long offset, long span) {
        if (backing == null || offset >= backing.size()) {
            return -span;
        }
        long known = backing.extent(offset);
        return known > 0 ? Math.min(known, span) : -Math.min(-known, span);
    }

    // ----------------------------------------------------------------- close

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        try {
            if (!storage.readOnly() && broken == null) {
                flushes.flush();
                // What was freed by that flush has to be written too.
                for (int i = 0; i < 2 && isDirty(); i++) {
                    flushes.dirty();
                    flushes.flush();
                }
            }
        } finally {
            storage.close();
            if (backing != null) {
                backing.close();
            }
        }
    }

    private boolean isDirty() {
        exclusive.lock();
        try {
            return refcounts.isDirty() || map.isDirty() || !freed.isEmpty();
        } finally {
            exclusive.unlock();
        }
    }
}
