package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.LOW_DOUBLEWORD;

/** Packed multiplication (SDM 2B 4.3). Each function takes and yields one 64-bit lane. */
public final class PackedMultiply {
    private PackedMultiply() {}

    private static int word(long a, int number) {
        return (short) (a >>> (number << 4));
    }

    /** Multiplies words, keeping the low halves of the products. */
    public static long pmullw(long a, long b) {
        return Lanes.joinWords(
                (int) a * (int) b,
                word(a, 1) * word(b, 1),
                word(a, 2) * word(b, 2),
                (int) (a >>> 48) * (int) (b >>> 48));
    }

    /** Multiplies signed words, keeping the high halves of the products. */
    public static long pmulhw(long a, long b) {
        return Lanes.joinWords(
                word(a, 0) * word(b, 0) >> 16,
                word(a, 1) * word(b, 1) >> 16,
                word(a, 2) * word(b, 2) >> 16,
                word(a, 3) * word(b, 3) >> 16);
    }

    private static int unsignedHigh(long a, long b, int number) {
        return ((int) (a >>> (number << 4)) & Lanes.WORD) * ((int) (b >>> (number << 4)) & Lanes.WORD) >>> 16;
    }

    /** Multiplies unsigned words, keeping the high halves of the products. */
    public static long pmulhuw(long a, long b) {
        return Lanes.joinWords(
                unsignedHigh(a, b, 0), unsignedHigh(a, b, 1), unsignedHigh(a, b, 2), unsignedHigh(a, b, 3));
    }

    private static int roundedHigh(long a, long b, int number) {
        return (word(a, number) * word(b, number) >> 14) + 1 >> 1;
    }

    /** Multiplies signed words as fractions of 15 bits, rounding to nearest. */
    public static long pmulhrsw(long a, long b) {
        return Lanes.joinWords(roundedHigh(a, b, 0), roundedHigh(a, b, 1), roundedHigh(a, b, 2), roundedHigh(a, b, 3));
    }

    /** Multiplies signed words and adds neighbouring products. */
    public static long pmaddwd(long a, long b) {
        return Lanes.join(
                word(a, 0) * word(b, 0) + word(a, 1) * word(b, 1), word(a, 2) * word(b, 2) + word(a, 3) * word(b, 3));
    }

    private static int mixedProduct(long a, long b, int number) {
        int shift = number << 4;
        int low = ((int) (a >>> shift) & 0xFF) * (byte) (b >>> shift);
        int high = ((int) (a >>> shift + 8) & 0xFF) * (byte) (b >>> shift + 8);
        return Math.clamp((long) low + high, Short.MIN_VALUE, Short.MAX_VALUE);
    }

    /** Multiplies unsigned bytes of {@code a} with signed ones of {@code b} and adds neighbouring products, saturating. */
    public static long pmaddubsw(long a, long b) {
        return Lanes.joinWords(
                mixedProduct(a, b, 0), mixedProduct(a, b, 1), mixedProduct(a, b, 2), mixedProduct(a, b, 3));
    }

    /** Multiplies doublewords, keeping the low halves of the products. */
    public static long pmulld(long a, long b) {
        return Lanes.join((int) a * (int) b, (int) (a >>> 32) * (int) (b >>> 32));
    }

    /** Multiplies the low unsigned doublewords. */
    public static long pmuludq(long a, long b) {
        return (a & LOW_DOUBLEWORD) * (b & LOW_DOUBLEWORD);
    }

    /** Multiplies the low signed doublewords. */
    public static long pmuldq(long a, long b) {
        return (long) (int) a * (int) b;
    }
}
