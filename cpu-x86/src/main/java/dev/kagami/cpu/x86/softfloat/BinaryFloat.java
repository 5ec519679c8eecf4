package dev.kagami.cpu.x86.softfloat;

/**
 * Binary32 and binary64 arithmetic by SSE's rules, on the numbers' bits.
 *
 * <p>A binary32 number is the low 32 bits of a long, the others zero. NaN operands: the first operand has priority, and
 * a signalling NaN is returned quiet (SDM 1 table 4-7).
 */
public final class BinaryFloat {
    /** The result of a comparison: the first operand is less. */
    public static final int LESS = -1;

    /** The result of a comparison: equal. */
    public static final int EQUAL = 0;

    /** The result of a comparison: the first operand is greater. */
    public static final int GREATER = 1;

    /** The result of a comparison: at least one operand is a NaN. */
    public static final int UNORDERED = 2;

    /** What a conversion to a 32-bit integer gives for a number out of range: "integer indefinite". */
    public static final int INDEFINITE_32 = Integer.MIN_VALUE;

    /** What a conversion to a 64-bit integer gives for a number out of range. */
    public static final long INDEFINITE_64 = Long.MIN_VALUE;

    /** What a conversion to an unsigned integer gives for a number out of range; of 32 bits, the lower ones. */
    public static final long INDEFINITE_UNSIGNED = -1;

    private BinaryFloat() {}

    /**
     * Adds.
     *
     * @param c rounding mode and flags
     * @param f both operands' format
     * @param a first operand
     * @param b second operand
     * @return the rounded sum
     */
    public static long add(FloatContext c, FloatFormat f, long a, long b) {
        return addOrSubtract(c, f, a, b, 0);
    }

    /**
     * Subtracts.
     *
     * @param c rounding mode and flags
     * @param f both operands' format
     * @param a first operand
     * @param b second operand
     * @return the rounded difference a - b
     */
    public static long subtract(FloatContext c, FloatFormat f, long a, long b) {
        return addOrSubtract(c, f, a, b, 1);
    }

    private static long addOrSubtract(FloatContext c, FloatFormat f, long first, long second, int negateSecond) {
        if (f.isNan(first) || f.isNan(second)) {
            return propagateNan(c, f, first, second);
        }
        long a = operand(c, f, first);
        long b = operand(c, f, second);
        int signA = f.sign(a);
        int signB = f.sign(b) ^ negateSecond;
        if (f.isInfinity(a)) {
            return f.isInfinity(b) && signA != signB ? invalid(c, f) : denormalOperand(c, f, a, b, a);
        }
        if (f.isInfinity(b)) {
            return denormalOperand(c, f, a, b, negateSecond != 0 ? b ^ f.signMask : b);
        }
        denormalOperand(c, f, a, b, 0);
        long sa = f.significand(a);
        long sb = f.significand(b);
        if ((sa | sb) == 0) {
            int sign = signA == signB ? signA : FloatCore.exactZeroSign(c);
            return sign != 0 ? f.signMask : 0;
        }
        if (signA == signB) {
            FloatCore.addMagnitudes(c, f, signA, f.exponent(a), sa, f.exponent(b), sb);
        } else {
            FloatCore.subtractMagnitudes(c, f, signA, f.exponent(a), sa, f.exponent(b), sb);
        }
        return pack(c, f);
    }

    /**
     * Multiplies.
     *
     * @param c rounding mode and flags
     * @param f both operands' format
     * @param first first operand
     * @param second second operand
     * @return the rounded product
     */
    public static long multiply(FloatContext c, FloatFormat f, long first, long second) {
        if (f.isNan(first) || f.isNan(second)) {
            return propagateNan(c, f, first, second);
        }
        long a = operand(c, f, first);
        long b = operand(c, f, second);
        int sign = f.sign(a) ^ f.sign(b);
        long signBit = sign != 0 ? f.signMask : 0;
        if (f.isInfinity(a) || f.isInfinity(b)) {
            return f.isZero(a) || f.isZero(b) ? invalid(c, f) : denormalOperand(c, f, a, b, signBit | f.infinity);
        }
        denormalOperand(c, f, a, b, 0);
        if (f.isZero(a) || f.isZero(b)) {
            return signBit;
        }
        FloatCore.multiply(c, f, sign, f.exponent(a), f.significand(a), f.exponent(b), f.significand(b));
        return pack(c, f);
    }

    /**
     * Divides.
     *
     * @param c rounding mode and flags
     * @param f both operands' format
     * @param first dividend
     * @param second divisor
     * @return the rounded quotient
     */
    public static long divide(FloatContext c, FloatFormat f, long first, long second) {
        if (f.isNan(first) || f.isNan(second)) {
            return propagateNan(c, f, first, second);
        }
        long a = operand(c, f, first);
        long b = operand(c, f, second);
        int sign = f.sign(a) ^ f.sign(b);
        long signBit = sign != 0 ? f.signMask : 0;
        if (f.isInfinity(a)) {
            return f.isInfinity(b) ? invalid(c, f) : denormalOperand(c, f, a, b, signBit | f.infinity);
        }
        if (f.isInfinity(b)) {
            return denormalOperand(c, f, a, b, signBit);
        }
        if (f.isZero(b)) {
            if (f.isZero(a)) {
                return invalid(c, f);
            }
            c.raise(FloatContext.ZERO_DIVIDE);
            return signBit | f.infinity;
        }
        denormalOperand(c, f, a, b, 0);
        if (f.isZero(a)) {
            return signBit;
        }
        FloatCore.divide(c, f, sign, f.exponent(a), f.significand(a), f.exponent(b), f.significand(b));
        return pack(c, f);
    }

    /**
     * Takes the square root.
     *
     * @param c rounding mode and flags
     * @param f the operand's format
     * @param source the operand
     * @return the rounded root; real indefinite for negative numbers
     */
    public static long squareRoot(FloatContext c, FloatFormat f, long source) {
        if (f.isNan(source)) {
            return quiet(c, f, source);
        }
        long a = operand(c, f, source);
        if (f.isZero(a)) {
            return a;
        }
        if (f.sign(a) != 0) {
            return invalid(c, f);
        }
        if (f.isInfinity(a)) {
            return a;
        }
        denormalOperand(c, f, a, 0, 0);
        FloatCore.squareRoot(c, f, f.exponent(a), f.significand(a));
        return pack(c, f);
    }

    /**
     * Returns the smaller operand as MINPS does: the second one if either is a NaN or both are zeros (SDM 2A MINPS).
     *
     * @param c DAZ and flags
     * @param f both operands' format
     * @param first first operand
     * @param second second operand
     * @return one of the operands, a denormal one as zero under DAZ
     */
    public static long min(FloatContext c, FloatFormat f, long first, long second) {
        return compare(c, f, first, second, true) == LESS ? operand(c, f, first) : operand(c, f, second);
    }

    /**
     * Returns the larger operand as MAXPS does: the second one if either is a NaN or both are zeros (SDM 2A MAXPS).
     *
     * @param c DAZ and flags
     * @param f both operands' format
     * @param first first operand
     * @param second second operand
     * @return one of the operands, a denormal one as zero under DAZ
     */
    public static long max(FloatContext c, FloatFormat f, long first, long second) {
        return compare(c, f, first, second, true) == GREATER ? operand(c, f, first) : operand(c, f, second);
    }

    /**
     * Compares.
     *
     * @param c DAZ and flags
     * @param f both operands' format
     * @param first first operand
     * @param second second operand
     * @param quietIsInvalid true if a quiet NaN raises the invalid-operation exception, as a signalling one always does
     * @return {@link #LESS}, {@link #EQUAL}, {@link #GREATER} or {@link #UNORDERED}
     */
    public static int compare(FloatContext c, FloatFormat f, long first, long second, boolean quietIsInvalid) {
        if (f.isNan(first) || f.isNan(second)) {
            if (quietIsInvalid || f.isSignalingNan(first) || f.isSignalingNan(second)) {
                c.raise(FloatContext.INVALID);
            }
            return UNORDERED;
        }
        long a = operand(c, f, first);
        long b = operand(c, f, second);
        denormalOperand(c, f, a, b, 0);
        long magnitudeA = a & f.magnitudeMask;
        long magnitudeB = b & f.magnitudeMask;
        return Long.compare(f.sign(a) != 0 ? -magnitudeA : magnitudeA, f.sign(b) != 0 ? -magnitudeB : magnitudeB);
    }

    /**
     * Rounds to an integral number in the same format, as ROUNDSS and its kin do.
     *
     * @param c DAZ and flags; its rounding mode is not used
     * @param f the operand's format
     * @param source the operand
     * @param rounding the mode
     * @param suppressInexact true if an inexact result raises nothing (immediate bit 3)
     * @return the integral number, with the operand's sign also when it is zero
     */
    public static long roundToIntegral(
            FloatContext c, FloatFormat f, long source, int rounding, boolean suppressInexact) {
        return roundToPlaces(c, f, source, 0, rounding, suppressInexact);
    }

    /**
     * Rounds to a number with so many binary places behind the point, as VRNDSCALESS and its kin do.
     *
     * @param c DAZ and flags; its rounding mode is not used
     * @param f the operand's format
     * @param source the operand
     * @param places bits behind the point, 0 to 15
     * @param rounding the mode
     * @param suppressInexact true if an inexact result raises nothing
     * @return the rounded number, with the operand's sign also when it is zero
     */
    public static long roundToPlaces(
            FloatContext c, FloatFormat f, long source, int places, int rounding, boolean suppressInexact) {
        if (f.isNan(source)) {
            return quiet(c, f, source);
        }
        // ROUNDPS takes no denormal exception: only invalid and precision are in its list (SDM 2B ROUNDPS).
        long a = operand(c, f, source);
        int exponent = f.exponent(a) - f.bias + places;
        if (f.isZero(a) || exponent >= f.fractionBits) {
            return a;
        }
        long signBit = a & f.signMask;
        int sign = f.sign(a);
        long magnitude = a & f.magnitudeMask;
        long rounded;
        if (exponent < 0) {
            boolean aboveHalf = exponent == -1 && (magnitude & f.fractionMask) != 0;
            boolean up = roundsUp(rounding, sign, exponent == -1 && !aboveHalf, aboveHalf, false);
            rounded = up ? (long) (f.bias - places) << f.fractionBits : 0;
        } else {
            int dropped = f.fractionBits - exponent;
            long unit = 1L << dropped;
            long rest = magnitude & (unit - 1);
            rounded = magnitude - rest;
            long half = unit >>> 1;
            // The integral part 1 is the hidden bit, and where it would be there is the exponent's lowest.
            boolean odd = exponent == 0 || (magnitude & unit) != 0;
            if (rest != 0 && roundsUp(rounding, sign, rest == half, rest > half, odd)) {
                rounded += unit;
            }
        }
        if (rounded != magnitude && !suppressInexact) {
            c.raise(FloatContext.INEXACT);
        }
        return signBit | rounded;
    }

    /** Decides about a discarded part that is not zero: exactly half a unit, more, or (neither) less. */
    private static boolean roundsUp(int rounding, int sign, boolean half, boolean aboveHalf, boolean odd) {
        return switch (rounding) {
            case FloatContext.ROUND_NEAREST -> aboveHalf || half && odd;
            case FloatContext.ROUND_DOWN -> sign != 0;
            case FloatContext.ROUND_UP -> sign == 0;
            default -> false;
        };
    }

    /**
     * Converts to a 32-bit signed integer.
     *
     * @param c DAZ and flags
     * @param f the operand's format
     * @param source the operand
     * @param rounding the mode
     * @return the integer, or {@link #INDEFINITE_32} with the invalid flag
     */
    public static int toInt32(FloatContext c, FloatFormat f, long source, int rounding) {
        long result = toInteger(c, f, source, rounding, 31);
        return result == INDEFINITE_64 ? INDEFINITE_32 : (int) result;
    }

    /**
     * Converts to a 64-bit signed integer.
     *
     * @param c DAZ and flags
     * @param f the operand's format
     * @param source the operand
     * @param rounding the mode
     * @return the integer, or {@link #INDEFINITE_64} with the invalid flag
     */
    public static long toInt64(FloatContext c, FloatFormat f, long source, int rounding) {
        return toInteger(c, f, source, rounding, 63);
    }

    private static long toInteger(FloatContext c, FloatFormat f, long source, int rounding, int magnitudeBits) {
        if ((source & f.magnitudeMask) >= f.infinity) {
            c.raise(FloatContext.INVALID);
            return INDEFINITE_64;
        }
        // Conversions to integers raise no denormal exception (SDM 1 table 11-?: CVTPS2DQ lists invalid and precision).
        long a = operand(c, f, source);
        return integerPart(c, f.sign(a), f.exponent(a) - f.bias, f.significand(a), rounding, magnitudeBits);
    }

    /**
     * Converts to an unsigned integer.
     *
     * @param c DAZ and flags
     * @param f the operand's format
     * @param source the operand
     * @param rounding the mode
     * @param bits of the integer: 32 or 64
     * @return the integer, or with the invalid flag {@link #INDEFINITE_UNSIGNED} for a number out of range
     */
    public static long toUnsigned(FloatContext c, FloatFormat f, long source, int rounding, int bits) {
        long a = operand(c, f, source);
        int exponent = f.exponent(a) - f.bias;
        if (exponent < bits) {
            int flags = c.flags;
            long magnitude = integerPart(c, 0, exponent, f.significand(a), directed(rounding, f.sign(a)), 64);
            if (f.sign(a) != 0 ? magnitude == 0 : bits == Long.SIZE || magnitude >>> bits == 0) {
                return magnitude;
            }
            c.flags = flags;
        }
        c.raise(FloatContext.INVALID);
        return INDEFINITE_UNSIGNED;
    }

    /** {@return the mode that rounds a number's magnitude as the given one rounds the number} */
    private static int directed(int rounding, int sign) {
        boolean swaps = sign != 0 && (rounding == FloatContext.ROUND_DOWN || rounding == FloatContext.ROUND_UP);
        return swaps ? rounding ^ (FloatContext.ROUND_DOWN | FloatContext.ROUND_UP) : rounding;
    }

    /** Rounds a number with its leading bit at 2^exponent to an integer of the given size. */
    static long integerPart(FloatContext c, int sign, int exponent, long significand, int rounding, int magnitudeBits) {
        if (significand == 0) {
            return 0;
        }
        long magnitude;
        boolean inexact = false;
        if (exponent > 63) {
            magnitude = -1;
        } else if (exponent == 63) {
            magnitude = significand;
        } else {
            boolean half;
            boolean rest;
            if (exponent >= 0) {
                magnitude = significand >>> (63 - exponent);
                long dropped = significand << (exponent + 1);
                half = dropped < 0;
                rest = dropped << 1 != 0;
            } else {
                magnitude = 0;
                half = exponent == -1;
                rest = exponent != -1 || significand << 1 != 0;
            }
            inexact = half || rest;
            if (inexact && roundsUp(rounding, sign, half && !rest, half && rest, (magnitude & 1) != 0)) {
                magnitude++;
                c.roundedUp = true;
            }
        }
        // The most negative integer has a magnitude one larger than the most positive one.
        long limit = magnitudeBits == 64 ? -1L : (1L << magnitudeBits) - 1 + sign;
        if (Long.compareUnsigned(magnitude, limit) > 0) {
            c.roundedUp = false;
            c.raise(FloatContext.INVALID);
            return INDEFINITE_64;
        }
        if (inexact) {
            c.raise(FloatContext.INEXACT);
        }
        return sign != 0 ? -magnitude : magnitude;
    }

    /**
     * Converts a signed integer.
     *
     * @param c rounding mode and flags
     * @param f the result's format
     * @param value the integer
     * @return the rounded number
     */
    public static long fromInteger(FloatContext c, FloatFormat f, long value) {
        if (value == 0) {
            return 0;
        }
        return value < 0 ? fromMagnitude(c, f, 1, -value) : fromMagnitude(c, f, 0, value);
    }

    /**
     * Converts an unsigned integer.
     *
     * @param c rounding mode and flags
     * @param f the result's format
     * @param value the integer
     * @return the rounded number
     */
    public static long fromUnsigned(FloatContext c, FloatFormat f, long value) {
        return value == 0 ? 0 : fromMagnitude(c, f, 0, value);
    }

    private static long fromMagnitude(FloatContext c, FloatFormat f, int sign, long magnitude) {
        int zeros = Long.numberOfLeadingZeros(magnitude);
        FloatCore.round(c, f, sign, f.bias + 63 - zeros, magnitude << zeros, 0);
        return pack(c, f);
    }

    /**
     * Converts from one format to the other; a signalling NaN is made quiet.
     *
     * @param c rounding mode and flags
     * @param from the operand's format
     * @param to the result's format
     * @param source the operand
     * @return the rounded number
     */
    public static long convert(FloatContext c, FloatFormat from, FloatFormat to, long source) {
        if (from.isNan(source)) {
            long quieted = quiet(c, from, source);
            long fraction = quieted & from.fractionMask;
            int grow = to.fractionBits - from.fractionBits;
            long sign = from.sign(source) != 0 ? to.signMask : 0;
            return sign | to.infinity | (grow >= 0 ? fraction << grow : fraction >>> -grow);
        }
        long a = operand(c, from, source);
        long signBit = from.sign(a) != 0 ? to.signMask : 0;
        if (from.isInfinity(a)) {
            return signBit | to.infinity;
        }
        if (from.isZero(a)) {
            return signBit;
        }
        denormalOperand(c, from, a, 0, 0);
        FloatCore.round(c, to, from.sign(a), from.exponent(a) - from.bias + to.bias, from.significand(a), 0);
        return pack(c, to);
    }

    /** Replaces a denormal operand by a zero of its sign under DAZ. */
    static long operand(FloatContext c, FloatFormat f, long bits) {
        return c.denormalsAreZero && f.isDenormal(bits) ? bits & f.signMask : bits;
    }

    /** Raises the denormal flag if an operand asks for it; returns the given result. */
    static long denormalOperand(FloatContext c, FloatFormat f, long a, long b, long result) {
        if (f.isDenormal(a) || f.isDenormal(b)) {
            c.raise(FloatContext.DENORMAL);
        }
        return result;
    }

    static long invalid(FloatContext c, FloatFormat f) {
        c.raise(FloatContext.INVALID);
        return f.defaultNan();
    }

    static long quiet(FloatContext c, FloatFormat f, long nan) {
        if ((nan & f.quietBit) == 0) {
            c.raise(FloatContext.INVALID);
        }
        return nan | f.quietBit;
    }

    static long propagateNan(FloatContext c, FloatFormat f, long a, long b) {
        if (f.isSignalingNan(a) || f.isSignalingNan(b)) {
            c.raise(FloatContext.INVALID);
        }
        return (f.isNan(a) ? a : b) | f.quietBit;
    }

    static long pack(FloatContext c, FloatFormat f) {
        long fraction = (c.significand << 1) >>> (64 - f.fractionBits);
        return (c.sign != 0 ? f.signMask : 0) | (long) c.exponent << f.fractionBits | fraction;
    }
}
