package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.BYTE_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.DOUBLEWORD_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.LOW_DOUBLEWORD;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_SIGNS;

/**
 * Packed addition, subtraction and what is built from them (SDM 2B 4.3). Each function takes and yields one 64-bit lane; the
 * horizontal ones take the two quadwords of one operand.
 */
public final class PackedAdd {
    private static final long EVEN_BYTES = 0x00FF_00FF_00FF_00FFL;
    private static final long BYTE_HALVES = 0x7F7F_7F7F_7F7F_7F7FL;
    private static final long WORD_HALVES = 0x7FFF_7FFF_7FFF_7FFFL;

    private PackedAdd() {}

    /** Adds bytes. */
    public static long paddb(long a, long b) {
        return Lanes.add(a, b, BYTE_SIGNS);
    }

    /** Adds words. */
    public static long paddw(long a, long b) {
        return Lanes.add(a, b, WORD_SIGNS);
    }

    /** Adds doublewords. */
    public static long paddd(long a, long b) {
        return Lanes.join((int) a + (int) b, (int) (a >>> 32) + (int) (b >>> 32));
    }

    /** Subtracts bytes. */
    public static long psubb(long a, long b) {
        return Lanes.subtract(a, b, BYTE_SIGNS);
    }

    /** Subtracts words. */
    public static long psubw(long a, long b) {
        return Lanes.subtract(a, b, WORD_SIGNS);
    }

    /** Subtracts doublewords. */
    public static long psubd(long a, long b) {
        return Lanes.join((int) a - (int) b, (int) (a >>> 32) - (int) (b >>> 32));
    }

    /** Adds signed bytes with saturation. */
    public static long paddsb(long a, long b) {
        long sum = paddb(a, b);
        long overflow = Lanes.fillBytes(~(a ^ b) & (a ^ sum) & BYTE_SIGNS);
        return Lanes.select(overflow, BYTE_HALVES + ((a & BYTE_SIGNS) >>> 7), sum);
    }

    /** Adds signed words with saturation. */
    public static long paddsw(long a, long b) {
        long sum = paddw(a, b);
        long overflow = Lanes.fillWords(~(a ^ b) & (a ^ sum) & WORD_SIGNS);
        return Lanes.select(overflow, WORD_HALVES + ((a & WORD_SIGNS) >>> 15), sum);
    }

    /** Subtracts signed bytes with saturation. */
    public static long psubsb(long a, long b) {
        long difference = psubb(a, b);
        long overflow = Lanes.fillBytes((a ^ b) & (a ^ difference) & BYTE_SIGNS);
        return Lanes.select(overflow, BYTE_HALVES + ((a & BYTE_SIGNS) >>> 7), difference);
    }

    /** Subtracts signed words with saturation. */
    public static long psubsw(long a, long b) {
        long difference = psubw(a, b);
        long overflow = Lanes.fillWords((a ^ b) & (a ^ difference) & WORD_SIGNS);
        return Lanes.select(overflow, WORD_HALVES + ((a & WORD_SIGNS) >>> 15), difference);
    }

    /** Adds unsigned bytes with saturation. */
    public static long paddusb(long a, long b) {
        long sum = paddb(a, b);
        return sum | Lanes.fillBytes((a & b | (a | b) & ~sum) & BYTE_SIGNS);
    }

    /** Adds unsigned words with saturation. */
    public static long paddusw(long a, long b) {
        long sum = paddw(a, b);
        return sum | Lanes.fillWords((a & b | (a | b) & ~sum) & WORD_SIGNS);
    }

    /** Subtracts unsigned bytes with saturation. */
    public static long psubusb(long a, long b) {
        return psubb(a, b) & ~Lanes.fillBytes(Lanes.below(a, b, BYTE_SIGNS));
    }

    /** Subtracts unsigned words with saturation. */
    public static long psubusw(long a, long b) {
        return psubw(a, b) & ~Lanes.fillWords(Lanes.below(a, b, WORD_SIGNS));
    }

    /** Averages unsigned bytes, rounding up. */
    public static long pavgb(long a, long b) {
        return (a | b) - ((a ^ b) >>> 1 & BYTE_HALVES);
    }

    /** Averages unsigned words, rounding up. */
    public static long pavgw(long a, long b) {
        return (a | b) - ((a ^ b) >>> 1 & WORD_HALVES);
    }

    /** Takes the absolute value of bytes. */
    public static long pabsb(long a) {
        long negative = Lanes.fillBytes(a & BYTE_SIGNS);
        return psubb(a ^ negative, negative);
    }

    /** Takes the absolute value of words. */
    public static long pabsw(long a) {
        long negative = Lanes.fillWords(a & WORD_SIGNS);
        return psubw(a ^ negative, negative);
    }

    /** Takes the absolute value of doublewords. */
    public static long pabsd(long a) {
        return Lanes.join(Math.abs((int) a), Math.abs((int) (a >>> 32)));
    }

    /** Negates, keeps or zeroes the bytes of {@code a} by the signs of those of {@code b}. */
    public static long psignb(long a, long b) {
        long negative = Lanes.fillBytes(b & BYTE_SIGNS);
        return psubb(a ^ negative, negative) & ~Lanes.fillBytes(Lanes.zero(b, BYTE_SIGNS));
    }

    /** Negates, keeps or zeroes the words of {@code a} by the signs of those of {@code b}. */
    public static long psignw(long a, long b) {
        long negative = Lanes.fillWords(b & WORD_SIGNS);
        return psubw(a ^ negative, negative) & ~Lanes.fillWords(Lanes.zero(b, WORD_SIGNS));
    }

    /** Negates, keeps or zeroes the doublewords of {@code a} by the signs of those of {@code b}. */
    public static long psignd(long a, long b) {
        long negative = Lanes.fillDoublewords(b & DOUBLEWORD_SIGNS);
        return psubd(a ^ negative, negative) & ~Lanes.fillDoublewords(Lanes.zero(b, DOUBLEWORD_SIGNS));
    }

    /** Sums the absolute differences of the eight unsigned bytes into the low word; the other words are zero. */
    public static long psadbw(long a, long b) {
        long difference = psubusb(a, b) | psubusb(b, a);
        long pairs = (difference & EVEN_BYTES) + (difference >>> 8 & EVEN_BYTES);
        return pairs * WORD_ONES >>> 48;
    }

    /** Yields the words with even numbers of two quadwords, in order. */
    private static long evenWords(long low, long high) {
        return low & Lanes.WORD | low >>> 16 & 0xFFFF_0000L | (high & Lanes.WORD) << 32 | high << 16 & 0xFFFFL << 48;
    }

    /** Yields the words with odd numbers of two quadwords, in order. */
    private static long oddWords(long low, long high) {
        return evenWords(low >>> 16, high >>> 16);
    }

    /** Adds pairs of neighbouring words of one operand. */
    public static long phaddw(long low, long high) {
        return paddw(evenWords(low, high), oddWords(low, high));
    }

    /** Adds pairs of neighbouring signed words of one operand with saturation. */
    public static long phaddsw(long low, long high) {
        return paddsw(evenWords(low, high), oddWords(low, high));
    }

    /** Adds the two doublewords of each quadword of one operand. */
    public static long phaddd(long low, long high) {
        return Lanes.join((int) low + (int) (low >>> 32), (int) high + (int) (high >>> 32));
    }

    /** Subtracts words with odd numbers from their lower neighbours. */
    public static long phsubw(long low, long high) {
        return psubw(evenWords(low, high), oddWords(low, high));
    }

    /** Subtracts signed words with odd numbers from their lower neighbours with saturation. */
    public static long phsubsw(long low, long high) {
        return psubsw(evenWords(low, high), oddWords(low, high));
    }

    /** Subtracts the high from the low doubleword of each quadword of one operand. */
    public static long phsubd(long low, long high) {
        return Lanes.join((int) low - (int) (low >>> 32), (int) high - (int) (high >>> 32));
    }

    /**
     * Yields one quadword of MPSADBW: four sums of absolute differences between four bytes of the second operand and four
     * bytes of the first at successive offsets.
     *
     * @param bytes the first operand's bytes from the first offset on, seven of which count
     * @param block the four bytes of the second operand, zero-extended
     */
    public static long mpsadbw(long bytes, long block) {
        return psadbw(bytes & LOW_DOUBLEWORD, block)
                | psadbw(bytes >>> 8 & LOW_DOUBLEWORD, block) << 16
                | psadbw(bytes >>> 16 & LOW_DOUBLEWORD, block) << 32
                | psadbw(bytes >>> 24 & LOW_DOUBLEWORD, block) << 48;
    }

    /**
     * Yields four sums of absolute differences (VDBPSADBW): between the low four bytes of the first operand and four of the second from
     * offsets 0 and 1 on, and between the high four bytes of the first and four of the second from offsets 2 and 3 on.
     */
    public static long dbpsadbw(long a, long b) {
        long low = a & LOW_DOUBLEWORD;
        long high = a >>> 32;
        return psadbw(low, b & LOW_DOUBLEWORD)
                | psadbw(low, b >>> 8 & LOW_DOUBLEWORD) << 16
                | psadbw(high, b >>> 16 & LOW_DOUBLEWORD) << 32
                | psadbw(high, b >>> 24 & LOW_DOUBLEWORD) << 48;
    }

    /** Finds the smallest unsigned word of a 128-bit operand: bits 0 to 15 are its value, bits 16 to 18 its number. */
    public static long phminposuw(long low, long high) {
        int minimum = (int) low & Lanes.WORD;
        int index = 0;
        for (int i = 1; i < 8; i++) {
            int word = (int) ((i < 4 ? low : high) >>> (i << 4)) & Lanes.WORD;
            if (word < minimum) {
                minimum = word;
                index = i;
            }
        }
        return index << 16 | minimum;
    }
}
