package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * What a new image is to be like.
 *
 * @param size bytes of the disk
 * @param version 2 or 3
 * @param clusterBits log2 of the cluster size, 9 to 21
 * @param refcountOrder log2 of the bits of a refcount, 0 to 6; 4 in version 2
 * @param compressionType for compressed clusters, zlib in version 2
 * @param backingFile name of the backing file, relative to the new image, or null
 * @param backingFormat its format, or null
 */
public record Qcow2Creator(
        long size,
        int version,
        int clusterBits,
        int refcountOrder,
        int compressionType,
        @Nullable String backingFile,
        @Nullable String backingFormat) {
    private static final int EXTENSION_HEADER = 8;

    /** Checks the parameters. */
    public Qcow2Creator {
        if (version != 2 && version != 3) {
            throw new IllegalArgumentException("version %d: must be 2 or 3".formatted(version));
        }
        if (clusterBits < Qcow2Format.MIN_CLUSTER_BITS || clusterBits > Qcow2Format.MAX_CLUSTER_BITS) {
            throw new IllegalArgumentException("cluster size 2^%d: must be 512 to 2 MiB".formatted(clusterBits));
        }
        if (refcountOrder < 0
                || refcountOrder > Qcow2Format.MAX_REFCOUNT_ORDER
                || version == 2 && refcountOrder != Qcow2Format.VERSION_2_REFCOUNT_ORDER) {
            throw new IllegalArgumentException("refcounts of 2^%d bits".formatted(refcountOrder));
        }
        if (compressionType < Qcow2Format.COMPRESSION_ZLIB
                || compressionType > Qcow2Format.COMPRESSION_ZSTD
                || version == 2 && compressionType != Qcow2Format.COMPRESSION_ZLIB) {
            throw new IllegalArgumentException("compression type %d".formatted(compressionType));
        }
        if (size < 0 || Qcow2Header.l1EntriesFor(size, clusterBits) > Qcow2Format.MAX_L1_BYTES / Long.BYTES) {
            throw new IllegalArgumentException("size %d".formatted(size));
        }
    }

    /** {@return the most bytes that a disk can have} */
    public static long maximumSize(int clusterBits) {
        return (long) Qcow2Format.MAX_L1_BYTES / Long.BYTES << 2 * clusterBits - 3;
    }

    /**
     * Writes an image that holds nothing to an empty file, and makes it stable.
     *
     * @throws BlockException when the backing file's name is too long, or the file can't be written
     */
    public void create(Storage storage) {
        int clusterSize = 1 << clusterBits;
        int blockBits = clusterBits + 3 - refcountOrder;
        int l1Entries = Math.max(1, (int) Qcow2Header.l1EntriesFor(size, clusterBits));
        int l1Clusters = (int) ((long) l1Entries * Long.BYTES + clusterSize - 1 >>> clusterBits);
        // Header, refcount table, refcount blocks and L1 table count for themselves.
        int blocks = 1;
        int tableClusters = 1;
        while (true) {
            int used = 1 + tableClusters + blocks + l1Clusters;
            int wantedBlocks = (used - 1 >> blockBits) + 1;
            int wantedTable = wantedBlocks * Long.BYTES - 1 >> clusterBits;
            if (wantedBlocks == blocks && wantedTable + 1 == tableClusters) {
                break;
            }
            blocks = Math.max(blocks, wantedBlocks);
            tableClusters = wantedTable + 1;
        }
        long tableOffset = clusterSize;
        long blocksOffset = tableOffset + ((long) tableClusters << clusterBits);
        long l1Offset = blocksOffset + ((long) blocks << clusterBits);
        storage.setLength(l1Offset + ((long) l1Clusters << clusterBits));
        ByteBuffer table = ByteBuffer.allocate(blocks * Long.BYTES);
        for (int i = 0; i < blocks; i++) {
            table.putLong(i * Long.BYTES, blocksOffset + ((long) i << clusterBits));
        }
        storage.write(table, tableOffset);
        writeCounts(storage, blocksOffset, 1 + tableClusters + blocks + l1Clusters);
        storage.force();
        storage.write(header(l1Entries, l1Offset, tableOffset, tableClusters, storage), 0);
        storage.force();
    }

    /** Counts the first clusters of the file as used. */
    private void writeCounts(Storage storage, long offset, int used) {
        ByteBuffer counts = ByteBuffer.allocate((int) (((long) used << refcountOrder) + 7 >> 3));
        for (int i = 0; i < used; i++) {
            if (refcountOrder < 3) {
                int bit = i << refcountOrder;
                counts.put(bit >> 3, (byte) (counts.get(bit >> 3) | 1 << (bit & 7)));
            } else {
                counts.put((i + 1 << refcountOrder - 3) - 1, (byte) 1);
            }
        }
        storage.write(counts, offset);
    }

    private ByteBuffer header(int l1Entries, long l1Offset, long tableOffset, int tableClusters, Storage storage) {
        byte[] name = backingFile == null ? new byte[0] : backingFile.getBytes(StandardCharsets.UTF_8);
        byte[] format = backingFormat == null ? new byte[0] : backingFormat.getBytes(StandardCharsets.UTF_8);
        int headerLength = version == 2 ? Qcow2Format.VERSION_2_HEADER : Qcow2Format.FULL_HEADER;
        int formatBytes = format.length == 0 ? 0 : EXTENSION_HEADER + (format.length + 7 & ~7);
        int nameOffset = headerLength + formatBytes + EXTENSION_HEADER;
        if (name.length > Qcow2Format.MAX_BACKING_NAME || nameOffset + name.length > 1 << clusterBits) {
            throw new BlockException(
                    BlockException.Code.BACKING_FILE,
                    "The name of the backing file, %s, is too long for the header of %s"
                            .formatted(backingFile, storage.path()),
                    "Use a shorter path, or larger clusters.");
        }
        ByteBuffer header = ByteBuffer.allocate(1 << clusterBits);
        header.putInt(0, Qcow2Format.MAGIC).putInt(4, version);
        if (name.length > 0) {
            header.putLong(8, nameOffset).putInt(16, name.length).put(nameOffset, name);
        }
        header.putInt(20, clusterBits)
                .putLong(Qcow2Format.OFFSET_SIZE, size)
                .putInt(Qcow2Format.OFFSET_L1_SIZE, l1Entries)
                .putLong(40, l1Offset)
                .putLong(Qcow2Format.OFFSET_REFCOUNT_TABLE, tableOffset)
                .putInt(56, tableClusters);
        if (version > 2) {
            boolean zlib = compressionType == Qcow2Format.COMPRESSION_ZLIB;
            header.putLong(Qcow2Format.OFFSET_INCOMPATIBLE, zlib ? 0 : Qcow2Format.INCOMPATIBLE_COMPRESSION)
                    .putInt(96, refcountOrder)
                    .putInt(100, headerLength)
                    .put(Qcow2Format.VERSION_3_HEADER, (byte) compressionType);
        }
        if (format.length > 0) {
            header.putInt(headerLength, Qcow2Format.EXTENSION_BACKING_FORMAT)
                    .putInt(headerLength + 4, format.length)
                    .put(headerLength + EXTENSION_HEADER, format);
        }
        return header;
    }
}
