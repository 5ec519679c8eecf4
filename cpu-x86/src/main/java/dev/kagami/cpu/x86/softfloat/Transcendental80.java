package dev.kagami.cpu.x86.softfloat;

import static dev.kagami.cpu.x86.softfloat.WideTables.ARCTANGENT;
import static dev.kagami.cpu.x86.softfloat.WideTables.ARCTANGENTS;
import static dev.kagami.cpu.x86.softfloat.WideTables.ARCTANGENT_POINTS;
import static dev.kagami.cpu.x86.softfloat.WideTables.ARCTANGENT_STEPS;
import static dev.kagami.cpu.x86.softfloat.WideTables.LOGARITHMS;
import static dev.kagami.cpu.x86.softfloat.WideTables.LOGARITHM_POINTS;
import static dev.kagami.cpu.x86.softfloat.WideTables.LOGARITHM_STEPS;
import static dev.kagami.cpu.x86.softfloat.WideTables.POWERS;
import static dev.kagami.cpu.x86.softfloat.WideTables.POWERS_MINUS_ONE;
import static dev.kagami.cpu.x86.softfloat.WideTables.POWER_POINTS;
import static dev.kagami.cpu.x86.softfloat.WideTables.POWER_STEPS;

/**
 * F2XM1, FYL2X, FYL2XP1, FPATAN, FSIN, FCOS and FPTAN.
 *
 * <p>Each is evaluated with 128-bit significands and rounded once, so results are correctly rounded but for one case in
 * about 2^55; processors promise less than one unit in the last place (SDM 1 8.3.10). Trigonometric arguments are reduced
 * with the processor's 66-bit pi (SDM 1 8.3.8). Precision control has no effect.
 */
public final class Transcendental80 {
    /** Exponent field of 2^63, from which on trigonometric instructions leave their operand alone. */
    private static final int TRIGONOMETRIC_LIMIT = Float80.BIAS + 63;

    /** Exponent below which x - x^3/6 and the like differ from x by less than a unit in the 128th bit. */
    private static final int TINY = -64;

    // pi / 2 as processors have it: 0xC90FDAA22168C234C * 2^-67.
    private static final long PI_HIGH = 0xCL;
    private static final long PI_LOW = 0x90FD_AA22_168C_234CL;
    private static final int PI_SCALE = -67;

    private Transcendental80() {}

    /**
     * Tells whether a trigonometric operand is too large: 2^63 or more.
     *
     * @param se sign and exponent
     * @param s significand
     * @return true for finite numbers from 2^63 on
     */
    public static boolean outOfRange(int se, long s) {
        int exponent = se & Float80.MAX_EXPONENT;
        return exponent >= TRIGONOMETRIC_LIMIT && exponent != Float80.MAX_EXPONENT && s < 0;
    }

    // ---------------------------------------------------------------- trigonometric

    /**
     * Computes the sine of a number below 2^63.
     *
     * @param c rounding and flags; receives the result
     * @param se sign and exponent
     * @param s significand
     */
    public static void sine(FloatContext c, int se, long s) {
        if (special(c, se, s)) {
            return;
        }
        if (s == 0) {
            c.setExtended(se, s);
            return;
        }
        Wide[] w = c.wide();
        int quadrant = reduce(w, se, s);
        sineOrCosine(w, w[1], (quadrant & 1) == 0);
        w[1].negative ^= (quadrant & 2) != 0;
        finish(c, w[1]);
    }

    /**
     * Computes the cosine of a number below 2^63.
     *
     * @param c rounding and flags; receives the result
     * @param se sign and exponent
     * @param s significand
     */
    public static void cosine(FloatContext c, int se, long s) {
        if (special(c, se, s)) {
            return;
        }
        if (s == 0) {
            c.setExtended(Float80.BIAS, Float80.INTEGER_BIT);
            return;
        }
        Wide[] w = c.wide();
        int quadrant = reduce(w, se, s) + 1;
        sineOrCosine(w, w[1], (quadrant & 1) == 0);
        w[1].negative ^= (quadrant & 2) != 0;
        finish(c, w[1]);
    }

    /**
     * Computes the tangent of a number below 2^63.
     *
     * @param c rounding and flags; receives the result
     * @param se sign and exponent
     * @param s significand
     */
    public static void tangent(FloatContext c, int se, long s) {
        if (special(c, se, s)) {
            return;
        }
        if (s == 0) {
            c.setExtended(se, s);
            return;
        }
        Wide[] w = c.wide();
        boolean odd = (reduce(w, se, s) & 1) != 0;
        sineOrCosine(w, w[1], !odd);
        sineOrCosine(w, w[2], odd);
        // tan(q * pi/2 + r) is tan(r) for even q and -1 / tan(r) for odd q.
        w[3].reciprocal(w[2], w[4]);
        w[1].multiply(w[1], w[3]);
        if (odd) {
            w[1].negative = !w[1].negative;
        }
        finish(c, w[1]);
    }

    /** Handles NaNs and infinities of trigonometric instructions, and the denormal flag. */
    private static boolean special(FloatContext c, int se, long s) {
        if (Float80.isNan(se, s) || Float80.isUnsupported(se, s)) {
            Float80.propagateNan(c, se, s);
            return true;
        }
        if (Float80.isInfinity(se, s)) {
            Float80.invalid(c);
            return true;
        }
        Float80.denormalOperand(c, se, s);
        return false;
    }

    /** Leaves the rest modulo pi/2, from -pi/4 to pi/4, in w[0]; returns the quotient's low two bits. */
    private static int reduce(Wide[] w, int se, long s) {
        Wide rest = w[0];
        int exponent = (se & Float80.MAX_EXPONENT) - Float80.BIAS;
        if (exponent < -1) {
            rest.setExtended(se, s);
            return 0;
        }
        // In units of 2^-67 the number is s << exponent + 4; its remainder by pi/2 is found bit by bit.
        long high = 0;
        long low = s;
        int quotient = 0;
        for (int i = exponent + 4; i > 0; i--) {
            high = high << 1 | low >>> 63;
            low <<= 1;
            quotient <<= 1;
            if (high > PI_HIGH || high == PI_HIGH && Long.compareUnsigned(low, PI_LOW) >= 0) {
                high -= PI_HIGH + (Long.compareUnsigned(low, PI_LOW) < 0 ? 1 : 0);
                low -= PI_LOW;
                quotient++;
            }
        }
        long doubledHigh = high << 1 | low >>> 63;
        boolean beyond = doubledHigh > PI_HIGH || doubledHigh == PI_HIGH && Long.compareUnsigned(low << 1, PI_LOW) > 0;
        if (beyond) {
            long borrow = Long.compareUnsigned(PI_LOW, low) < 0 ? 1 : 0;
            high = PI_HIGH - high - borrow;
            low = PI_LOW - low;
            quotient++;
        }
        rest.setInteger(high, low, PI_SCALE);
        boolean negative = (se & Float80.SIGN) != 0;
        rest.negative = beyond != negative;
        return (negative ? -quotient : quotient) & 3;
    }

    /** Evaluates the series for w[0] into the target; uses w[5] and w[6]. */
    private static void sineOrCosine(Wide[] w, Wide target, boolean sine) {
        Wide x = w[0];
        if (x.isZero()) {
            target.set(sine ? x : WideTables.ONE_WIDE);
            return;
        }
        if (x.exponent < TINY) {
            target.set(sine ? x : WideTables.ONE_WIDE);
            target.nudgeDown();
            return;
        }
        Wide square = w[5];
        square.multiply(x, x);
        polynomial(w[6], square, sine ? WideTables.SINE : WideTables.COSINE);
        if (sine) {
            target.multiply(w[6], x);
        } else {
            target.set(w[6]);
        }
    }

    private static void polynomial(Wide target, Wide x, Wide[] coefficients) {
        target.set(coefficients[coefficients.length - 1]);
        for (int k = coefficients.length - 2; k >= 0; k--) {
            target.multiply(target, x);
            target.add(target, coefficients[k]);
        }
    }

    // ---------------------------------------------------------------- arctangent

    /**
     * Computes arctan(y / x) with the quadrant of the point (x, y) (FPATAN).
     *
     * @param c rounding and flags; receives the result
     * @param sex sign and exponent of x, in ST(0)
     * @param sx its significand
     * @param sey sign and exponent of y, in ST(1)
     * @param sy its significand
     */
    public static void arctangent(FloatContext c, int sex, long sx, int sey, long sy) {
        if (nan(c, sex, sx, sey, sy)) {
            return;
        }
        Float80.denormalOperand(c, sex, sx, sey, sy);
        boolean negativeX = (sex & Float80.SIGN) != 0;
        boolean negativeY = (sey & Float80.SIGN) != 0;
        boolean infiniteX = Float80.isInfinity(sex, sx);
        boolean infiniteY = Float80.isInfinity(sey, sy);
        Wide[] w = c.wide();
        Wide angle = w[0];
        if (infiniteY) {
            angle.set(
                    !infiniteX ? WideTables.HALF_PI : negativeX ? WideTables.THREE_QUARTERS_PI : WideTables.QUARTER_PI);
        } else if (infiniteX || sy == 0) {
            if (!negativeX) {
                Float80.zero(c, negativeY ? 1 : 0);
                return;
            }
            angle.set(WideTables.PI);
        } else if (sx == 0) {
            angle.set(WideTables.HALF_PI);
        } else {
            Wide x = w[1];
            Wide y = w[2];
            x.setExtended(sex, sx);
            y.setExtended(sey, sy);
            x.negative = false;
            y.negative = false;
            boolean steep =
                    y.exponent > x.exponent || y.exponent == x.exponent && Long.compareUnsigned(y.high, x.high) > 0;
            w[3].reciprocal(steep ? y : x, w[4]);
            w[3].multiply(w[3], steep ? x : y);
            arctangentOfRatio(w, angle, w[3]);
            if (steep) {
                angle.subtractFrom(WideTables.HALF_PI);
            }
            if (negativeX) {
                angle.subtractFrom(WideTables.PI);
            }
        }
        angle.negative = negativeY;
        finish(c, angle);
    }

    /** Computes the arctangent of a ratio up to 1 into the target; uses w[4] to w[7]. */
    private static void arctangentOfRatio(Wide[] w, Wide target, Wide ratio) {
        if (ratio.exponent < TINY) {
            target.set(ratio);
            target.nudgeDown();
            return;
        }
        int index = 0;
        Wide z = w[4];
        z.set(ratio);
        if (ratio.exponent >= -6) {
            // The nearest of the table's points: ratio * 32 rounded.
            index = (int) ((ratio.high >>> (57 - ratio.exponent)) + 1 >>> 1);
            index = Math.min(index, ARCTANGENT_STEPS);
        }
        if (index != 0) {
            // arctan(t) = arctan(p) + arctan((t - p) / (1 + t * p))
            Wide point = ARCTANGENT_POINTS[index];
            w[5].multiply(ratio, point);
            w[5].add(w[5], WideTables.ONE_WIDE);
            w[6].reciprocal(w[5], w[7]);
            z.set(point);
            z.negative = true;
            z.add(ratio, z);
            z.multiply(z, w[6]);
        }
        w[5].multiply(z, z);
        polynomial(w[6], w[5], ARCTANGENT);
        target.multiply(w[6], z);
        if (index != 0) {
            target.add(target, ARCTANGENTS[index]);
        }
    }

    // ---------------------------------------------------------------- logarithms

    /**
     * Computes y * log2(x) (FYL2X).
     *
     * @param c rounding and flags; receives the result
     * @param sex sign and exponent of x, in ST(0)
     * @param sx its significand
     * @param sey sign and exponent of y, in ST(1)
     * @param sy its significand
     */
    public static void yLogarithm(FloatContext c, int sex, long sx, int sey, long sy) {
        if (nan(c, sex, sx, sey, sy)) {
            return;
        }
        int signY = sey >>> 15 & 1;
        boolean zeroY = Float80.isZero(sey, sy);
        boolean infiniteY = Float80.isInfinity(sey, sy);
        if (Float80.isZero(sex, sx)) {
            if (zeroY) {
                Float80.invalid(c);
                return;
            }
            if (!infiniteY) {
                c.raise(FloatContext.ZERO_DIVIDE);
            }
            Float80.infinity(c, signY ^ 1);
            return;
        }
        boolean infiniteX = Float80.isInfinity(sex, sx);
        boolean one = sex == Float80.BIAS && sx == Float80.INTEGER_BIT;
        if ((sex & Float80.SIGN) != 0 || infiniteX && zeroY || one && infiniteY) {
            Float80.invalid(c);
            return;
        }
        Float80.denormalOperand(c, sex, sx, sey, sy);
        int signLog = (sex & Float80.MAX_EXPONENT) < Float80.BIAS ? 1 : 0;
        if (infiniteX || infiniteY) {
            Float80.infinity(c, signY ^ signLog);
            return;
        }
        if (one || zeroY) {
            Float80.zero(c, signY ^ signLog);
            return;
        }
        Wide[] w = c.wide();
        Wide x = w[0];
        x.setExtended(sex, sx);
        if (sx << Long.numberOfLeadingZeros(sx) == Float80.INTEGER_BIT) {
            // A power of 2: the logarithm is an integer and the product may be exact.
            productWithInteger(c, x.exponent, sey, sy);
            return;
        }
        binaryLogarithm(w, w[1], x);
        times(c, w, w[1], sey, sy);
    }

    /**
     * Computes y * log2(x + 1) for x near 0 (FYL2XP1).
     *
     * @param c rounding and flags; receives the result
     * @param sex sign and exponent of x, in ST(0)
     * @param sx its significand
     * @param sey sign and exponent of y, in ST(1)
     * @param sy its significand
     */
    public static void yLogarithmPlusOne(FloatContext c, int sex, long sx, int sey, long sy) {
        if (nan(c, sex, sx, sey, sy)) {
            return;
        }
        int sign = (sex ^ sey) >>> 15 & 1;
        boolean zeroX = Float80.isZero(sex, sx);
        boolean zeroY = Float80.isZero(sey, sy);
        boolean infiniteX = Float80.isInfinity(sex, sx);
        boolean infiniteY = Float80.isInfinity(sey, sy);
        // Operands at or below -1 are outside of the defined range (SDM 2A FYL2XP1).
        boolean belowRange = (sex & Float80.SIGN) != 0 && (sex & Float80.MAX_EXPONENT) >= Float80.BIAS;
        if (zeroX && infiniteY || infiniteX && zeroY || belowRange) {
            Float80.invalid(c);
            return;
        }
        Float80.denormalOperand(c, sex, sx, sey, sy);
        if (infiniteX || infiniteY) {
            Float80.infinity(c, sign);
            return;
        }
        if (zeroX || zeroY) {
            Float80.zero(c, sign);
            return;
        }
        Wide[] w = c.wide();
        Wide x = w[0];
        x.setExtended(sex, sx);
        if (x.exponent < -8) {
            // ln(1 + x) = 2 artanh(x / (2 + x))
            w[2].add(x, WideTables.TWO_WIDE);
            w[3].reciprocal(w[2], w[4]);
            w[3].multiply(w[3], x);
            halfLogarithm(w, w[1], w[3]);
            w[1].multiply(w[1], WideTables.LOG2_E);
        } else {
            x.add(x, WideTables.ONE_WIDE);
            binaryLogarithm(w, w[1], x);
        }
        times(c, w, w[1], sey, sy);
    }

    /** Computes log2 of a positive number that is not 1 into the target; uses w[2] to w[7]. */
    private static void binaryLogarithm(Wide[] w, Wide target, Wide x) {
        int exponent = x.exponent;
        Wide m = w[2];
        m.set(x);
        // Take m from about [sqrt(1/2), sqrt(2)), so that nothing cancels between its logarithm and the exponent.
        boolean large = Long.compareUnsigned(m.high, 0xB504_F333_F9DE_6484L) >= 0;
        m.exponent = large ? -1 : 0;
        exponent = large ? exponent + 1 : exponent;
        int index = (int) ((m.high >>> (large ? 57 : 56)) + 1 >>> 1);
        // z = (m - p) / (m + p); ln m = ln p + 2 artanh z
        Wide point = LOGARITHM_POINTS[index];
        w[3].add(m, point);
        w[4].reciprocal(w[3], w[5]);
        w[3].set(point);
        w[3].negative = true;
        w[3].add(m, w[3]);
        w[3].multiply(w[3], w[4]);
        halfLogarithm(w, target, w[3]);
        if (index != LOGARITHM_STEPS) {
            target.add(target, LOGARITHMS[index]);
        }
        target.multiply(target, WideTables.LOG2_E);
        if (exponent != 0) {
            w[3].setInteger(0, Math.abs(exponent), 0);
            w[3].negative = exponent < 0;
            target.add(target, w[3]);
        }
    }

    /** Computes 2 artanh(z) for small z into the target; uses w[6] and w[7]. */
    private static void halfLogarithm(Wide[] w, Wide target, Wide z) {
        w[6].multiply(z, z);
        polynomial(w[7], w[6], WideTables.HALF_LOGARITHM);
        target.multiply(w[7], z);
    }

    /** Multiplies by y and rounds. */
    private static void times(FloatContext c, Wide[] w, Wide value, int sey, long sy) {
        w[2].setExtended(sey, sy);
        value.multiply(value, w[2]);
        finish(c, value);
    }

    /** Multiplies y by an integer with the flags of the exact product. */
    private static void productWithInteger(FloatContext c, int integer, int sey, long sy) {
        long magnitude = Math.abs(integer);
        int zeros = Long.numberOfLeadingZeros(magnitude);
        int sign = (sey >>> 15 & 1) ^ (integer < 0 ? 1 : 0);
        FloatCore.multiply(
                c,
                FloatFormat.EXTENDED,
                sign,
                Float80.exponent(sey, sy),
                Float80.normalized(sy),
                Float80.BIAS + 63 - zeros,
                magnitude << zeros);
        Float80.pack(c);
    }

    // ---------------------------------------------------------------- power

    /**
     * Computes 2^x - 1 for x from -1 to 1 (F2XM1). Operands outside are returned as they are.
     *
     * @param c rounding and flags; receives the result
     * @param se sign and exponent
     * @param s significand
     */
    public static void powerMinusOne(FloatContext c, int se, long s) {
        if (Float80.isNan(se, s) || Float80.isUnsupported(se, s)) {
            Float80.propagateNan(c, se, s);
            return;
        }
        Float80.denormalOperand(c, se, s);
        if ((se & Float80.MAX_EXPONENT) >= Float80.BIAS) {
            if (se == (Float80.SIGN | Float80.BIAS) && s == Float80.INTEGER_BIT) {
                // 2^-1 - 1
                c.setExtended(Float80.SIGN | Float80.BIAS - 1, s);
            } else if (se == (Float80.SIGN | Float80.MAX_EXPONENT)) {
                c.setExtended(Float80.SIGN | Float80.BIAS, s);
            } else {
                c.setExtended(se, s);
            }
            return;
        }
        if (s == 0) {
            c.setExtended(se, s);
            return;
        }
        Wide[] w = c.wide();
        Wide x = w[0];
        x.setExtended(se, s);
        // x = i / 32 + r
        int steps = x.exponent < -6 ? 0 : (int) ((x.high >>> (57 - x.exponent)) + 1 >>> 1);
        int index = POWER_STEPS + (x.negative ? -steps : steps);
        if (steps != 0) {
            w[1].set(POWER_POINTS[index]);
            w[1].negative = !w[1].negative;
            x.add(x, w[1]);
        }
        Wide result = w[2];
        if (x.isZero()) {
            result.set(POWERS_MINUS_ONE[index]);
        } else {
            // 2^(i/32 + r) - 1 = (2^(i/32) - 1) + 2^(i/32) * (e^(r ln 2) - 1)
            x.multiply(x, WideTables.LN2);
            polynomial(w[3], x, WideTables.EXPONENTIAL);
            w[3].multiply(w[3], x);
            if (steps != 0) {
                w[3].multiply(w[3], POWERS[index]);
                result.add(w[3], POWERS_MINUS_ONE[index]);
            } else {
                result.set(w[3]);
            }
        }
        finish(c, result);
    }

    // ---------------------------------------------------------------- shared

    private static boolean nan(FloatContext c, int sex, long sx, int sey, long sy) {
        if (Float80.isNan(sex, sx)
                || Float80.isNan(sey, sy)
                || Float80.isUnsupported(sex, sx)
                || Float80.isUnsupported(sey, sy)) {
            Float80.propagateNan(c, sex, sx, sey, sy);
            return true;
        }
        return false;
    }

    /** Rounds an irrational result: never exact. */
    private static void finish(FloatContext c, Wide value) {
        if (value.isZero()) {
            Float80.zero(c, value.negative ? 1 : 0);
            return;
        }
        FloatCore.round(
                c,
                FloatFormat.EXTENDED,
                value.negative ? 1 : 0,
                value.exponent + Float80.BIAS,
                value.high,
                value.low | 1);
        Float80.pack(c);
    }
}
