package dev.kagami.cpu.x86.simd;

/** The CRC32 instruction of SSE4.2: CRC-32C, polynomial 11EDC6F41, bits reflected (SDM 2A 3.2, CRC32). */
public final class Crc32c {
    private static final int REFLECTED_POLYNOMIAL = 0x82F6_3B78;
    private static final int SLICES = 8;
    /** Entry {@code slice * 256 + b}: what byte b contributes when {@code slice} bytes follow it. */
    private static final int[] TABLE = table();

    private Crc32c() {}

    private static int[] table() {
        int[] table = new int[SLICES * 256];
        for (int i = 0; i < 256; i++) {
            int crc = i;
            for (int bit = 0; bit < 8; bit++) {
                crc = crc >>> 1 ^ REFLECTED_POLYNOMIAL & -(crc & 1);
            }
            table[i] = crc;
        }
        for (int i = 256; i < table.length; i++) {
            int crc = table[i - 256];
            table[i] = crc >>> 8 ^ table[crc & 0xFF];
        }
        return table;
    }

    /** Accumulates one byte. */
    public static int update8(int crc, int value) {
        return crc >>> 8 ^ TABLE[(crc ^ value) & 0xFF];
    }

    /** Accumulates two bytes, the low one first. */
    public static int update16(int crc, int value) {
        int bits = crc ^ value & 0xFFFF;
        return bits >>> 16 ^ TABLE[256 | bits & 0xFF] ^ TABLE[bits >>> 8 & 0xFF];
    }

    /** Accumulates four bytes, the lowest one first. */
    public static int update32(int crc, int value) {
        int bits = crc ^ value;
        return TABLE[3 << 8 | bits & 0xFF]
                ^ TABLE[2 << 8 | bits >>> 8 & 0xFF]
                ^ TABLE[1 << 8 | bits >>> 16 & 0xFF]
                ^ TABLE[bits >>> 24];
    }

    /** Accumulates eight bytes, the lowest one first. */
    public static int update64(int crc, long value) {
        int low = crc ^ (int) value;
        int high = (int) (value >>> 32);
        return TABLE[7 << 8 | low & 0xFF]
                ^ TABLE[6 << 8 | low >>> 8 & 0xFF]
                ^ TABLE[5 << 8 | low >>> 16 & 0xFF]
                ^ TABLE[4 << 8 | low >>> 24]
                ^ TABLE[3 << 8 | high & 0xFF]
                ^ TABLE[2 << 8 | high >>> 8 & 0xFF]
                ^ TABLE[1 << 8 | high >>> 16 & 0xFF]
                ^ TABLE[high >>> 24];
    }
}
