package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.BYTE_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.LOW_DOUBLEWORD;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_SIGNS;

/**
 * Packing, interleaving, permuting and widening of packed elements (SDM 2B 4.3). Each function yields one quadword of the
 * result.
 */
public final class PackedShuffle {
    private static final long EVEN_BYTES = 0x00FF_00FF_00FF_00FFL;
    private static final long EVEN_WORDS = 0x0000_FFFF_0000_FFFFL;
    /** Multiplies sign bits of bytes so that all of them arrive in the top byte, in order. */
    private static final long GATHER_SIGNS = 0x0002_0408_1020_4081L;

    private PackedShuffle() {}

    private static int signedByte(long words, int number) {
        return Math.clamp((short) (words >>> (number << 4)), Byte.MIN_VALUE, Byte.MAX_VALUE) & 0xFF;
    }

    private static int signedBytes(long words) {
        return signedByte(words, 0)
                | signedByte(words, 1) << 8
                | signedByte(words, 2) << 16
                | signedByte(words, 3) << 24;
    }

    /** Narrows the signed words of two quadwords to signed bytes with saturation. */
    public static long packsswb(long low, long high) {
        return Lanes.join(signedBytes(low), signedBytes(high));
    }

    private static int unsignedBytes(long words) {
        long positive = words & ~Lanes.fillWords(words & WORD_SIGNS);
        // What is left is at most 0x7FFF: a carry into bit 15 tells that it exceeds 0xFF.
        long tooGreat = Lanes.fillWords(positive + 0x7F00_7F00_7F00_7F00L & WORD_SIGNS);
        return (int) evenBytes((positive | tooGreat) & EVEN_BYTES);
    }

    /** Moves the even bytes, between which there are zeros, together. */
    private static long evenBytes(long spread) {
        long pairs = (spread | spread >>> 8) & EVEN_WORDS;
        return (pairs | pairs >>> 16) & LOW_DOUBLEWORD;
    }

    /** Narrows the signed words of two quadwords to unsigned bytes with saturation. */
    public static long packuswb(long low, long high) {
        return Lanes.join(unsignedBytes(low), unsignedBytes(high));
    }

    private static int signedWords(long doublewords) {
        return Math.clamp((int) doublewords, Short.MIN_VALUE, Short.MAX_VALUE) & Lanes.WORD
                | Math.clamp(doublewords >> 32, Short.MIN_VALUE, Short.MAX_VALUE) << 16;
    }

    /** Narrows the signed doublewords of two quadwords to signed words with saturation. */
    public static long packssdw(long low, long high) {
        return Lanes.join(signedWords(low), signedWords(high));
    }

    private static int unsignedWords(long doublewords) {
        return Math.clamp((int) doublewords, 0, Lanes.WORD) | Math.clamp(doublewords >> 32, 0, Lanes.WORD) << 16;
    }

    /** Narrows the signed doublewords of two quadwords to unsigned words with saturation. */
    public static long packusdw(long low, long high) {
        return Lanes.join(unsignedWords(low), unsignedWords(high));
    }

    private static long spreadBytes(long bytes) {
        long pairs = (bytes | bytes << 16) & EVEN_WORDS;
        return (pairs | pairs << 8) & EVEN_BYTES;
    }

    private static long spreadWords(long words) {
        return (words | words << 16) & EVEN_WORDS;
    }

    /** Interleaves the low four bytes of two quadwords. */
    public static long punpcklbw(long a, long b) {
        return spreadBytes(a & LOW_DOUBLEWORD) | spreadBytes(b & LOW_DOUBLEWORD) << 8;
    }

    /** Interleaves the high four bytes of two quadwords. */
    public static long punpckhbw(long a, long b) {
        return spreadBytes(a >>> 32) | spreadBytes(b >>> 32) << 8;
    }

    /** Interleaves the low two words of two quadwords. */
    public static long punpcklwd(long a, long b) {
        return spreadWords(a & LOW_DOUBLEWORD) | spreadWords(b & LOW_DOUBLEWORD) << 16;
    }

    /** Interleaves the high two words of two quadwords. */
    public static long punpckhwd(long a, long b) {
        return spreadWords(a >>> 32) | spreadWords(b >>> 32) << 16;
    }

    /** Joins the low doublewords of two quadwords. */
    public static long punpckldq(long a, long b) {
        return a & LOW_DOUBLEWORD | b << 32;
    }

    /** Joins the high doublewords of two quadwords. */
    public static long punpckhdq(long a, long b) {
        return a >>> 32 | b & ~LOW_DOUBLEWORD;
    }

    private static long byteAt(long low, long high, long indices, int position) {
        int index = (int) (indices >>> (position << 3));
        long source = (index & 8) == 0 ? low : high;
        return (source >>> ((index & 7) << 3) & 0xFF) << (position << 3);
    }

    /**
     * Permutes the bytes of a 128-bit value.
     *
     * @param indices eight indices of 4 bits, one in each byte; a byte whose sign is set yields zero
     */
    public static long pshufb(long low, long high, long indices) {
        long result = byteAt(low, high, indices, 0)
                | byteAt(low, high, indices, 1)
                | byteAt(low, high, indices, 2)
                | byteAt(low, high, indices, 3)
                | byteAt(low, high, indices, 4)
                | byteAt(low, high, indices, 5)
                | byteAt(low, high, indices, 6)
                | byteAt(low, high, indices, 7);
        return result & ~Lanes.fillBytes(indices & BYTE_SIGNS);
    }

    /** Permutes the four words of a quadword by four selectors of two bits (PSHUFW, PSHUFLW, PSHUFHW). */
    public static long pshufw(long a, int selectors) {
        return a >>> ((selectors & 3) << 4) & Lanes.WORD
                | (a >>> ((selectors & 0xC) << 2) & Lanes.WORD) << 16
                | (a >>> (selectors & 0x30) & Lanes.WORD) << 32
                | a >>> ((selectors & 0xC0) >> 2) << 48;
    }

    /** Picks one doubleword of a 128-bit value, zero-extended, by a selector of two bits. */
    public static long doubleword(long low, long high, int selector) {
        return ((selector & 2) == 0 ? low : high) >>> ((selector & 1) << 5) & LOW_DOUBLEWORD;
    }

    /** Picks two doublewords of a 128-bit value by two selectors of two bits (PSHUFD, SHUFPS). */
    public static long pshufd(long low, long high, int selectors) {
        return doubleword(low, high, selectors) | doubleword(low, high, selectors >> 2) << 32;
    }

    /** Gathers the sign bits of eight bytes. */
    public static int pmovmskb(long a) {
        return (int) ((a & BYTE_SIGNS) * GATHER_SIGNS >>> 56);
    }

    /** Gathers the sign bits of four words. */
    public static int wordSigns(long a) {
        return (int) ((a >>> 15 & Lanes.WORD_ONES) * 0x0001_0002_0004_0008L >>> 48);
    }

    /** Gathers the sign bits of two doublewords. */
    public static int movmskps(long a) {
        return (int) (a >>> 31 & 1 | a >>> 63 << 1);
    }

    /** Widens four unsigned bytes in the low doubleword to words. */
    public static long pmovzxbw(long a) {
        return spreadBytes(a & LOW_DOUBLEWORD);
    }

    /** Widens two unsigned bytes in the low word to doublewords. */
    public static long pmovzxbd(long a) {
        return a & 0xFF | (a & 0xFF00) << 24;
    }

    /** Widens two unsigned words in the low doubleword to doublewords. */
    public static long pmovzxwd(long a) {
        return spreadWords(a & LOW_DOUBLEWORD);
    }

    /** Widens four signed bytes in the low doubleword to words. */
    public static long pmovsxbw(long a) {
        return Lanes.joinWords((byte) a, (byte) (a >>> 8), (byte) (a >>> 16), (byte) (a >>> 24));
    }

    /** Widens two signed bytes in the low word to doublewords. */
    public static long pmovsxbd(long a) {
        return Lanes.join((byte) a, (byte) (a >>> 8));
    }

    /** Widens two signed words in the low doubleword to doublewords. */
    public static long pmovsxwd(long a) {
        return Lanes.join((short) a, (short) (a >>> 16));
    }

    /** Replaces one word of a quadword, 0 to 3. */
    public static long insertWord(long a, long word, int number) {
        int shift = number << 4;
        return a & ~(0xFFFFL << shift) | (word & Lanes.WORD) << shift;
    }

    /** Replaces one byte of a quadword, 0 to 7. */
    public static long insertByte(long a, long value, int number) {
        int shift = number << 3;
        return a & ~(0xFFL << shift) | (value & 0xFF) << shift;
    }

    /** Replaces one doubleword of a quadword, 0 or 1. */
    public static long insertDoubleword(long a, long value, int number) {
        return number == 0 ? a & ~LOW_DOUBLEWORD | value & LOW_DOUBLEWORD : a & LOW_DOUBLEWORD | value << 32;
    }
}
