package dev.kagami.cpu.x86.softfloat;

import java.math.BigInteger;

/** Rounds exact rational numbers by IEEE 754's definitions, slowly and obviously. */
final class ReferenceRounding {
    /** Significand as an integer of at most the precision's bits. */
    BigInteger significand = BigInteger.ZERO;

    /** The value is significand * 2^exponent. */
    int exponent;

    boolean inexact;
    boolean tiny;
    boolean overflow;

    /** An exact number: numerator / denominator * 2^exponent, both positive. */
    record Exact(BigInteger numerator, BigInteger denominator, int exponent) {
        static Exact of(BigInteger numerator, int exponent) {
            return new Exact(numerator, BigInteger.ONE, exponent);
        }
    }

    static ReferenceRounding round(Exact value, boolean negative, FloatFormat f, int mode) {
        ReferenceRounding result = new ReferenceRounding();
        int smallest = 1 - f.bias - (f.precision - 1);
        int leading = leadingBit(value);
        result.roundAt(value, negative, mode, leading - f.precision + 1);
        BigInteger limit = BigInteger.ONE.shiftLeft(f.precision - 1);
        int unbounded = result.exponent;
        // Compare the result of rounding with an unbounded exponent to the smallest normal number.
        result.tiny = result.significand.bitLength() - 1 + unbounded < 1 - f.bias;
        if (leading - f.precision + 1 < smallest) {
            result.roundAt(value, negative, mode, smallest);
        }
        int top = result.significand.bitLength() - 1 + result.exponent;
        result.overflow = result.significand.signum() != 0 && top > f.bias;
        assert limit.signum() > 0;
        return result;
    }

    private void roundAt(Exact value, boolean negative, int mode, int quantum) {
        BigInteger n = value.numerator;
        BigInteger d = value.denominator;
        int shift = value.exponent - quantum;
        if (shift >= 0) {
            n = n.shiftLeft(shift);
        } else {
            d = d.shiftLeft(-shift);
        }
        BigInteger[] parts = n.divideAndRemainder(d);
        int half = parts[1].shiftLeft(1).compareTo(d);
        inexact = parts[1].signum() != 0;
        boolean up = switch (mode) {
            case FloatContext.ROUND_NEAREST -> half > 0 || half == 0 && parts[0].testBit(0);
            case FloatContext.ROUND_DOWN -> negative && inexact;
            case FloatContext.ROUND_UP -> !negative && inexact;
            default -> false;
        };
        significand = up ? parts[0].add(BigInteger.ONE) : parts[0];
        exponent = quantum;
    }

    private static int leadingBit(Exact value) {
        int guess = value.numerator.bitLength() - value.denominator.bitLength();
        boolean less = guess >= 0
                ? value.numerator.compareTo(value.denominator.shiftLeft(guess)) < 0
                : value.numerator.shiftLeft(-guess).compareTo(value.denominator) < 0;
        return (less ? guess - 1 : guess) + value.exponent;
    }

    /** Biased exponent field for the format. */
    int field(FloatFormat f, boolean negative, int mode) {
        if (overflow) {
            return toInfinity(negative, mode) ? f.maxExponent : f.maxExponent - 1;
        }
        if (significand.signum() == 0) {
            return 0;
        }
        return Math.max(0, significand.bitLength() - 1 + exponent + f.bias);
    }

    /** Significand with the integer bit in bit 63. */
    long leftAligned(FloatFormat f, boolean negative, int mode) {
        if (overflow) {
            return toInfinity(negative, mode) ? Long.MIN_VALUE : -1L << (64 - f.precision);
        }
        int lowest = 1 - f.bias - 63;
        int top = significand.bitLength() - 1 + exponent;
        int shift = top >= 1 - f.bias ? 64 - significand.bitLength() : exponent - lowest;
        return significand.shiftLeft(shift).longValue();
    }

    int flags() {
        if (overflow) {
            return FloatContext.OVERFLOW | FloatContext.INEXACT;
        }
        return inexact ? FloatContext.INEXACT | (tiny ? FloatContext.UNDERFLOW : 0) : 0;
    }

    private static boolean toInfinity(boolean negative, int mode) {
        return mode == FloatContext.ROUND_NEAREST
                || mode == (negative ? FloatContext.ROUND_DOWN : FloatContext.ROUND_UP);
    }
}
