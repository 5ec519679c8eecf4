package dev.kagami.cpu.x86.softfloat;

/** FPREM, FPREM1 and FXTRACT: operations that take 80-bit numbers apart. */
public final class Remainder80 {
    /** From this difference of exponents on, one instruction does not finish the reduction. */
    private static final int COMPLETE_LIMIT = 64;

    /** The reduction is complete; bits 0 to 2 of the returned value are the quotient's low bits. */
    public static final int COMPLETE = 0;

    /** The reduction is partial and has to be repeated: the unit's C2. */
    public static final int PARTIAL = 8;

    private Remainder80() {}

    /**
     * Computes the remainder of a by b.
     *
     * @param c flags; receives the result
     * @param sea sign and exponent of the dividend
     * @param sa its significand
     * @param seb sign and exponent of the divisor
     * @param sb its significand
     * @param nearest true for FPREM1 (quotient rounded to nearest), false for FPREM (truncated)
     * @return the three low bits of the quotient, or {@link #PARTIAL}
     */
    public static int remainder(FloatContext c, int sea, long sa, int seb, long sb, boolean nearest) {
        if (Float80.isNan(sea, sa)
                || Float80.isUnsupported(sea, sa)
                || Float80.isNan(seb, sb)
                || Float80.isUnsupported(seb, sb)) {
            Float80.propagateNan(c, sea, sa, seb, sb);
            return COMPLETE;
        }
        if (Float80.isInfinity(sea, sa) || Float80.isZero(seb, sb)) {
            Float80.invalid(c);
            return COMPLETE;
        }
        Float80.denormalOperand(c, sea, sa, seb, sb);
        int sign = sea >>> 15 & 1;
        if (Float80.isZero(sea, sa)) {
            c.setExtended(sea, sa);
            return COMPLETE;
        }
        if (Float80.isInfinity(seb, sb)) {
            // The operand is exact, but a denormal one has to go through rounding for the underflow flag.
            finish(c, sign, Float80.exponent(sea, sa), Float80.normalized(sa));
            return COMPLETE;
        }
        int eb = Float80.exponent(seb, sb);
        long divisor = Float80.normalized(sb);
        long rest = Float80.normalized(sa);
        int distance = Float80.exponent(sea, sa) - eb;
        if (distance < -1 || distance < 0 && !nearest) {
            finish(c, sign, eb + distance, rest);
            return COMPLETE;
        }
        if (distance >= COMPLETE_LIMIT) {
            // SDM 2A FPREM: reduces the exponent's difference by 32 to 63.
            int reduction = distance & 31 | 32;
            rest = reduce(rest, divisor, reduction);
            if (rest == 0) {
                Float80.zero(c, sign);
            } else {
                finish(c, sign, eb + distance - reduction, rest);
            }
            return PARTIAL;
        }
        long quotient = 0;
        if (distance >= 0) {
            if (Long.compareUnsigned(rest, divisor) >= 0) {
                rest -= divisor;
                quotient = 1;
            }
            if (distance > 0) {
                long fraction = FloatCore.divideWide(rest >>> (64 - distance), rest << distance, divisor);
                rest = (rest << distance) - fraction * divisor;
                quotient = (quotient << distance) + fraction;
            }
            if (nearest) {
                // Compare twice the rest with the divisor without overflow.
                long other = divisor - rest;
                int order = Long.compareUnsigned(rest, other);
                if (order > 0 || order == 0 && (quotient & 1) != 0) {
                    rest = other;
                    sign ^= 1;
                    quotient++;
                }
            }
            return finishQuotient(c, sign, eb, rest, quotient);
        }
        // FPREM1 with a dividend in [divisor / 2, divisor): the quotient is 1 if it is above the half.
        if (Long.compareUnsigned(rest, divisor) > 0) {
            // 2 * divisor - rest fits 64 bits, because rest is the larger of two normalized significands.
            return finishQuotient(c, sign ^ 1, eb - 1, (divisor << 1) - rest, 1);
        }
        finish(c, sign, eb - 1, rest);
        return COMPLETE;
    }

    private static int finishQuotient(FloatContext c, int sign, int exponent, long rest, long quotient) {
        if (rest == 0) {
            // A zero remainder has the dividend's sign; no quotient is rounded up then.
            Float80.zero(c, sign);
        } else {
            finish(c, sign, exponent, rest);
        }
        return (int) quotient & 7;
    }

    /** Computes rest * 2^distance modulo the divisor, for a distance up to 63. */
    private static long reduce(long significand, long divisor, int distance) {
        long rest = Long.compareUnsigned(significand, divisor) >= 0 ? significand - divisor : significand;
        long high = rest >>> (64 - distance);
        long low = rest << distance;
        return low - FloatCore.divideWide(high, low, divisor) * divisor;
    }

    private static void finish(FloatContext c, int sign, int exponent, long significand) {
        int zeros = Long.numberOfLeadingZeros(significand);
        FloatCore.round(c, FloatFormat.EXTENDED, sign, exponent - zeros, significand << zeros, 0);
        Float80.pack(c);
    }

    /**
     * Extracts the exponent (FXTRACT): the context receives the unbiased exponent as a number. For zero this is minus
     * infinity with the zero-divide exception.
     *
     * @param c flags; receives the exponent
     * @param se sign and exponent of the operand
     * @param s its significand
     */
    public static void extractExponent(FloatContext c, int se, long s) {
        if (Float80.isNan(se, s) || Float80.isUnsupported(se, s)) {
            Float80.propagateNan(c, se, s);
        } else if (Float80.isInfinity(se, s)) {
            Float80.infinity(c, 0);
        } else if (s == 0) {
            c.raise(FloatContext.ZERO_DIVIDE);
            Float80.infinity(c, 1);
        } else {
            Float80.denormalOperand(c, se, s);
            Float80.fromInteger(c, Float80.exponent(se, s) - Float80.BIAS);
        }
    }

    /**
     * Extracts the significand (FXTRACT): the context receives the number with exponent 0. NaNs, infinities and zeros
     * are their own significands.
     *
     * @param c receives the significand
     * @param se sign and exponent of the operand
     * @param s its significand
     */
    public static void extractSignificand(FloatContext c, int se, long s) {
        if (Float80.isNan(se, s) || Float80.isUnsupported(se, s)) {
            Float80.propagateNan(c, se, s);
        } else if (Float80.isInfinity(se, s) || s == 0) {
            c.setExtended(se, s);
        } else {
            c.setExtended(se & Float80.SIGN | Float80.BIAS, Float80.normalized(s));
        }
    }
}
