package dev.kagami.cpu.x86.simd;

/** Masks and helpers to treat a {@code long} as a row of small elements. */
final class Lanes {
    /** The lowest bit of every byte. */
    static final long BYTE_ONES = 0x0101_0101_0101_0101L;

    /** The highest bit of every byte. */
    static final long BYTE_SIGNS = 0x8080_8080_8080_8080L;

    /** The lowest bit of every word. */
    static final long WORD_ONES = 0x0001_0001_0001_0001L;

    /** The highest bit of every word. */
    static final long WORD_SIGNS = 0x8000_8000_8000_8000L;

    /** The lowest bit of every doubleword. */
    static final long DOUBLEWORD_ONES = 0x0000_0001_0000_0001L;

    /** The highest bit of every doubleword. */
    static final long DOUBLEWORD_SIGNS = 0x8000_0000_8000_0000L;

    /** The low doubleword. */
    static final long LOW_DOUBLEWORD = 0xFFFF_FFFFL;

    /** One word. */
    static final int WORD = 0xFFFF;

    private Lanes() {}

    /** Spreads bits found in sign positions of bytes over their bytes. */
    static long fillBytes(long signs) {
        return (signs << 1) - (signs >>> 7);
    }

    /** Spreads bits found in sign positions of words over their words. */
    static long fillWords(long signs) {
        return (signs << 1) - (signs >>> 15);
    }

    /** Spreads bits found in sign positions of doublewords over their doublewords. */
    static long fillDoublewords(long signs) {
        return (signs << 1) - (signs >>> 31);
    }

    /** Joins two doublewords. */
    static long join(int low, int high) {
        return (long) high << 32 | low & LOW_DOUBLEWORD;
    }

    /** Joins four words of which only the low 16 bits count. */
    static long joinWords(int word0, int word1, int word2, int word3) {
        return join(word0 & WORD | word1 << 16, word2 & WORD | word3 << 16);
    }

    /** Adds elements whose sign bits are given, without carries between them. */
    static long add(long a, long b, long signs) {
        return (a & ~signs) + (b & ~signs) ^ (a ^ b) & signs;
    }

    /** Subtracts elements whose sign bits are given, without borrows between them. */
    static long subtract(long a, long b, long signs) {
        return (a | signs) - (b & ~signs) ^ (a ^ ~b) & signs;
    }

    /** Yields the sign bits of those elements where {@code a < b}, unsigned. */
    static long below(long a, long b, long signs) {
        return (~a & b | ~(a ^ b) & subtract(a, b, signs)) & signs;
    }

    /** Yields the sign bits of those elements where {@code a < b}, signed. */
    static long less(long a, long b, long signs) {
        return (a & ~b | ~(a ^ b) & subtract(a, b, signs)) & signs;
    }

    /** Yields the sign bits of those elements which are zero. */
    static long zero(long a, long signs) {
        return ~((a & ~signs) + ~signs | a) & signs;
    }

    /** Takes {@code a} where the mask is set, {@code b} elsewhere. */
    static long select(long mask, long a, long b) {
        return b ^ (a ^ b) & mask;
    }
}
