package dev.kagami.cpu.x86.softfloat;

/** Exponents and fractions of numbers in the formats of {@link BinaryFloat}: what AVX-512 adds to take numbers apart. */
public final class FloatParts {
    /** Farther than any exponent reaches. */
    private static final int FAR = 1 << 16;

    private static final int FAR_BITS = 16;

    // Intervals of a significand (SDM 2C VGETMANTPD).
    private static final int HALF_TO_TWO = 1;
    private static final int HALF_TO_ONE = 2;
    private static final int THREE_QUARTERS_TO_THREE_HALVES = 3;

    private static final int SIGN_IS_ZERO = 1;
    private static final int NEGATIVE_IS_INVALID = 2;

    private FloatParts() {}

    /**
     * Multiplies by a power of two, as VSCALEFPD does (SDM 2C, table of its special cases).
     *
     * @param c rounding mode and flags
     * @param f both operands' format
     * @param first the number
     * @param second the exponent, which is rounded down to an integer
     * @return the rounded product
     */
    public static long scale(FloatContext c, FloatFormat f, long first, long second) {
        if (f.isSignalingNan(first) || f.isNan(second)) {
            return BinaryFloat.propagateNan(c, f, first, second);
        }
        long b = BinaryFloat.operand(c, f, second);
        long limit = f.sign(b) != 0 ? 0 : f.infinity;
        if (f.isNan(first)) {
            return f.isInfinity(b) ? limit : first;
        }
        long a = BinaryFloat.operand(c, f, first);
        if (f.isInfinity(b)) {
            boolean indefinite = f.sign(b) != 0 ? f.isInfinity(a) : f.isZero(a);
            return indefinite
                    ? BinaryFloat.invalid(c, f)
                    : BinaryFloat.denormalOperand(c, f, a, 0, a & f.signMask | limit);
        }
        if (f.isZero(a) || f.isInfinity(a)) {
            return a;
        }
        BinaryFloat.denormalOperand(c, f, a, 0, 0);
        FloatCore.round(c, f, f.sign(a), f.exponent(a) + floor(f, b), f.significand(a), 0);
        return BinaryFloat.pack(c, f);
    }

    /** {@return a finite number rounded down, or one beyond all exponents} */
    private static int floor(FloatFormat f, long bits) {
        if (f.isZero(bits)) {
            return 0;
        }
        boolean negative = f.sign(bits) != 0;
        int exponent = f.exponent(bits) - f.bias;
        if (exponent < 0) {
            return negative ? -1 : 0;
        }
        if (exponent >= FAR_BITS) {
            return negative ? -FAR : FAR;
        }
        long significand = f.significand(bits);
        int magnitude = (int) (significand >>> 63 - exponent);
        boolean rest = significand << exponent + 1 != 0;
        return negative ? -magnitude - (rest ? 1 : 0) : magnitude;
    }

    /**
     * Gives the exponent of a number as a number, as VGETEXPPD does.
     *
     * @param c DAZ and flags
     * @param f the operand's format
     * @param source the operand
     * @return the base-2 logarithm of its magnitude, rounded down
     */
    public static long exponent(FloatContext c, FloatFormat f, long source) {
        if (f.isNan(source)) {
            return BinaryFloat.quiet(c, f, source);
        }
        long a = BinaryFloat.operand(c, f, source);
        if (f.isInfinity(a)) {
            return f.infinity;
        }
        if (f.isZero(a)) {
            return f.signMask | f.infinity;
        }
        BinaryFloat.denormalOperand(c, f, a, 0, 0);
        return BinaryFloat.fromInteger(c, f, f.exponent(a) - f.bias);
    }

    /**
     * Gives the significand of a number, as VGETMANTPD does.
     *
     * @param c DAZ and flags
     * @param f the operand's format
     * @param source the operand
     * @param control the instruction's immediate: the interval in bits 0 and 1, the sign's treatment in bits 2 and 3
     * @return the significand with its sign
     */
    public static long significand(FloatContext c, FloatFormat f, long source, int control) {
        if (f.isNan(source)) {
            return BinaryFloat.quiet(c, f, source);
        }
        int treatment = control >> 2;
        long a = BinaryFloat.operand(c, f, source);
        long one = (long) f.bias << f.fractionBits;
        long sign = (treatment & SIGN_IS_ZERO) != 0 ? 0 : a & f.signMask;
        if (f.isZero(a)) {
            return sign | one;
        }
        if (f.sign(a) != 0 && (treatment & NEGATIVE_IS_INVALID) != 0) {
            return BinaryFloat.invalid(c, f);
        }
        if (f.isInfinity(a)) {
            return sign | one;
        }
        BinaryFloat.denormalOperand(c, f, a, 0, 0);
        long fraction = f.significand(a) << 1 >>> 64 - f.fractionBits;
        boolean halves = switch (control & 3) {
            case HALF_TO_TWO -> (f.exponent(a) - f.bias & 1) != 0;
            case HALF_TO_ONE -> true;
            case THREE_QUARTERS_TO_THREE_HALVES -> (fraction & f.quietBit) != 0;
            default -> false;
        };
        return sign | one - (halves ? 1L << f.fractionBits : 0) | fraction;
    }

    /**
     * Subtracts from a number what it is when rounded to so many binary places, as VREDUCEPD does.
     *
     * @param c DAZ, FTZ and flags; its rounding mode is not used
     * @param f the operand's format
     * @param source the operand
     * @param places bits behind the point, 0 to 15
     * @param rounding the mode, also of the subtraction
     * @param suppressInexact true if an inexact result raises nothing
     * @return the difference
     */
    public static long reduce(
            FloatContext c, FloatFormat f, long source, int places, int rounding, boolean suppressInexact) {
        if (f.isNan(source)) {
            return BinaryFloat.quiet(c, f, source);
        }
        long a = BinaryFloat.operand(c, f, source);
        if (f.isInfinity(a)) {
            return 0;
        }
        long rounded = BinaryFloat.roundToPlaces(c, f, a, places, rounding, true);
        int flags = c.flags;
        long difference;
        if (f.isDenormal(a) && f.isZero(rounded)) {
            // The only result that can be denormal; nothing is said of underflow.
            difference = c.flushToZero ? a & f.signMask : a;
            flags |= c.flushToZero && !suppressInexact ? FloatContext.INEXACT : 0;
        } else {
            int before = c.rounding;
            c.rounding = rounding;
            difference = BinaryFloat.subtract(c, f, a, rounded);
            c.rounding = before;
            flags |= suppressInexact ? 0 : c.flags & FloatContext.INEXACT;
        }
        c.flags = flags;
        return difference;
    }
}
