package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.LOW_DOUBLEWORD;

/**
 * The AES instructions (SDM 2A 3.2, AES*; FIPS 197). A state of 128 bits is two quadwords; column c is doubleword c, row r its
 * byte r. The functions for rounds yield one quadword of the result, without the round key.
 */
public final class Aes {
    private static final byte[] SUBSTITUTION = new byte[256];
    private static final byte[] INVERSE_SUBSTITUTION = new byte[256];
    /** Row r of SubBytes followed by MixColumns, at {@code r * 256}. */
    private static final int[] ENCRYPTION = new int[4 * 256];
    /** Row r of InvSubBytes followed by InvMixColumns, at {@code r * 256}. */
    private static final int[] DECRYPTION = new int[4 * 256];

    static {
        // FIPS 197 5.1.1: b xor b rotated left by 1, 2, 3 and 4, of the inverse, xor 0x63.
        for (int i = 0; i < 256; i++) {
            int inverse = GaloisField.inverse(i);
            int repeated = inverse | inverse << 8;
            int value = (inverse ^ repeated >> 7 ^ repeated >> 6 ^ repeated >> 5 ^ repeated >> 4 ^ 0x63) & 0xFF;
            SUBSTITUTION[i] = (byte) value;
            INVERSE_SUBSTITUTION[value] = (byte) i;
        }
        for (int i = 0; i < 256; i++) {
            int mixed = (int) mixColumns(SUBSTITUTION[i] & 0xFF);
            int unmixed = (int) aesimc(INVERSE_SUBSTITUTION[i] & 0xFF);
            for (int row = 0; row < 4; row++) {
                ENCRYPTION[row << 8 | i] = Integer.rotateLeft(mixed, row << 3);
                DECRYPTION[row << 8 | i] = Integer.rotateLeft(unmixed, row << 3);
            }
        }
    }

    private Aes() {}

    /** Rotates both doublewords right by 8, 16 or 24 bits. */
    private static long rotate(long columns, int bits) {
        long kept = (LOW_DOUBLEWORD >>> bits) * Lanes.DOUBLEWORD_ONES;
        return columns >>> bits & kept | columns << 32 - bits & ~kept;
    }

    /** MixColumns of two columns (FIPS 197 5.1.3). */
    private static long mixColumns(long columns) {
        long doubled = GaloisField.doubled(columns);
        return doubled ^ rotate(doubled ^ columns, 8) ^ rotate(columns, 16) ^ rotate(columns, 24);
    }

    /** Applies InvMixColumns to two columns (FIPS 197 5.3.3): AESIMC. */
    public static long aesimc(long columns) {
        long times2 = GaloisField.doubled(columns);
        long times4 = GaloisField.doubled(times2);
        long times8 = GaloisField.doubled(times4);
        long times9 = times8 ^ columns;
        return times8 ^ times4 ^ times2 ^ rotate(times9 ^ times2, 8) ^ rotate(times9 ^ times4, 16) ^ rotate(times9, 24);
    }

    private static int column(int[] table, int row0, int row1, int row2, int row3) {
        return table[row0 & 0xFF]
                ^ table[1 << 8 | row1 >>> 8 & 0xFF]
                ^ table[2 << 8 | row2 >>> 16 & 0xFF]
                ^ table[3 << 8 | row3 >>> 24];
    }

    private static int substituted(byte[] table, int row0, int row1, int row2, int row3) {
        return table[row0 & 0xFF] & 0xFF
                | (table[row1 >>> 8 & 0xFF] & 0xFF) << 8
                | (table[row2 >>> 16 & 0xFF] & 0xFF) << 16
                | table[row3 >>> 24] << 24;
    }

    /** Yields the low quadword of an encryption round. */
    public static long aesencLow(long low, long high) {
        int column0 = (int) low;
        int column1 = (int) (low >>> 32);
        int column2 = (int) high;
        int column3 = (int) (high >>> 32);
        return Lanes.join(
                column(ENCRYPTION, column0, column1, column2, column3),
                column(ENCRYPTION, column1, column2, column3, column0));
    }

    /** Yields the high quadword of an encryption round. */
    public static long aesencHigh(long low, long high) {
        return aesencLow(high, low);
    }

    /** Yields the low quadword of the last encryption round. */
    public static long aesenclastLow(long low, long high) {
        int column0 = (int) low;
        int column1 = (int) (low >>> 32);
        int column2 = (int) high;
        int column3 = (int) (high >>> 32);
        return Lanes.join(
                substituted(SUBSTITUTION, column0, column1, column2, column3),
                substituted(SUBSTITUTION, column1, column2, column3, column0));
    }

    /** Yields the high quadword of the last encryption round. */
    public static long aesenclastHigh(long low, long high) {
        return aesenclastLow(high, low);
    }

    /** Yields the low quadword of a decryption round of the equivalent inverse cipher. */
    public static long aesdecLow(long low, long high) {
        int column0 = (int) low;
        int column1 = (int) (low >>> 32);
        int column2 = (int) high;
        int column3 = (int) (high >>> 32);
        return Lanes.join(
                column(DECRYPTION, column0, column3, column2, column1),
                column(DECRYPTION, column1, column0, column3, column2));
    }

    /** Yields the high quadword of a decryption round of the equivalent inverse cipher. */
    public static long aesdecHigh(long low, long high) {
        return aesdecLow(high, low);
    }

    /** Yields the low quadword of the last decryption round. */
    public static long aesdeclastLow(long low, long high) {
        int column0 = (int) low;
        int column1 = (int) (low >>> 32);
        int column2 = (int) high;
        int column3 = (int) (high >>> 32);
        return Lanes.join(
                substituted(INVERSE_SUBSTITUTION, column0, column3, column2, column1),
                substituted(INVERSE_SUBSTITUTION, column1, column0, column3, column2));
    }

    /** Yields the high quadword of the last decryption round. */
    public static long aesdeclastHigh(long low, long high) {
        return aesdeclastLow(high, low);
    }

    /**
     * Yields one quadword of AESKEYGENASSIST.
     *
     * @param source the source's quadword of the same number, of which the high doubleword counts
     * @param constant the round constant, 8 bits
     */
    public static long aeskeygenassist(long source, int constant) {
        int word = (int) (source >>> 32);
        int substituted = substituted(SUBSTITUTION, word, word, word, word);
        return Lanes.join(substituted, Integer.rotateRight(substituted, 8) ^ constant & 0xFF);
    }
}
