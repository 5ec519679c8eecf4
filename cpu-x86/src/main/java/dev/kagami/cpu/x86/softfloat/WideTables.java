package dev.kagami.cpu.x86.softfloat;

import java.math.BigInteger;

/**
 * Constants and tables for {@link Transcendental80}, worked out from their series in fixed point when the class is first
 * used (some milliseconds), so that no long digits need to be trusted.
 */
final class WideTables {
    /** Fraction bits of the fixed-point numbers. */
    private static final int SCALE = 192;

    private static final BigInteger ONE = BigInteger.ONE.shiftLeft(SCALE);

    /** Steps per unit of the arctangent's table. */
    static final int ARCTANGENT_STEPS = 32;

    /** Steps per octave of the power's table. */
    static final int POWER_STEPS = 32;

    /** Steps per unit of the logarithm's table. */
    static final int LOGARITHM_STEPS = 64;

    /** Smallest index of the logarithm's table: a bit below sqrt(1/2). */
    static final int LOGARITHM_FIRST = 44;

    /** Largest index of the logarithm's table: a bit above sqrt(2). */
    static final int LOGARITHM_LAST = 92;

    private static final BigInteger FIXED_LN2 = logarithm(BigInteger.TWO, BigInteger.ONE);
    private static final BigInteger FIXED_QUARTER_PI = arctangent(BigInteger.ONE, BigInteger.ONE);

    static final Wide ONE_WIDE = Wide.scaled(ONE, SCALE);
    static final Wide TWO_WIDE = Wide.scaled(ONE, SCALE - 1);
    static final Wide LN2 = Wide.scaled(FIXED_LN2, SCALE);
    static final Wide LOG2_E = Wide.scaled(ONE.shiftLeft(SCALE).divide(FIXED_LN2), SCALE);
    static final Wide PI = Wide.scaled(FIXED_QUARTER_PI, SCALE - 2);
    static final Wide HALF_PI = Wide.scaled(FIXED_QUARTER_PI, SCALE - 1);
    static final Wide QUARTER_PI = Wide.scaled(FIXED_QUARTER_PI, SCALE);
    static final Wide THREE_QUARTERS_PI = Wide.scaled(FIXED_QUARTER_PI.multiply(BigInteger.valueOf(3)), SCALE);

    /** arctan(i / 32) for i from 0 to 32. */
    static final Wide[] ARCTANGENTS = new Wide[ARCTANGENT_STEPS + 1];

    /** i / 32. */
    static final Wide[] ARCTANGENT_POINTS = new Wide[ARCTANGENT_STEPS + 1];

    /** ln(i / 64). */
    static final Wide[] LOGARITHMS = new Wide[LOGARITHM_LAST + 1];

    /** i / 64. */
    static final Wide[] LOGARITHM_POINTS = new Wide[LOGARITHM_LAST + 1];

    /** 2^(i / 32) for i from -32 to 32, at index i + 32. */
    static final Wide[] POWERS = new Wide[2 * POWER_STEPS + 1];

    /** 2^(i / 32) - 1, likewise. */
    static final Wide[] POWERS_MINUS_ONE = new Wide[2 * POWER_STEPS + 1];

    /** i / 32, likewise. */
    static final Wide[] POWER_POINTS = new Wide[2 * POWER_STEPS + 1];

    /** (-1)^k / (2k + 1)!. */
    static final Wide[] SINE = new Wide[18];

    /** (-1)^k / (2k)!. */
    static final Wide[] COSINE = new Wide[19];

    /** (-1)^k / (2k + 1). */
    static final Wide[] ARCTANGENT = new Wide[14];

    /** 2 / (2k + 1). */
    static final Wide[] HALF_LOGARITHM = new Wide[12];

    /** 1 / (k + 1)!. */
    static final Wide[] EXPONENTIAL = new Wide[18];

    static {
        for (int i = 0; i <= ARCTANGENT_STEPS; i++) {
            ARCTANGENTS[i] = Wide.scaled(arctangent(integer(i), integer(ARCTANGENT_STEPS)), SCALE);
            ARCTANGENT_POINTS[i] = Wide.scaled(integer(i), 5);
        }
        for (int i = LOGARITHM_FIRST; i <= LOGARITHM_LAST; i++) {
            LOGARITHMS[i] = Wide.scaled(logarithm(integer(i), integer(LOGARITHM_STEPS)), SCALE);
            LOGARITHM_POINTS[i] = Wide.scaled(integer(i), 6);
        }
        for (int i = -POWER_STEPS; i <= POWER_STEPS; i++) {
            BigInteger power = exponential(FIXED_LN2.multiply(integer(i)).shiftRight(5));
            POWERS[i + POWER_STEPS] = Wide.scaled(power, SCALE);
            // At the ends and in the middle the series' last bit must not show.
            boolean exact = i % POWER_STEPS == 0;
            BigInteger difference = exact ? exactPower(i).subtract(ONE) : power.subtract(ONE);
            POWERS_MINUS_ONE[i + POWER_STEPS] = Wide.scaled(difference, SCALE);
            POWER_POINTS[i + POWER_STEPS] = Wide.scaled(integer(i), 5);
        }
        BigInteger factorial = BigInteger.ONE;
        for (int n = 0; n <= 2 * SINE.length; n++) {
            if (n > 0) {
                factorial = factorial.multiply(integer(n));
            }
            BigInteger inverse = ONE.shiftLeft(64).divide(factorial);
            BigInteger signed = (n / 2 & 1) != 0 ? inverse.negate() : inverse;
            if ((n & 1) != 0 && n / 2 < SINE.length) {
                SINE[n / 2] = Wide.scaled(signed, SCALE + 64);
            } else if ((n & 1) == 0 && n / 2 < COSINE.length) {
                COSINE[n / 2] = Wide.scaled(signed, SCALE + 64);
            }
            if (n >= 1 && n <= EXPONENTIAL.length) {
                EXPONENTIAL[n - 1] = Wide.scaled(inverse, SCALE + 64);
            }
        }
        for (int k = 0; k < ARCTANGENT.length; k++) {
            BigInteger inverse = ONE.divide(integer(2 * k + 1));
            ARCTANGENT[k] = Wide.scaled((k & 1) != 0 ? inverse.negate() : inverse, SCALE);
        }
        for (int k = 0; k < HALF_LOGARITHM.length; k++) {
            HALF_LOGARITHM[k] = Wide.scaled(ONE.shiftLeft(1).divide(integer(2 * k + 1)), SCALE);
        }
    }

    private WideTables() {}

    private static BigInteger integer(int value) {
        return BigInteger.valueOf(value);
    }

    private static BigInteger exactPower(int i) {
        return i < 0 ? ONE.shiftRight(1) : i == 0 ? ONE : ONE.shiftLeft(1);
    }

    /** ln(n / d) = 2 artanh((n - d) / (n + d)). */
    private static BigInteger logarithm(BigInteger n, BigInteger d) {
        BigInteger numerator = n.subtract(d);
        BigInteger denominator = n.add(d);
        BigInteger power = ONE.multiply(numerator).divide(denominator);
        BigInteger sum = BigInteger.ZERO;
        for (int k = 1; power.signum() != 0; k += 2) {
            sum = sum.add(power.divide(integer(k)));
            power = power.multiply(numerator).multiply(numerator).divide(denominator.multiply(denominator));
        }
        return sum.shiftLeft(1);
    }

    /** arctan(n / d) by Euler's series, whose terms shrink by more than half each for n up to d. */
    private static BigInteger arctangent(BigInteger n, BigInteger d) {
        BigInteger squares = n.multiply(n).add(d.multiply(d));
        BigInteger term = ONE.multiply(n).multiply(d).divide(squares);
        BigInteger sum = BigInteger.ZERO;
        for (int k = 1; term.signum() != 0; k++) {
            sum = sum.add(term);
            term = term.multiply(n).multiply(n).multiply(integer(2 * k)).divide(squares.multiply(integer(2 * k + 1)));
        }
        return sum;
    }

    private static BigInteger exponential(BigInteger x) {
        BigInteger term = ONE;
        BigInteger sum = BigInteger.ZERO;
        for (int k = 1; term.signum() != 0 && !term.equals(BigInteger.ONE.negate()); k++) {
            sum = sum.add(term);
            term = term.multiply(x).shiftRight(SCALE).divide(integer(k));
        }
        return sum;
    }
}
