package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.BYTE_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.BYTE_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.DOUBLEWORD_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_SIGNS;

/** Packed comparison, minimum, maximum and selection (SDM 2B 4.3). Each function takes and yields one 64-bit lane. */
public final class PackedCompare {
    private PackedCompare() {}

    /** Sets the bytes which are equal to ones, the others to zero. */
    public static long pcmpeqb(long a, long b) {
        return Lanes.fillBytes(Lanes.zero(a ^ b, BYTE_SIGNS));
    }

    /** Sets the words which are equal to ones, the others to zero. */
    public static long pcmpeqw(long a, long b) {
        return Lanes.fillWords(Lanes.zero(a ^ b, WORD_SIGNS));
    }

    /** Sets the doublewords which are equal to ones, the others to zero. */
    public static long pcmpeqd(long a, long b) {
        return Lanes.fillDoublewords(Lanes.zero(a ^ b, DOUBLEWORD_SIGNS));
    }

    /** Yields ones when the quadwords are equal, else zero. */
    public static long pcmpeqq(long a, long b) {
        return a == b ? -1 : 0;
    }

    /** Sets the signed bytes which are greater in {@code a} to ones, the others to zero. */
    public static long pcmpgtb(long a, long b) {
        return Lanes.fillBytes(Lanes.less(b, a, BYTE_SIGNS));
    }

    /** Sets the signed words which are greater in {@code a} to ones, the others to zero. */
    public static long pcmpgtw(long a, long b) {
        return Lanes.fillWords(Lanes.less(b, a, WORD_SIGNS));
    }

    /** Sets the signed doublewords which are greater in {@code a} to ones, the others to zero. */
    public static long pcmpgtd(long a, long b) {
        return Lanes.fillDoublewords(Lanes.less(b, a, DOUBLEWORD_SIGNS));
    }

    /** Yields ones when {@code a} is greater, signed, else zero. */
    public static long pcmpgtq(long a, long b) {
        return a > b ? -1 : 0;
    }

    /** Takes the smaller unsigned bytes. */
    public static long pminub(long a, long b) {
        return Lanes.select(Lanes.fillBytes(Lanes.below(a, b, BYTE_SIGNS)), a, b);
    }

    /** Takes the greater unsigned bytes. */
    public static long pmaxub(long a, long b) {
        return Lanes.select(Lanes.fillBytes(Lanes.below(a, b, BYTE_SIGNS)), b, a);
    }

    /** Takes the smaller signed bytes. */
    public static long pminsb(long a, long b) {
        return Lanes.select(Lanes.fillBytes(Lanes.less(a, b, BYTE_SIGNS)), a, b);
    }

    /** Takes the greater signed bytes. */
    public static long pmaxsb(long a, long b) {
        return Lanes.select(Lanes.fillBytes(Lanes.less(a, b, BYTE_SIGNS)), b, a);
    }

    /** Takes the smaller unsigned words. */
    public static long pminuw(long a, long b) {
        return Lanes.select(Lanes.fillWords(Lanes.below(a, b, WORD_SIGNS)), a, b);
    }

    /** Takes the greater unsigned words. */
    public static long pmaxuw(long a, long b) {
        return Lanes.select(Lanes.fillWords(Lanes.below(a, b, WORD_SIGNS)), b, a);
    }

    /** Takes the smaller signed words. */
    public static long pminsw(long a, long b) {
        return Lanes.select(Lanes.fillWords(Lanes.less(a, b, WORD_SIGNS)), a, b);
    }

    /** Takes the greater signed words. */
    public static long pmaxsw(long a, long b) {
        return Lanes.select(Lanes.fillWords(Lanes.less(a, b, WORD_SIGNS)), b, a);
    }

    /** Takes the smaller unsigned doublewords. */
    public static long pminud(long a, long b) {
        return Lanes.select(Lanes.fillDoublewords(Lanes.below(a, b, DOUBLEWORD_SIGNS)), a, b);
    }

    /** Takes the greater unsigned doublewords. */
    public static long pmaxud(long a, long b) {
        return Lanes.select(Lanes.fillDoublewords(Lanes.below(a, b, DOUBLEWORD_SIGNS)), b, a);
    }

    /** Takes the smaller signed doublewords. */
    public static long pminsd(long a, long b) {
        return Lanes.join(Math.min((int) a, (int) b), Math.min((int) (a >>> 32), (int) (b >>> 32)));
    }

    /** Takes the greater signed doublewords. */
    public static long pmaxsd(long a, long b) {
        return Lanes.join(Math.max((int) a, (int) b), Math.max((int) (a >>> 32), (int) (b >>> 32)));
    }

    /** Takes the bytes of {@code b} whose sign in {@code mask} is set, else those of {@code a}. */
    public static long pblendvb(long a, long b, long mask) {
        return Lanes.select(Lanes.fillBytes(mask & BYTE_SIGNS), b, a);
    }

    /** Takes the doublewords of {@code b} whose sign in {@code mask} is set, else those of {@code a}. */
    public static long blendvps(long a, long b, long mask) {
        return Lanes.select(Lanes.fillDoublewords(mask & DOUBLEWORD_SIGNS), b, a);
    }

    /** Takes {@code b} when the sign of {@code mask} is set, else {@code a}. */
    public static long blendvpd(long a, long b, long mask) {
        return mask < 0 ? b : a;
    }

    /**
     * Yields ones in those bytes whose bits are set.
     *
     * @param bits eight bits, the lowest for the lowest byte
     */
    public static long byteMask(int bits) {
        long own = (bits & 0xFF) * BYTE_ONES & 0x8040_2010_0804_0201L;
        return Lanes.fillBytes(own + ~BYTE_SIGNS & BYTE_SIGNS);
    }

    /**
     * Yields ones in the bytes of those words whose bits are set.
     *
     * @param bits four bits, the lowest for the lowest word
     */
    public static long wordMask(int bits) {
        long signs = (bits & 1L) << 15 | (bits & 2L) << 30 | (bits & 4L) << 45 | (bits & 8L) << 60;
        return Lanes.fillWords(signs);
    }

    /**
     * Yields ones in the bytes of those doublewords whose bits are set.
     *
     * @param bits two bits, the lower for the lower doubleword
     */
    public static long doublewordMask(int bits) {
        return Lanes.fillDoublewords((bits & 1L) << 31 | (bits & 2L) << 62);
    }
}
