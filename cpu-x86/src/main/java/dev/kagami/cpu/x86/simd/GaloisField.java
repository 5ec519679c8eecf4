package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.BYTE_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.BYTE_SIGNS;

/**
 * Arithmetic on bytes as polynomials over GF(2) modulo x^8 + x^4 + x^3 + x + 1: the GFNI instructions (SDM 2A 3.2, GF2P8*) and
 * what AES builds on. Each function takes and yields one 64-bit lane of eight bytes.
 */
public final class GaloisField {
    /** x^8 modulo the field's polynomial. */
    private static final int REDUCTION = 0x1B;

    private static final byte[] INVERSES = inverses();

    private GaloisField() {}

    private static byte[] inverses() {
        byte[] inverses = new byte[256];
        for (int i = 1; i < 256; i++) {
            // The multiplicative group has 255 elements: the inverse of i is i to the power of 254.
            long square = multiply(i, i);
            long power = square;
            for (int bit = 2; bit < 8; bit++) {
                square = multiply(square, square);
                power = multiply(power, square);
            }
            inverses[i] = (byte) power;
        }
        return inverses;
    }

    /** Multiplies each byte by x. */
    static long doubled(long a) {
        return (a & ~BYTE_SIGNS) << 1 ^ ((a & BYTE_SIGNS) >>> 7) * REDUCTION;
    }

    /** Spreads the lowest bit of every byte over the byte. */
    private static long spread(long bits) {
        long ones = bits & BYTE_ONES;
        return (ones << 8) - ones;
    }

    private static long multiply(long a, long b) {
        long product = a & spread(b);
        long multiple = a;
        for (int bit = 1; bit < 8; bit++) {
            multiple = doubled(multiple);
            product ^= multiple & spread(b >>> bit);
        }
        return product;
    }

    /** Returns the inverse of one field element; 0 has 0. */
    static int inverse(int value) {
        return INVERSES[value & 0xFF] & 0xFF;
    }

    /** Multiplies bytes. */
    public static long gf2p8mulb(long a, long b) {
        return multiply(a, b);
    }

    /**
     * Maps each byte by a matrix over GF(2) and adds a constant.
     *
     * @param bytes the bytes
     * @param matrix eight rows of eight bits; the row in the highest byte yields bit 0
     * @param constant the constant in its low eight bits
     */
    public static long gf2p8affineqb(long bytes, long matrix, int constant) {
        long columns = transpose(Long.reverseBytes(matrix));
        long result = (constant & 0xFF) * BYTE_ONES;
        for (int bit = 0; bit < 8; bit++) {
            result ^= spread(bytes >>> bit) & (columns >>> (bit << 3) & 0xFF) * BYTE_ONES;
        }
        return result;
    }

    /** Inverts each byte, then maps it as {@link #gf2p8affineqb} does. */
    public static long gf2p8affineinvqb(long bytes, long matrix, int constant) {
        long inverted = 0;
        for (int shift = 0; shift < 64; shift += 8) {
            inverted |= (long) inverse((int) (bytes >>> shift)) << shift;
        }
        return gf2p8affineqb(inverted, matrix, constant);
    }

    /** Exchanges rows and columns of a matrix of 8 by 8 bits: swaps bits, then 2 by 2, then 4 by 4 blocks off the diagonal. */
    private static long transpose(long matrix) {
        long swap = (matrix ^ matrix >>> 7) & 0x00AA_00AA_00AA_00AAL;
        long bits = matrix ^ swap ^ swap << 7;
        swap = (bits ^ bits >>> 14) & 0x0000_CCCC_0000_CCCCL;
        bits = bits ^ swap ^ swap << 14;
        swap = (bits ^ bits >>> 28) & 0x0000_0000_F0F0_F0F0L;
        return bits ^ swap ^ swap << 28;
    }
}
