package dev.kagami.cpu.x86.softfloat;

/** Conversions between binary16 and binary32 by the rules of F16C (SDM 1 14.4). */
public final class HalfFloat {
    private static final int USE_MXCSR = 4;

    private static final int HALF_SIGN = 0x8000;
    private static final int HALF_EXPONENT = 0x7C00;
    private static final int HALF_FRACTION = 0x3FF;
    private static final int HALF_QUIET = 0x200;
    private static final int GROWTH = 13;
    private static final int BIAS_DIFFERENCE = 112;

    private HalfFloat() {}

    /**
     * Converts to binary32, which is always exact. Denormal numbers are taken as what they are, whatever DAZ says.
     *
     * @param c receives the invalid flag for a signalling NaN
     * @param half the number, 16 bits
     * @return the number, 32 bits
     */
    public static int toSingle(FloatContext c, int half) {
        int sign = (half & HALF_SIGN) << 16;
        int exponent = half & HALF_EXPONENT;
        int fraction = half & HALF_FRACTION;
        if (exponent == HALF_EXPONENT) {
            if (fraction != 0 && (fraction & HALF_QUIET) == 0) {
                c.raise(FloatContext.INVALID);
            }
            return sign | 0x7F80_0000 | (fraction == 0 ? 0 : fraction | HALF_QUIET) << GROWTH;
        }
        if (exponent != 0) {
            return sign | ((exponent >> 10) + BIAS_DIFFERENCE) << 23 | fraction << GROWTH;
        }
        if (fraction == 0) {
            return sign;
        }
        int shift = Integer.numberOfLeadingZeros(fraction) - 21;
        return sign | BIAS_DIFFERENCE + 1 - shift << 23 | (fraction << shift & HALF_FRACTION) << GROWTH;
    }

    /**
     * Converts from binary32. Flush-to-zero has no effect.
     *
     * @param c rounding mode, DAZ and flags
     * @param single the number, 32 bits
     * @param control the instruction's immediate: bits 0 and 1 the rounding mode, bit 2 to take MXCSR's instead
     * @return the rounded number, 16 bits
     */
    public static int fromSingle(FloatContext c, int single, int control) {
        int rounding = c.rounding;
        boolean flush = c.flushToZero;
        if ((control & USE_MXCSR) == 0) {
            c.rounding = control & 3;
        }
        c.flushToZero = false;
        long result = BinaryFloat.convert(c, FloatFormat.BINARY32, FloatFormat.BINARY16, single & 0xFFFF_FFFFL);
        c.rounding = rounding;
        c.flushToZero = flush;
        return (int) result;
    }
}
