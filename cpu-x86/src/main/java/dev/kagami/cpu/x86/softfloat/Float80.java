package dev.kagami.cpu.x86.softfloat;

/**
 * The x87 unit's arithmetic on 80-bit numbers.
 *
 * <p>An operand is a pair: sign (bit 15) and biased exponent (bits 0 to 14), and the significand with its explicit
 * integer bit. Results are left in the context. Encodings with a nonzero exponent and no integer bit (unnormals,
 * pseudo-NaNs, pseudo-infinities) are invalid operands; pseudo-denormals count as denormals (SDM 1 8.2.2, table 8-3).
 * Of two NaNs the one with the larger significand is the result; a quiet one wins over a signalling one (table 4-7).
 */
public final class Float80 {
    /** Sign bit in a sign-and-exponent operand. */
    public static final int SIGN = 0x8000;

    /** Largest exponent: infinities and NaNs. */
    public static final int MAX_EXPONENT = 0x7FFF;

    /** Exponent of numbers in [1, 2). */
    public static final int BIAS = 16383;

    /** Integer bit of the significand; the significand of 1 and of infinity. */
    public static final long INTEGER_BIT = Long.MIN_VALUE;

    /** The bit that makes a NaN quiet. */
    public static final long QUIET_BIT = 1L << 62;

    /** Sign and exponent of real indefinite. */
    public static final int INDEFINITE_SIGN_EXPONENT = 0xFFFF;

    /** Significand of real indefinite. */
    public static final long INDEFINITE_SIGNIFICAND = INTEGER_BIT | QUIET_BIT;

    private static final FloatFormat FORMAT = FloatFormat.EXTENDED;

    private Float80() {}

    // ---------------------------------------------------------------- classes of numbers

    /**
     * Tells whether a register holds a NaN.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true for quiet and signalling NaNs, false for unsupported encodings
     */
    public static boolean isNan(int se, long s) {
        return (se & MAX_EXPONENT) == MAX_EXPONENT && s < 0 && s << 1 != 0;
    }

    /**
     * Tells whether a register holds a signalling NaN.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true for a NaN with a clear quiet bit
     */
    public static boolean isSignalingNan(int se, long s) {
        return isNan(se, s) && (s & QUIET_BIT) == 0;
    }

    /**
     * Tells whether a register holds an infinity.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true for either sign
     */
    public static boolean isInfinity(int se, long s) {
        return (se & MAX_EXPONENT) == MAX_EXPONENT && s == INTEGER_BIT;
    }

    /**
     * Tells whether a register holds a zero.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true for either sign
     */
    public static boolean isZero(int se, long s) {
        return (se & MAX_EXPONENT) == 0 && s == 0;
    }

    /**
     * Tells whether a register holds a denormal or pseudo-denormal number.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true if the exponent field is 0 and the significand is not
     */
    public static boolean isDenormal(int se, long s) {
        return (se & MAX_EXPONENT) == 0 && s != 0;
    }

    /**
     * Tells whether a register holds an encoding that the unit doesn't support.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true for unnormals, pseudo-infinities and pseudo-NaNs
     */
    public static boolean isUnsupported(int se, long s) {
        return (se & MAX_EXPONENT) != 0 && s >= 0;
    }

    private static boolean isNanOrUnsupported(int se, long s) {
        return isNan(se, s) || isUnsupported(se, s);
    }

    /** Exponent of a finite nonzero number as if the range had no lower end. */
    static int exponent(int se, long s) {
        int field = se & MAX_EXPONENT;
        return field != 0 ? field : 1 - Long.numberOfLeadingZeros(s);
    }

    /** Significand of a finite number with its leading one in bit 63; 0 for zero. */
    static long normalized(long s) {
        return s == 0 ? 0 : s << Long.numberOfLeadingZeros(s);
    }

    private static int sign(int se) {
        return se >>> 15 & 1;
    }

    // ---------------------------------------------------------------- arithmetic

    /**
     * Adds.
     *
     * @param c rounding, precision and flags; receives the result
     * @param sea sign and exponent of the first operand
     * @param sa its significand
     * @param seb sign and exponent of the second operand
     * @param sb its significand
     */
    public static void add(FloatContext c, int sea, long sa, int seb, long sb) {
        addOrSubtract(c, sea, sa, seb, sb, 0);
    }

    /**
     * Subtracts the second operand from the first.
     *
     * @param c rounding, precision and flags; receives the result
     * @param sea sign and exponent of the first operand
     * @param sa its significand
     * @param seb sign and exponent of the second operand
     * @param sb its significand
     */
    public static void subtract(FloatContext c, int sea, long sa, int seb, long sb) {
        addOrSubtract(c, sea, sa, seb, sb, 1);
    }

    private static void addOrSubtract(FloatContext c, int sea, long sa, int seb, long sb, int negate) {
        if (isNanOrUnsupported(sea, sa) || isNanOrUnsupported(seb, sb)) {
            propagateNan(c, sea, sa, seb, sb);
            return;
        }
        int signA = sign(sea);
        int signB = sign(seb) ^ negate;
        boolean infinityA = isInfinity(sea, sa);
        boolean infinityB = isInfinity(seb, sb);
        if (infinityA && infinityB && signA != signB) {
            invalid(c);
            return;
        }
        denormalOperand(c, sea, sa, seb, sb);
        if (infinityA || infinityB) {
            infinity(c, infinityA ? signA : signB);
            return;
        }
        if ((sa | sb) == 0) {
            zero(c, signA == signB ? signA : FloatCore.exactZeroSign(c));
            return;
        }
        int ea = exponent(sea, sa);
        int eb = exponent(seb, sb);
        if (signA == signB) {
            FloatCore.addMagnitudes(c, c.extended, signA, ea, normalized(sa), eb, normalized(sb));
        } else {
            FloatCore.subtractMagnitudes(c, c.extended, signA, ea, normalized(sa), eb, normalized(sb));
        }
        pack(c);
    }

    /**
     * Multiplies.
     *
     * @param c rounding, precision and flags; receives the result
     * @param sea sign and exponent of the first operand
     * @param sa its significand
     * @param seb sign and exponent of the second operand
     * @param sb its significand
     */
    public static void multiply(FloatContext c, int sea, long sa, int seb, long sb) {
        if (isNanOrUnsupported(sea, sa) || isNanOrUnsupported(seb, sb)) {
            propagateNan(c, sea, sa, seb, sb);
            return;
        }
        int sign = sign(sea ^ seb);
        boolean infinite = isInfinity(sea, sa) || isInfinity(seb, sb);
        boolean zero = isZero(sea, sa) || isZero(seb, sb);
        if (infinite && zero) {
            invalid(c);
            return;
        }
        denormalOperand(c, sea, sa, seb, sb);
        if (infinite) {
            infinity(c, sign);
        } else if (zero) {
            zero(c, sign);
        } else {
            FloatCore.multiply(
                    c, c.extended, sign, exponent(sea, sa), normalized(sa), exponent(seb, sb), normalized(sb));
            pack(c);
        }
    }

    /**
     * Divides the first operand by the second.
     *
     * @param c rounding, precision and flags; receives the result
     * @param sea sign and exponent of the dividend
     * @param sa its significand
     * @param seb sign and exponent of the divisor
     * @param sb its significand
     */
    public static void divide(FloatContext c, int sea, long sa, int seb, long sb) {
        if (isNanOrUnsupported(sea, sa) || isNanOrUnsupported(seb, sb)) {
            propagateNan(c, sea, sa, seb, sb);
            return;
        }
        int sign = sign(sea ^ seb);
        boolean infinityA = isInfinity(sea, sa);
        boolean infinityB = isInfinity(seb, sb);
        boolean zeroA = isZero(sea, sa);
        boolean zeroB = isZero(seb, sb);
        if (infinityA && infinityB || zeroA && zeroB) {
            invalid(c);
            return;
        }
        if (zeroB && !infinityA) {
            c.raise(FloatContext.ZERO_DIVIDE);
            infinity(c, sign);
            return;
        }
        denormalOperand(c, sea, sa, seb, sb);
        if (infinityA) {
            infinity(c, sign);
        } else if (infinityB || zeroA) {
            zero(c, sign);
        } else {
            FloatCore.divide(c, c.extended, sign, exponent(sea, sa), normalized(sa), exponent(seb, sb), normalized(sb));
            pack(c);
        }
    }

    /**
     * Takes the square root.
     *
     * @param c rounding, precision and flags; receives the result
     * @param se sign and exponent of the operand
     * @param s its significand
     */
    public static void squareRoot(FloatContext c, int se, long s) {
        if (isNanOrUnsupported(se, s)) {
            propagateNan(c, se, s);
        } else if (isZero(se, s)) {
            c.setExtended(se, s);
        } else if (sign(se) != 0) {
            invalid(c);
        } else if (isInfinity(se, s)) {
            c.setExtended(se, s);
        } else {
            denormalOperand(c, se, s);
            FloatCore.squareRoot(c, c.extended, exponent(se, s), normalized(s));
            pack(c);
        }
    }

    /**
     * Compares.
     *
     * @param c flags
     * @param sea sign and exponent of the first operand
     * @param sa its significand
     * @param seb sign and exponent of the second operand
     * @param sb its significand
     * @param quietIsInvalid true for FCOM, which raises the invalid exception also for quiet NaNs
     * @return {@link BinaryFloat#LESS}, {@link BinaryFloat#EQUAL}, {@link BinaryFloat#GREATER} or
     *     {@link BinaryFloat#UNORDERED}
     */
    public static int compare(FloatContext c, int sea, long sa, int seb, long sb, boolean quietIsInvalid) {
        if (isNanOrUnsupported(sea, sa) || isNanOrUnsupported(seb, sb)) {
            if (quietIsInvalid
                    || isUnsupported(sea, sa)
                    || isUnsupported(seb, sb)
                    || isSignalingNan(sea, sa)
                    || isSignalingNan(seb, sb)) {
                c.raise(FloatContext.INVALID);
            }
            return BinaryFloat.UNORDERED;
        }
        denormalOperand(c, sea, sa, seb, sb);
        if ((sa | sb) == 0) {
            return BinaryFloat.EQUAL;
        }
        int signA = sign(sea);
        if (signA != sign(seb)) {
            return signA != 0 ? BinaryFloat.LESS : BinaryFloat.GREATER;
        }
        // A pseudo-denormal has the value of the number with exponent 1.
        int ea = Math.max(sea & MAX_EXPONENT, 1);
        int eb = Math.max(seb & MAX_EXPONENT, 1);
        int order = ea != eb ? Integer.compare(ea, eb) : Long.compareUnsigned(sa, sb);
        return Integer.signum(signA != 0 ? -order : order);
    }

    /**
     * Rounds to an integral number (FRNDINT).
     *
     * @param c rounding and flags; receives the result
     * @param se sign and exponent of the operand
     * @param s its significand
     */
    public static void roundToIntegral(FloatContext c, int se, long s) {
        if (isNanOrUnsupported(se, s)) {
            propagateNan(c, se, s);
            return;
        }
        int exponent = (se & MAX_EXPONENT) - BIAS;
        if (exponent >= 63 || isZero(se, s)) {
            c.setExtended(se, s);
            return;
        }
        denormalOperand(c, se, s);
        long magnitude = BinaryFloat.integerPart(c, 0, exponent(se, s) - BIAS, normalized(s), unsigned(c, se), 64);
        int signBit = se & SIGN;
        if (magnitude == 0) {
            c.setExtended(signBit, 0);
        } else {
            int zeros = Long.numberOfLeadingZeros(magnitude);
            c.setExtended(signBit | BIAS + 63 - zeros, magnitude << zeros);
        }
    }

    /** Rounding mode for the magnitude of a number with this sign. */
    private static int unsigned(FloatContext c, int se) {
        if (sign(se) == 0) {
            return c.rounding;
        }
        return switch (c.rounding) {
            case FloatContext.ROUND_DOWN -> FloatContext.ROUND_UP;
            case FloatContext.ROUND_UP -> FloatContext.ROUND_DOWN;
            default -> c.rounding;
        };
    }

    /**
     * Multiplies the first operand by 2 to the power of the second, truncated (FSCALE).
     *
     * @param c rounding and flags; receives the result. Precision control has no effect (SDM 1 8.1.5.2)
     * @param sea sign and exponent of the number to scale
     * @param sa its significand
     * @param seb sign and exponent of the scale
     * @param sb its significand
     */
    public static void scale(FloatContext c, int sea, long sa, int seb, long sb) {
        if (isNanOrUnsupported(sea, sa) || isNanOrUnsupported(seb, sb)) {
            propagateNan(c, sea, sa, seb, sb);
            return;
        }
        boolean infinityA = isInfinity(sea, sa);
        if (isInfinity(seb, sb)) {
            boolean up = sign(seb) == 0;
            if (up ? isZero(sea, sa) : infinityA) {
                invalid(c);
                return;
            }
            denormalOperand(c, sea, sa, seb, sb);
            if (up) {
                infinity(c, sign(sea));
            } else {
                zero(c, sign(sea));
            }
            return;
        }
        denormalOperand(c, sea, sa, seb, sb);
        if (infinityA || isZero(sea, sa)) {
            c.setExtended(sea, sa);
            return;
        }
        int scaleExponent = (seb & MAX_EXPONENT) - BIAS;
        // 2^17 is more than the distance between the smallest and the largest number.
        int scale = scaleExponent < 0 ? 0 : scaleExponent > 16 ? 1 << 17 : (int) (sb >>> (63 - scaleExponent));
        int exponent = exponent(sea, sa) + (sign(seb) != 0 ? -scale : scale);
        FloatCore.round(c, FORMAT, sign(sea), exponent, normalized(sa), 0);
        // A result out of range even after the unmasked response's adjustment becomes infinity or zero.
        if (c.exponent >= MAX_EXPONENT && (c.masks & FloatContext.OVERFLOW) == 0) {
            c.raise(FloatContext.INEXACT);
            c.roundedUp = true;
            infinity(c, c.sign);
        } else if (c.exponent <= 0 && (c.masks & FloatContext.UNDERFLOW) == 0) {
            c.raise(FloatContext.INEXACT);
            zero(c, c.sign);
        } else {
            pack(c);
        }
    }

    // ---------------------------------------------------------------- conversions

    /**
     * Widens a number from memory for an arithmetic instruction. Exact; a signalling NaN stays one. That the number was
     * denormal is remembered for the operation that follows.
     *
     * @param c receives the result
     * @param f the number's format
     * @param bits the number
     */
    public static void widen(FloatContext c, FloatFormat f, long bits) {
        int signBit = f.sign(bits) << 15;
        long magnitude = bits & f.magnitudeMask;
        if (magnitude >= f.infinity) {
            c.setExtended(signBit | MAX_EXPONENT, INTEGER_BIT | (bits & f.fractionMask) << (63 - f.fractionBits));
        } else if (magnitude == 0) {
            c.setExtended(signBit, 0);
        } else {
            if (f.isDenormal(bits)) {
                c.widenedDenormal = FloatContext.DENORMAL;
            }
            c.setExtended(signBit | f.exponent(bits) - f.bias + BIAS, f.significand(bits));
        }
    }

    /**
     * Loads a number from memory (FLD m32fp, FLD m64fp): like {@link #widen}, but raises the denormal and invalid
     * exceptions and makes a signalling NaN quiet.
     *
     * @param c flags; receives the result
     * @param f the number's format
     * @param bits the number
     */
    public static void load(FloatContext c, FloatFormat f, long bits) {
        widen(c, f, bits);
        c.raise(c.widenedDenormal);
        if (f.isSignalingNan(bits)) {
            c.raise(FloatContext.INVALID);
            c.significand |= QUIET_BIT;
        }
    }

    /**
     * Rounds a register to a memory format (FST m32fp, FST m64fp).
     *
     * @param c rounding and flags
     * @param f the target format
     * @param se sign and exponent
     * @param s significand
     * @return the number's bits
     */
    public static long store(FloatContext c, FloatFormat f, int se, long s) {
        long signBit = sign(se) != 0 ? f.signMask : 0;
        if (isUnsupported(se, s)) {
            c.raise(FloatContext.INVALID);
            return f.defaultNan();
        }
        if (isNan(se, s)) {
            if ((s & QUIET_BIT) == 0) {
                c.raise(FloatContext.INVALID);
            }
            return signBit | f.infinity | f.quietBit | s << 1 >>> (64 - f.fractionBits);
        }
        if (isInfinity(se, s)) {
            return signBit | f.infinity;
        }
        if (s == 0) {
            return signBit;
        }
        FloatCore.round(c, f, sign(se), exponent(se, s) - BIAS + f.bias, normalized(s), 0);
        return signBit | (long) c.exponent << f.fractionBits | c.significand << 1 >>> (64 - f.fractionBits);
    }

    /**
     * Converts a signed integer; exact.
     *
     * @param c receives the result
     * @param value the integer
     */
    public static void fromInteger(FloatContext c, long value) {
        if (value == 0) {
            c.setExtended(0, 0);
            return;
        }
        long magnitude = value < 0 ? -value : value;
        int zeros = Long.numberOfLeadingZeros(magnitude);
        c.setExtended((value < 0 ? SIGN : 0) | BIAS + 63 - zeros, magnitude << zeros);
    }

    /**
     * Converts to a signed integer.
     *
     * @param c flags
     * @param se sign and exponent
     * @param s significand
     * @param rounding the mode: the context's, or towards zero for FISTTP
     * @param bits size of the integer: 16, 32 or 64
     * @return the integer, sign-extended; the most negative one with the invalid flag if it doesn't fit
     */
    public static long toInteger(FloatContext c, int se, long s, int rounding, int bits) {
        long indefinite = -1L << (bits - 1);
        if ((se & MAX_EXPONENT) == MAX_EXPONENT || isUnsupported(se, s)) {
            c.raise(FloatContext.INVALID);
            return indefinite;
        }
        long result = BinaryFloat.integerPart(c, sign(se), exponent(se, s) - BIAS, normalized(s), rounding, bits - 1);
        return result == Long.MIN_VALUE ? indefinite : result;
    }

    // ---------------------------------------------------------------- shared endings

    /** Gives the result for operands of which at least one is a NaN or unsupported. */
    static void propagateNan(FloatContext c, int sea, long sa, int seb, long sb) {
        if (isUnsupported(sea, sa) || isUnsupported(seb, sb)) {
            invalid(c);
            return;
        }
        boolean signalingA = isSignalingNan(sea, sa);
        boolean signalingB = isSignalingNan(seb, sb);
        if (signalingA || signalingB) {
            c.raise(FloatContext.INVALID);
        }
        boolean first;
        if (isNan(sea, sa) && isNan(seb, sb)) {
            if (signalingA != signalingB) {
                first = signalingB;
            } else {
                int order = Long.compareUnsigned(sa, sb);
                first = order != 0 ? order > 0 : sign(sea) == 0;
            }
        } else {
            first = isNan(sea, sa);
        }
        c.setExtended(first ? sea : seb, (first ? sa : sb) | QUIET_BIT);
    }

    static void propagateNan(FloatContext c, int se, long s) {
        if (isUnsupported(se, s)) {
            invalid(c);
            return;
        }
        if ((s & QUIET_BIT) == 0) {
            c.raise(FloatContext.INVALID);
        }
        c.setExtended(se, s | QUIET_BIT);
    }

    /** Raises the invalid exception; the masked result is real indefinite. */
    static void invalid(FloatContext c) {
        c.raise(FloatContext.INVALID);
        c.setExtended(INDEFINITE_SIGN_EXPONENT, INDEFINITE_SIGNIFICAND);
    }

    static void denormalOperand(FloatContext c, int sea, long sa, int seb, long sb) {
        if (isDenormal(sea, sa) || isDenormal(seb, sb)) {
            c.raise(FloatContext.DENORMAL);
        }
        c.raise(c.widenedDenormal);
    }

    static void denormalOperand(FloatContext c, int se, long s) {
        if (isDenormal(se, s)) {
            c.raise(FloatContext.DENORMAL);
        }
    }

    static void infinity(FloatContext c, int sign) {
        c.setExtended(sign << 15 | MAX_EXPONENT, INTEGER_BIT);
    }

    static void zero(FloatContext c, int sign) {
        c.setExtended(sign << 15, 0);
    }

    /** Makes the result of the last rounding the context's result. */
    static void pack(FloatContext c) {
        c.signExponent = c.sign << 15 | c.exponent & MAX_EXPONENT;
    }
}
