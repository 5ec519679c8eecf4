package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A header, as it is in the file and found to make sense.
 *
 * @param version 2 or 3
 * @param backingFile name of the backing file, or null
 * @param backingFormat its format, or null when the header doesn't say
 * @param clusterBits log2 of the cluster size
 * @param size bytes of the disk
 * @param l1Size entries in the L1 table
 * @param l1Offset where it is
 * @param refcountTableOffset where the refcount table is
 * @param refcountTableClusters how long it is
 * @param snapshotCount internal snapshots
 * @param snapshotsOffset where their table is
 * @param incompatible feature bits
 * @param compatible feature bits
 * @param autoclear feature bits
 * @param refcountOrder log2 of the bits of a refcount
 * @param compressionType of compressed clusters
 * @param bitmaps where the directory of persistent bitmaps is, or null
 */
public record Qcow2Header(
        int version,
        @Nullable String backingFile,
        @Nullable String backingFormat,
        int clusterBits,
        long size,
        int l1Size,
        long l1Offset,
        long refcountTableOffset,
        int refcountTableClusters,
        int snapshotCount,
        long snapshotsOffset,
        long incompatible,
        long compatible,
        long autoclear,
        int refcountOrder,
        int compressionType,
        @Nullable Bitmaps bitmaps) {

    private static final long KNOWN_INCOMPATIBLE = Qcow2Format.INCOMPATIBLE_DIRTY
            | Qcow2Format.INCOMPATIBLE_CORRUPT
            | Qcow2Format.INCOMPATIBLE_DATA_FILE
            | Qcow2Format.INCOMPATIBLE_COMPRESSION
            | Qcow2Format.INCOMPATIBLE_EXTENDED_L2;
    private static final int FEATURE_NAME_BYTES = 48;
    private static final int FEATURE_NAME_START = 2;
    private static final int BITMAPS_BYTES = 24;

    /**
     * The directory of persistent bitmaps.
     *
     * @param offset where it is
     * @param bytes how long it is
     */
    record Bitmaps(long offset, long bytes) {}

    /** {@return the bytes of a cluster} */
    public int clusterSize() {
        return 1 << clusterBits;
    }

    /** {@return the bits of a refcount} */
    public int refcountBits() {
        return 1 << refcountOrder;
    }

    /** {@return whether refcounts are unreliable} */
    public boolean dirty() {
        return (incompatible & Qcow2Format.INCOMPATIBLE_DIRTY) != 0;
    }

    /** {@return whether some program found the tables contradicting one another} */
    public boolean corrupt() {
        return (incompatible & Qcow2Format.INCOMPATIBLE_CORRUPT) != 0;
    }

    /** {@return whether refcounts may be updated late} */
    public boolean lazyRefcounts() {
        return (compatible & Qcow2Format.COMPATIBLE_LAZY_REFCOUNTS) != 0;
    }

    /** {@return whether a file starts with the format's magic number} */
    public static boolean matches(Storage storage) {
        ByteBuffer magic = ByteBuffer.allocate(Integer.BYTES);
        storage.read(magic, 0);
        return magic.getInt(0) == Qcow2Format.MAGIC;
    }

    /**
     * Reads and checks the header of a file.
     *
     * @param storage the file
     * @return the header
     * @throws BlockException {@code INVALID_IMAGE} or {@code UNSUPPORTED}
     */
    public static Qcow2Header read(Storage storage) {
        return new Parser(storage).parse();
    }

    /** {@return how many bytes the active L1 table must have entries for, given the size of the disk} */
    static long l1EntriesFor(long size, int clusterBits) {
        int bits = 2 * clusterBits - 3;
        return (size >>> bits) + ((size & (1L << bits) - 1) == 0 ? 0 : 1);
    }

    private static final class Parser {
        private final Path path;
        private final Storage storage;
        private ByteBuffer bytes;
        private int version;
        private int clusterBits;
        private int headerLength = Qcow2Format.VERSION_2_HEADER;
        private @Nullable String backingFormat;
        private @Nullable Bitmaps bitmaps;
        private final List<String> featureNames = new ArrayList<>();

        Parser(Storage storage) {
            this.storage = storage;
            this.path = storage.path();
            this.bytes = ByteBuffer.allocate(Qcow2Format.FULL_HEADER);
        }

        private BlockException invalid(String format, Object... arguments) {
            return BlockException.invalid(path, format.formatted(arguments));
        }

        private BlockException unsupported(String what) {
            return new BlockException(
                    BlockException.Code.UNSUPPORTED,
                    "%s uses %s, which is not supported".formatted(path, what),
                    "Convert it where it was made: qemu-img convert -O qcow2 OLD NEW.");
        }

        Qcow2Header parse() {
            long length = storage.length();
            storage.read(bytes, 0);
            if (length < Qcow2Format.VERSION_2_HEADER || bytes.getInt(0) != Qcow2Format.MAGIC) {
                throw invalid("it has no qcow2 header");
            }
            version = bytes.getInt(4);
            if (version != 2 && version != 3) {
                throw new BlockException(
                        BlockException.Code.UNSUPPORTED,
                        "%s has version %d of the qcow2 format; 2 and 3 are supported"
                                .formatted(path, Integer.toUnsignedLong(version)),
                        "Convert it where it was made: qemu-img convert -O qcow2 OLD NEW.");
            }
            clusterBits = bytes.getInt(20);
            if (clusterBits < Qcow2Format.MIN_CLUSTER_BITS || clusterBits > Qcow2Format.MAX_CLUSTER_BITS) {
                throw invalid("clusters of 2^%d bytes", Integer.toUnsignedLong(clusterBits));
            }
            if (bytes.getInt(32) != 0) {
                throw unsupported("encryption");
            }
            long incompatible = version == 2 ? 0 : bytes.getLong(Qcow2Format.OFFSET_INCOMPATIBLE);
            bytes = ByteBuffer.allocate(1 << clusterBits);
            storage.read(bytes, 0);
            if (version == 3) {
                headerLength = bytes.getInt(100);
                if (headerLength < Qcow2Format.VERSION_3_HEADER
                        || headerLength > 1 << clusterBits
                        || headerLength % 8 != 0) {
                    throw invalid("a header of %d bytes", Integer.toUnsignedLong(headerLength));
                }
            }
            String backingFile = backingFile();
            extensions();
            checkFeatures(incompatible);
            return checked(incompatible, backingFile, length);
        }

        private @Nullable String backingFile() {
            long offset = bytes.getLong(8);
            if (offset == 0) {
                return null;
            }
            int length = bytes.getInt(16);
            if (length < 1
                    || length > Qcow2Format.MAX_BACKING_NAME
                    || offset < 0
                    || offset > bytes.capacity() - length) {
                throw invalid(
                        "a backing file name of %d bytes at %s",
                        Integer.toUnsignedLong(length), Long.toUnsignedString(offset));
            }
            return new String(bytes.array(), (int) offset, length, StandardCharsets.UTF_8);
        }

        private void extensions() {
            long end = bytes.getLong(8) == 0 ? bytes.capacity() : bytes.getLong(8);
            long at = headerLength;
            while (at + 8 <= end) {
                int type = bytes.getInt((int) at);
                if (type == Qcow2Format.EXTENSION_END) {
                    return;
                }
                long length = Integer.toUnsignedLong(bytes.getInt((int) at + 4));
                if (length > end - at - 8) {
                    throw invalid("a header extension of %d bytes at %d", length, at);
                }
                int data = (int) at + 8;
                if (type == Qcow2Format.EXTENSION_BACKING_FORMAT) {
                    backingFormat = new String(bytes.array(), data, (int) length, StandardCharsets.UTF_8);
                } else if (type == Qcow2Format.EXTENSION_BITMAPS && length >= BITMAPS_BYTES) {
                    bitmaps = new Bitmaps(bytes.getLong(data + 16), bytes.getLong(data + 8));
                } else if (type == Qcow2Format.EXTENSION_FEATURE_NAMES) {
                    for (int i = 0; i + FEATURE_NAME_BYTES <= length; i += FEATURE_NAME_BYTES) {
                        featureName(data + i);
                    }
                }
                at += 8 + (length + 7 & ~7L);
            }
        }

        /** Keeps the names of incompatible features, each behind its bit number. */
        private void featureName(int at) {
            if (bytes.get(at) == 0) {
                String name = new String(
                        bytes.array(),
                        at + FEATURE_NAME_START,
                        FEATURE_NAME_BYTES - FEATURE_NAME_START,
                        StandardCharsets.ISO_8859_1);
                int end = name.indexOf('\0');
                featureNames.add(bytes.get(at + 1) + " " + (end < 0 ? name : name.substring(0, end)));
            }
        }

        private void checkFeatures(long incompatible) {
            long unknown = incompatible & ~KNOWN_INCOMPATIBLE;
            if (unknown != 0) {
                int bit = Long.numberOfTrailingZeros(unknown);
                String name = featureNames.stream()
                        .filter(each -> each.startsWith(bit + " "))
                        .map(each ->
                                " (" + each.substring(each.indexOf(' ') + 1).replaceAll("[^ -~]", "?") + ")")
                        .findFirst()
                        .orElse("");
                throw unsupported("incompatible feature %d%s".formatted(bit, name));
            }
            if ((incompatible & Qcow2Format.INCOMPATIBLE_DATA_FILE) != 0) {
                throw unsupported("an external data file");
            }
            if ((incompatible & Qcow2Format.INCOMPATIBLE_EXTENDED_L2) != 0) {
                throw unsupported("extended L2 entries");
            }
        }

        private Qcow2Header checked(long incompatible, @Nullable String backingFile, long length) {
            int clusterSize = 1 << clusterBits;
            long size = bytes.getLong(Qcow2Format.OFFSET_SIZE);
            int l1Size = bytes.getInt(Qcow2Format.OFFSET_L1_SIZE);
            long l1Offset = bytes.getLong(40);
            long refcountTableOffset = bytes.getLong(Qcow2Format.OFFSET_REFCOUNT_TABLE);
            int refcountTableClusters = bytes.getInt(56);
            int snapshotCount = bytes.getInt(60);
            long snapshotsOffset = bytes.getLong(64);
            if (size < 0 || l1EntriesFor(size, clusterBits) > Qcow2Format.MAX_L1_BYTES / Long.BYTES) {
                throw invalid("a disk of %s bytes with clusters of %d", Long.toUnsignedString(size), clusterSize);
            }
            if (l1Size < l1EntriesFor(size, clusterBits) || l1Size > Qcow2Format.MAX_L1_BYTES / Long.BYTES) {
                throw invalid("an L1 table of %d entries for a disk of %d bytes", Integer.toUnsignedLong(l1Size), size);
            }
            checkTable("L1 table", l1Offset, (long) l1Size * Long.BYTES, length);
            if (refcountTableClusters < 1
                    || refcountTableClusters > Math.max(1, Qcow2Format.MAX_REFCOUNT_TABLE_BYTES >> clusterBits)) {
                throw invalid("a refcount table of %d clusters", Integer.toUnsignedLong(refcountTableClusters));
            }
            checkTable("refcount table", refcountTableOffset, (long) refcountTableClusters << clusterBits, length);
            if (snapshotCount < 0 || snapshotCount > Qcow2Format.MAX_SNAPSHOTS) {
                throw invalid("%d snapshots", Integer.toUnsignedLong(snapshotCount));
            }
            if (snapshotCount > 0) {
                checkTable("snapshot table", snapshotsOffset, 1, length);
            }
            int refcountOrder = version == 2 ? Qcow2Format.VERSION_2_REFCOUNT_ORDER : bytes.getInt(96);
            if (refcountOrder < 0 || refcountOrder > Qcow2Format.MAX_REFCOUNT_ORDER) {
                throw invalid("refcounts of 2^%d bits", Integer.toUnsignedLong(refcountOrder));
            }
            return new Qcow2Header(
                    version,
                    backingFile,
                    backingFile == null ? null : backingFormat,
                    clusterBits,
                    size,
                    l1Size,
                    l1Offset,
                    refcountTableOffset,
                    refcountTableClusters,
                    snapshotCount,
                    snapshotsOffset,
                    incompatible,
                    version == 2 ? 0 : bytes.getLong(80),
                    version == 2 ? 0 : bytes.getLong(Qcow2Format.OFFSET_AUTOCLEAR),
                    refcountOrder,
                    compressionType(incompatible),
                    bitmaps);
        }

        private int compressionType(long incompatible) {
            int type = headerLength > Qcow2Format.VERSION_3_HEADER
                    ? bytes.get(Qcow2Format.VERSION_3_HEADER) & 0xFF
                    : Qcow2Format.COMPRESSION_ZLIB;
            boolean flagged = (incompatible & Qcow2Format.INCOMPATIBLE_COMPRESSION) != 0;
            if (flagged != (type != Qcow2Format.COMPRESSION_ZLIB)) {
                throw invalid("compression type %d contradicts its feature bit", type);
            }
            if (type > Qcow2Format.COMPRESSION_ZSTD) {
                throw unsupported("compression type %d".formatted(type));
            }
            return type;
        }

        private void checkTable(String name, long offset, long tableLength, long fileLength) {
            // The last cluster of a file need not be there to its end.
            long end = fileLength + bytes.capacity() - 1 & -bytes.capacity();
            boolean empty = tableLength == 0;
            if ((offset & bytes.capacity() - 1) != 0
                    || (offset < bytes.capacity() || offset > end - tableLength) && !empty) {
                throw invalid(
                        "its %s would be %d bytes at %s, in a file of %d bytes",
                        name, tableLength, Long.toUnsignedString(offset), fileLength);
            }
        }
    }
}
