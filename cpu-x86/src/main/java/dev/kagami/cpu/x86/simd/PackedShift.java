package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.DOUBLEWORD_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.DOUBLEWORD_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.LOW_DOUBLEWORD;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_SIGNS;

/**
 * Packed shifts (SDM 2B 4.3, PSLL, PSRL, PSRA). Each takes one 64-bit lane and the count as the 64-bit unsigned number the
 * instruction reads: counts past the element shift everything out, or in the sign.
 */
public final class PackedShift {
    private PackedShift() {}

    private static boolean exceeds(long count, int bits) {
        return (count & -(long) bits) != 0;
    }

    /** Shifts words left. */
    public static long psllw(long a, long count) {
        return exceeds(count, 16) ? 0 : a << count & (Lanes.WORD << (int) count & Lanes.WORD) * WORD_ONES;
    }

    /** Shifts doublewords left. */
    public static long pslld(long a, long count) {
        return exceeds(count, 32) ? 0 : a << count & (LOW_DOUBLEWORD << count & LOW_DOUBLEWORD) * DOUBLEWORD_ONES;
    }

    /** Shifts a quadword left. */
    public static long psllq(long a, long count) {
        return exceeds(count, 64) ? 0 : a << count;
    }

    /** Shifts words right, filling with zeros. */
    public static long psrlw(long a, long count) {
        return exceeds(count, 16) ? 0 : a >>> count & (Lanes.WORD >>> (int) count) * WORD_ONES;
    }

    /** Shifts doublewords right, filling with zeros. */
    public static long psrld(long a, long count) {
        return exceeds(count, 32) ? 0 : a >>> count & (LOW_DOUBLEWORD >>> count) * DOUBLEWORD_ONES;
    }

    /** Shifts a quadword right, filling with zeros. */
    public static long psrlq(long a, long count) {
        return exceeds(count, 64) ? 0 : a >>> count;
    }

    /** Shifts words right, filling with their signs. */
    public static long psraw(long a, long count) {
        int shift = exceeds(count, 16) ? 15 : (int) count;
        long kept = (Lanes.WORD >>> shift) * WORD_ONES;
        return Lanes.select(kept, a >>> shift, Lanes.fillWords(a & WORD_SIGNS));
    }

    /** Shifts doublewords right, filling with their signs. */
    public static long psrad(long a, long count) {
        int shift = exceeds(count, 32) ? 31 : (int) count;
        long kept = (LOW_DOUBLEWORD >>> shift) * DOUBLEWORD_ONES;
        return Lanes.select(kept, a >>> shift, Lanes.fillDoublewords(a & DOUBLEWORD_SIGNS));
    }

    /** Yields the low quadword of a 128-bit value shifted left by a number of bytes. */
    public static long pslldqLow(long low, int bytes) {
        return bytes < 8 ? low << (bytes << 3) : 0;
    }

    /** Yields the high quadword of a 128-bit value shifted left by a number of bytes. */
    public static long pslldqHigh(long low, long high, int bytes) {
        if (bytes >= 8) {
            return bytes < 16 ? low << (bytes << 3) : 0;
        }
        return bytes == 0 ? high : high << (bytes << 3) | low >>> -(bytes << 3);
    }

    /** Yields the low quadword of a 128-bit value shifted right by a number of bytes. */
    public static long psrldqLow(long low, long high, int bytes) {
        if (bytes >= 8) {
            return bytes < 16 ? high >>> (bytes << 3) : 0;
        }
        return bytes == 0 ? low : low >>> (bytes << 3) | high << -(bytes << 3);
    }

    /** Yields the high quadword of a 128-bit value shifted right by a number of bytes. */
    public static long psrldqHigh(long high, int bytes) {
        return bytes < 8 ? high >>> (bytes << 3) : 0;
    }

    /**
     * Yields one quadword of PALIGNR: eight bytes out of a row of quadwords.
     *
     * @param lower the quadword in which the bytes start
     * @param upper the one above it
     * @param bytes the first byte, 0 to 7
     */
    public static long palignr(long lower, long upper, int bytes) {
        return bytes == 0 ? lower : lower >>> (bytes << 3) | upper << -(bytes << 3);
    }
}
