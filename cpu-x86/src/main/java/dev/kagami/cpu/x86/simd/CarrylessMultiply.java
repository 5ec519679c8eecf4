package dev.kagami.cpu.x86.simd;

/**
 * Carry-less multiplication of 64 by 64 bits (SDM 2B 4.3, PCLMULQDQ).
 *
 * <p>An ordinary product of two numbers that have only every fourth bit set leaves room of three bits for the carries of the up
 * to 16 terms of each column, apart from the topmost column, whose carry leaves the 64 bits. So sixteen ordinary products
 * make the low half; the high half is the low half of the reversed operands' product, reversed.
 */
public final class CarrylessMultiply {
    private static final long EVERY_FOURTH = 0x1111_1111_1111_1111L;

    private CarrylessMultiply() {}

    /** Yields bits 0 to 63 of the product. */
    public static long low(long a, long b) {
        long a0 = a & EVERY_FOURTH;
        long a1 = a & EVERY_FOURTH << 1;
        long a2 = a & EVERY_FOURTH << 2;
        long a3 = a & EVERY_FOURTH << 3;
        long b0 = b & EVERY_FOURTH;
        long b1 = b & EVERY_FOURTH << 1;
        long b2 = b & EVERY_FOURTH << 2;
        long b3 = b & EVERY_FOURTH << 3;
        long product0 = a0 * b0 ^ a1 * b3 ^ a2 * b2 ^ a3 * b1;
        long product1 = a0 * b1 ^ a1 * b0 ^ a2 * b3 ^ a3 * b2;
        long product2 = a0 * b2 ^ a1 * b1 ^ a2 * b0 ^ a3 * b3;
        long product3 = a0 * b3 ^ a1 * b2 ^ a2 * b1 ^ a3 * b0;
        return product0 & EVERY_FOURTH
                | product1 & EVERY_FOURTH << 1
                | product2 & EVERY_FOURTH << 2
                | product3 & EVERY_FOURTH << 3;
    }

    /** Yields bits 64 to 127 of the product, the highest of which is always 0. */
    public static long high(long a, long b) {
        return Long.reverse(low(Long.reverse(a), Long.reverse(b))) >>> 1;
    }
}
