package dev.kagami.cpu.x86.simd;

/**
 * Shifts and rotations of elements by counts of their own (SDM 2C, VPSLLVW to VPSRLVQ, VPROLVD, VPSHLDV). Elements have 16, 32 or 64
 * bits.
 */
public final class PackedVariable {
    /** Shifts right, zeros coming in. */
    public static final int RIGHT = 0;
    /** Shifts right, signs coming in. */
    public static final int RIGHT_SIGNED = 1;
    /** Shifts left. */
    public static final int LEFT = 2;
    /** Rotates right. */
    public static final int ROTATE_RIGHT = 3;
    /** Rotates left. */
    public static final int ROTATE_LEFT = 4;
    /** Shifts right; what comes in is from another operand. */
    public static final int DOUBLE_RIGHT = 5;
    /** Shifts left; what comes in is from another operand. */
    public static final int DOUBLE_LEFT = 6;

    private PackedVariable() {}

    /**
     * Shifts each element of a quadword.
     *
     * @param operation one of the constants above
     * @param bits bits of an element
     * @param a what is shifted
     * @param other with the double shifts, what comes in
     * @param counts the counts, one in each element, unsigned
     */
    public static long shift(int operation, int bits, long a, long other, long counts) {
        if (bits == Long.SIZE) {
            return element(operation, bits, a, other, counts);
        }
        long mask = (1L << bits) - 1;
        long result = 0;
        for (int at = 0; at < Long.SIZE; at += bits) {
            long value = element(operation, bits, a >>> at & mask, other >>> at & mask, counts >>> at & mask);
            result |= (value & mask) << at;
        }
        return result;
    }

    /** Shifts an element that has zeros above; the result may have anything there. */
    private static long element(int operation, int bits, long a, long other, long count) {
        boolean past = Long.compareUnsigned(count, bits) >= 0;
        int within = (int) count & bits - 1;
        return switch (operation) {
            case RIGHT -> past ? 0 : a >>> count;
            case RIGHT_SIGNED -> a << Long.SIZE - bits >> Long.SIZE - bits >> (past ? bits - 1 : count);
            case LEFT -> past ? 0 : a << count;
            case ROTATE_RIGHT -> a >>> within | a << bits - within;
            case ROTATE_LEFT -> a << within | a >>> bits - within;
            case DOUBLE_RIGHT -> a >>> within | other << 1 << bits - 1 - within;
            default -> a << within | other >>> 1 >>> bits - 1 - within;
        };
    }
}
