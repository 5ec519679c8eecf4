package dev.kagami.cpu.x86.softfloat;

/**
 * RCPPS and RSQRTPS: approximations with a relative error below 1.5 * 2^-12 (SDM 2B RCPPS, RSQRTPS). VRCP14PS, VRSQRT14PS and
 * their kin: below 2^-14 (SDM 2C VRCP14PS, VRSQRT14PS).
 *
 * <p>Processors differ in the digits they return here, so this gives what the manual asks for and no maker's table: the
 * exact value rounded to 12 or 15 significant bits. No exception is raised, and MXCSR's rounding mode is not used. Denormal
 * operands and results count as zeros for RCPPS and RSQRTPS; for the others they do by DAZ and FTZ.
 */
public final class ReciprocalEstimate {
    private static final int SIGN = Integer.MIN_VALUE;
    private static final int INFINITY = 0x7F80_0000;
    private static final int QUIET = 0x0040_0000;
    private static final int SMALLEST_NORMAL = 0x0080_0000;
    private static final int INDEFINITE = 0xFFC0_0000;
    private static final int DROPPED_BITS = 12;
    private static final int FRACTION_14 = 14;

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

    /**
     * Estimates 1 / x as VRCP14PS and VRCP14PD do.
     *
     * @param c DAZ and FTZ
     * @param f the operand's format, binary32 or binary64
     * @param source operand
     * @return estimate
     */
    public static long reciprocal14(FloatContext c, FloatFormat f, long source) {
        if (f.isNan(source)) {
            return source | f.quietBit;
        }
        long a = BinaryFloat.operand(c, f, source);
        long magnitude = shorten(f, bits(f, 1.0 / value(f, a & f.magnitudeMask)));
        return a & f.signMask | (c.flushToZero && f.isDenormal(magnitude) ? 0 : magnitude);
    }

    /**
     * Estimates 1 / sqrt(x) as VRSQRT14PS and VRSQRT14PD do.
     *
     * @param c DAZ
     * @param f the operand's format, binary32 or binary64
     * @param source operand
     * @return estimate; real indefinite for negative numbers
     */
    public static long reciprocalSquareRoot14(FloatContext c, FloatFormat f, long source) {
        if (f.isNan(source)) {
            return source | f.quietBit;
        }
        long a = BinaryFloat.operand(c, f, source);
        if (f.isZero(a)) {
            return a | f.infinity;
        }
        return f.sign(a) != 0 ? f.defaultNan() : shorten(f, bits(f, 1.0 / Math.sqrt(value(f, a))));
    }

    private static double value(FloatFormat f, long bits) {
        return f == FloatFormat.BINARY64 ? Double.longBitsToDouble(bits) : Float.intBitsToFloat((int) bits);
    }

    private static long bits(FloatFormat f, double value) {
        return f == FloatFormat.BINARY64 ? Double.doubleToRawLongBits(value) : Float.floatToRawIntBits((float) value);
    }

    /** Rounds a positive number's fraction to 14 bits; denormal ones may keep all that they have, and none becomes infinite. */
    private static long shorten(FloatFormat f, long exact) {
        int dropped = f.fractionBits - FRACTION_14;
        long rounded = exact + (1L << dropped - 1) & -(1L << dropped);
        return f.isDenormal(exact) || rounded == f.infinity ? exact : rounded;
    }

    private static int shorten(float exact) {
        int bits = Float.floatToRawIntBits(exact);
        int half = 1 << (DROPPED_BITS - 1);
        return (bits + half) & -(1 << DROPPED_BITS);
    }
}
