package dev.kagami.block.qcow2;

/** Numbers of the format. */
final class Qcow2Format {
    /** "QFI" and 0xFB. */
    static final int MAGIC = 0x514649FB;

    static final int VERSION_2_HEADER = 72;
    static final int VERSION_3_HEADER = 104;
    /** Header with the compression type. */
    static final int FULL_HEADER = 112;

    static final int MIN_CLUSTER_BITS = 9;
    static final int MAX_CLUSTER_BITS = 21;
    static final int DEFAULT_CLUSTER_BITS = 16;
    static final int VERSION_2_REFCOUNT_ORDER = 4;
    static final int MAX_REFCOUNT_ORDER = 6;
    static final int MAX_BACKING_NAME = 1023;

    /** QEMU's limits, so that what one can write the other can read. */
    static final int MAX_L1_BYTES = 32 << 20;

    static final int MAX_REFCOUNT_TABLE_BYTES = 8 << 20;
    static final int MAX_SNAPSHOTS = 65536;

    static final int OFFSET_SIZE = 24;
    static final int OFFSET_L1_SIZE = 36;
    static final int OFFSET_REFCOUNT_TABLE = 48;
    static final int OFFSET_INCOMPATIBLE = 72;
    static final int OFFSET_AUTOCLEAR = 88;

    static final long INCOMPATIBLE_DIRTY = 1;
    static final long INCOMPATIBLE_CORRUPT = 1 << 1;
    static final long INCOMPATIBLE_DATA_FILE = 1 << 2;
    static final long INCOMPATIBLE_COMPRESSION = 1 << 3;
    static final long INCOMPATIBLE_EXTENDED_L2 = 1 << 4;
    static final long COMPATIBLE_LAZY_REFCOUNTS = 1;
    static final long AUTOCLEAR_BITMAPS = 1;

    static final int EXTENSION_END = 0;
    static final int EXTENSION_BACKING_FORMAT = 0xE2792ACA;
    static final int EXTENSION_BITMAPS = 0x23852875;
    static final int EXTENSION_FEATURE_NAMES = 0x6803F857;

    static final int COMPRESSION_ZLIB = 0;
    static final int COMPRESSION_ZSTD = 1;

    /** In L1 and L2 entries: the refcount of what it points to is one. */
    static final long COPIED = 1L << 63;

    static final long COMPRESSED = 1L << 62;
    static final long ZERO = 1;
    static final long OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00L;
    /** Refcount table entries have no flags above. */
    static final long REFCOUNT_OFFSET_MASK = ~0x1FFL;

    static final int ENTRY_BYTES = Long.BYTES;
    /** Unit in which the length of compressed data is counted. */
    static final int COMPRESSED_SECTOR = 512;

    private Qcow2Format() {}
}
