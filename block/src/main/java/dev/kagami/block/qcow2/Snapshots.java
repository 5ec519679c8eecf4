package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The table of internal snapshots, which are kept as they are. */
public final class Snapshots {
    private static final int FIXED_BYTES = 40;
    private static final int EXTRA_DISK_SIZE = 16;
    /** Most bytes of a table that are looked at. */
    private static final long MAX_TABLE_BYTES = 64L << 20;
    /** Most entries in the L1 tables of all snapshots. */
    private static final long MAX_L1_ENTRIES = 16L << 20;

    /**
     * A snapshot.
     *
     * @param id unique among the image's snapshots
     * @param name given by the user
     * @param l1Offset where its L1 table is
     * @param l1Size entries in there
     * @param seconds when it was made, since 1970
     * @param vmStateSize bytes of the machine's state
     * @param diskSize bytes of the disk; 0 when not told
     */
    public record Snapshot(
            String id, String name, long l1Offset, int l1Size, long seconds, long vmStateSize, long diskSize) {}

    private final List<Snapshot> list;
    private final long bytes;

    private Snapshots(List<Snapshot> list, long bytes) {
        this.list = List.copyOf(list);
        this.bytes = bytes;
    }

    /** {@return the snapshots in the order of the file} */
    public List<Snapshot> list() {
        return list;
    }

    /** {@return the size of the table in bytes} */
    long bytes() {
        return bytes;
    }

    /**
     * Reads the table.
     *
     * @throws BlockException {@code INVALID_IMAGE} when it makes no sense
     */
    public static Snapshots read(Storage storage, Qcow2Header header) {
        List<Snapshot> list = new ArrayList<>();
        long start = header.snapshotsOffset();
        long end = storage.length() + header.clusterSize() & -header.clusterSize();
        long at = start;
        long l1Entries = 0;
        for (int i = 0; i < header.snapshotCount(); i++) {
            ByteBuffer fixed = ByteBuffer.allocate(FIXED_BYTES);
            storage.read(fixed, at);
            int idLength = fixed.getShort(12) & 0xFFFF;
            int nameLength = fixed.getShort(14) & 0xFFFF;
            long extraLength = Integer.toUnsignedLong(fixed.getInt(36));
            long next = at + FIXED_BYTES + extraLength + idLength + nameLength + 7 & ~7L;
            if (next > end || next - start > MAX_TABLE_BYTES) {
                throw BlockException.invalid(storage.path(), "its snapshot table is too long");
            }
            ByteBuffer extra = ByteBuffer.allocate((int) Math.min(extraLength, EXTRA_DISK_SIZE));
            storage.read(extra, at + FIXED_BYTES);
            ByteBuffer names = ByteBuffer.allocate(idLength + nameLength);
            storage.read(names, at + FIXED_BYTES + extraLength);
            long l1Offset = fixed.getLong(0);
            int l1Size = fixed.getInt(8);
            if (l1Size < 0
                    || l1Size > Qcow2Format.MAX_L1_BYTES / Long.BYTES
                    || (l1Offset & header.clusterSize() - 1) != 0
                    || l1Size > 0 && (l1Offset < header.clusterSize() || l1Offset > end - (long) l1Size * Long.BYTES)) {
                throw BlockException.invalid(
                        storage.path(),
                        "snapshot %d has an L1 table of %d entries at %s"
                                .formatted(i + 1, Integer.toUnsignedLong(l1Size), Long.toUnsignedString(l1Offset)));
            }
            l1Entries += l1Size;
            if (l1Entries > MAX_L1_ENTRIES) {
                throw new BlockException(
                        BlockException.Code.UNSUPPORTED,
                        "%s has more, or larger, snapshots than are supported".formatted(storage.path()),
                        "Delete some of them: qemu-img snapshot -d NAME FILE.");
            }
            list.add(new Snapshot(
                    new String(names.array(), 0, idLength, StandardCharsets.UTF_8),
                    new String(names.array(), idLength, nameLength, StandardCharsets.UTF_8),
                    l1Offset,
                    l1Size,
                    Integer.toUnsignedLong(fixed.getInt(16)),
                    extraLength >= 8 ? extra.getLong(0) : Integer.toUnsignedLong(fixed.getInt(32)),
                    extraLength >= EXTRA_DISK_SIZE ? extra.getLong(8) : 0));
            at = next;
        }
        return new Snapshots(list, at - start);
    }
}
