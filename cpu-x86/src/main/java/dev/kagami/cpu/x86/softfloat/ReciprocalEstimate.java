package dev.kagami.cpu.x86.softfloat;

/**
 * RCPPS and RSQRTPS: approximations with a relative error below 1.5 * 2^-12 (SDM 2B RCPPS, RSQRTPS).
 *
 * <p>Processors differ in the digits they return here, so this gives what the manual asks for and no maker's table: the
 * exact value rounded to 12 significant bits. No exception is raised, MXCSR's rounding mode is not used, and denormal
 * operands and results count as zeros.
 */
public final class ReciprocalEstimate {
    private static final int SIGN = Integer.MIN_VALUE;
    private static final int INFINITY = 0x7F80_0000;
    private static final int QUIET = 0x0040_0000;
    private static final int SMALLEST_NORMAL = 0x0080_0000;
    private static final int INDEFINITE = 0xFFC0_0000;
    private static final int DROPPED_BITS = 12;

    private ReciprocalEstimate() {}

    /**
     * Estimates 1 / x.
     *
     * @param bits binary32 operand
     * @return binary32 estimate
     */
    public static int reciprocal(int bits) {
        int magnitude = bits & ~SIGN;
        if (magnitude > INFINITY) {
            return bits | QUIET;
        }
        if (magnitude < SMALLEST_NORMAL) {
            return bits & SIGN | INFINITY;
        }
        int estimate = shorten((float) (1.0 / Float.intBitsToFloat(bits)));
        return (estimate & ~SIGN) < SMALLEST_NORMAL ? bits & SIGN : estimate;
    }

    /**
     * Estimates 1 / sqrt(x).
     *
     * @param bits binary32 operand
     * @return binary32 estimate; real indefinite for negative numbers
     */
    public static int reciprocalSquareRoot(int bits) {
        int magnitude = bits & ~SIGN;
        if (magnitude > INFINITY) {
            return bits | QUIET;
        }
        if (magnitude < SMALLEST_NORMAL) {
            return bits & SIGN | INFINITY;
        }
        if (bits < 0) {
            return INDEFINITE;
        }
        return shorten((float) (1.0 / Math.sqrt(Float.intBitsToFloat(bits))));
    }

    private static int shorten(float exact) {
        int bits = Float.floatToRawIntBits(exact);
        int half = 1 << (DROPPED_BITS - 1);
        return (bits + half) & -(1 << DROPPED_BITS);
    }
}
