package dev.kagami.image.ext4;

/** Computes CRC-32C as the file system does: with a given start, and without inverting the end. */
final class Crc32c {

    /** The start of every chain of checksums. */
    static final int START = -1;

    private static final int POLYNOMIAL = 0x82F63B78;
    private static final int[] TABLE = new int[256];

    static {
        for (int i = 0; i < TABLE.length; i++) {
            int value = i;
            for (int bit = 0; bit < Byte.SIZE; bit++) {
                value = (value >>> 1) ^ ((value & 1) * POLYNOMIAL);
            }
            TABLE[i] = value;
        }
    }

    private Crc32c() {}

    /** Returns the checksum of bytes that follow those of an earlier one. */
    static int of(int start, byte[] bytes, int from, int count) {
        int crc = start;
        for (int i = from; i < from + count; i++) {
            crc = TABLE[(crc ^ bytes[i]) & 0xFF] ^ (crc >>> Byte.SIZE);
        }
        return crc;
    }

    /** Returns the checksum with a 32-bit little-endian number after what came earlier. */
    static int of(int start, long number) {
        int crc = start;
        for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) {
            crc = TABLE[(crc ^ (int) (number >>> shift)) & 0xFF] ^ (crc >>> Byte.SIZE);
        }
        return crc;
    }
}
