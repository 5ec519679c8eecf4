package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.LOW_DOUBLEWORD;

/**
 * The SHA-1 and SHA-256 instructions (SDM 2B 4.3, SHA*; FIPS 180-4). Operands are 128-bit values as two quadwords. The results
 * go into two successive elements of {@code registers} at {@code destination}, which may also hold the first operand.
 */
public final class Sha {
    /** FIPS 180-4 4.2.1. */
    private static final int[] SHA1_CONSTANTS = {0x5A82_7999, 0x6ED9_EBA1, 0x8F1B_BCDC, 0xCA62_C1D6};

    private Sha() {}

    private static int high(long quadword) {
        return (int) (quadword >>> 32);
    }

    private static int sha1Function(int b, int c, int d, int function) {
        return switch (function & 3) {
            case 0 -> b & c ^ ~b & d;
            case 2 -> b & c ^ b & d ^ c & d;
            default -> b ^ c ^ d;
        };
    }

    /**
     * Does four rounds of SHA-1.
     *
     * @param words the four message words, the first of which already has E added, highest doubleword first
     * @param function the round function and constant, 0 to 3
     */
    public static void sha1rnds4(
            long[] registers, int destination, long low, long high, long wordsLow, long words, int function) {
        int constant = SHA1_CONSTANTS[function & 3];
        int a = high(high);
        int b = (int) high;
        int c = high(low);
        int d = (int) low;
        int e = 0;
        for (int round = 0; round < 4; round++) {
            long pair = round < 2 ? words : wordsLow;
            int word = (round & 1) == 0 ? high(pair) : (int) pair;
            int next = sha1Function(b, c, d, function) + Integer.rotateLeft(a, 5) + word + e + constant;
            e = d;
            d = c;
            c = Integer.rotateLeft(b, 30);
            b = a;
            a = next;
        }
        registers[destination] = Lanes.join(d, c);
        registers[destination + 1] = Lanes.join(b, a);
    }

    /** Yields the high quadword of SHA1NEXTE: E of the next rounds added to the first message word. */
    public static long sha1nexte(long stateHigh, long wordsHigh) {
        return wordsHigh + ((long) Integer.rotateLeft(high(stateHigh), 30) << 32);
    }

    /** Yields one quadword of SHA1MSG1: {@code later} holds the message words that come two after this quadword's. */
    public static long sha1msg1(long quadword, long later) {
        return quadword ^ later;
    }

    /** Does the second step of the message schedule of SHA-1. */
    public static void sha1msg2(long[] registers, int destination, long low, long high, long otherLow, long otherHigh) {
        int word16 = Integer.rotateLeft(high(high) ^ (int) otherHigh, 1);
        int word17 = Integer.rotateLeft((int) high ^ high(otherLow), 1);
        int word18 = Integer.rotateLeft(high(low) ^ (int) otherLow, 1);
        int word19 = Integer.rotateLeft((int) low ^ word16, 1);
        registers[destination] = Lanes.join(word19, word18);
        registers[destination + 1] = Lanes.join(word17, word16);
    }

    /**
     * Does two rounds of SHA-256.
     *
     * @param cdghLow G in the high and H in the low doubleword
     * @param cdghHigh C in the high and D in the low doubleword
     * @param abefLow E in the high and F in the low doubleword
     * @param abefHigh A in the high and B in the low doubleword
     * @param words two message words with their constants added, the first one low
     */
    public static void sha256rnds2(
            long[] registers, int destination, long cdghLow, long cdghHigh, long abefLow, long abefHigh, long words) {
        int a = high(abefHigh);
        int b = (int) abefHigh;
        int c = high(cdghHigh);
        int d = (int) cdghHigh;
        int e = high(abefLow);
        int f = (int) abefLow;
        int g = high(cdghLow);
        int h = (int) cdghLow;
        for (int round = 0; round < 2; round++) {
            int sum1 = Integer.rotateRight(e, 6) ^ Integer.rotateRight(e, 11) ^ Integer.rotateRight(e, 25);
            int temporary = h + sum1 + (e & f ^ ~e & g) + (round == 0 ? (int) words : high(words));
            int sum0 = Integer.rotateRight(a, 2) ^ Integer.rotateRight(a, 13) ^ Integer.rotateRight(a, 22);
            int next = temporary + sum0 + (a & b ^ a & c ^ b & c);
            h = g;
            g = f;
            f = e;
            e = d + temporary;
            d = c;
            c = b;
            b = a;
            a = next;
        }
        registers[destination] = Lanes.join(f, e);
        registers[destination + 1] = Lanes.join(b, a);
    }

    private static int sigma0(int word) {
        return Integer.rotateRight(word, 7) ^ Integer.rotateRight(word, 18) ^ word >>> 3;
    }

    private static int sigma1(int word) {
        return Integer.rotateRight(word, 17) ^ Integer.rotateRight(word, 19) ^ word >>> 10;
    }

    /**
     * Yields one quadword of SHA256MSG1.
     *
     * @param quadword the words of this quadword
     * @param above the quadword above it, of which the low doubleword counts
     */
    public static long sha256msg1(long quadword, long above) {
        return Lanes.join(
                (int) quadword + sigma0(high(quadword)), high(quadword) + sigma0((int) (above & LOW_DOUBLEWORD)));
    }

    /** Does the second step of the message schedule of SHA-256; of the other operand the high quadword counts. */
    public static void sha256msg2(long[] registers, int destination, long low, long high, long otherHigh) {
        int word16 = (int) low + sigma1((int) otherHigh);
        int word17 = high(low) + sigma1(high(otherHigh));
        int word18 = (int) high + sigma1(word16);
        int word19 = high(high) + sigma1(word17);
        registers[destination] = Lanes.join(word16, word17);
        registers[destination + 1] = Lanes.join(word18, word19);
    }
}
