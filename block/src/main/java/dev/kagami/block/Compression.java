package dev.kagami.block;

/** How clusters of a qcow2 image are compressed. */
public enum Compression {
    /** Not at all. */
    NONE,
    /** RFC 1951; every program that reads qcow2 knows it. */
    ZLIB,
    /** RFC 8878; needs version 3 of the format and QEMU 5.1 or newer. */
    ZSTD
}
