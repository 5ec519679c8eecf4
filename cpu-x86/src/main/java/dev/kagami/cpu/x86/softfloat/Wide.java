package dev.kagami.cpu.x86.softfloat;

import java.math.BigInteger;

/**
 * A mutable number with a 128-bit significand and an unbounded exponent, for the inner steps of the transcendental
 * instructions. Results are truncated: an operation's relative error is below 2^-125, which leaves 60 bits to spare for
 * the final rounding to 64.
 */
final class Wide {
    private static final Wide TWO = scaled(BigInteger.TWO, 0);

    /** The value is (high:low) * 2^(exponent - 127), with bit 63 of high set; high is 0 for zero. */
    long high;

    long low;
    int exponent;
    boolean negative;

    /** Makes a constant from an integer scaled by 2^-scale. */
    static Wide scaled(BigInteger value, int scale) {
        Wide w = new Wide();
        BigInteger magnitude = value.abs();
        if (magnitude.signum() != 0) {
            int bits = magnitude.bitLength();
            BigInteger top = bits > 128 ? magnitude.shiftRight(bits - 128) : magnitude.shiftLeft(128 - bits);
            w.high = top.shiftRight(64).longValue();
            w.low = top.longValue();
            w.exponent = bits - 1 - scale;
            w.negative = value.signum() < 0;
        }
        return w;
    }

    boolean isZero() {
        return high == 0;
    }

    void set(Wide a) {
        high = a.high;
        low = a.low;
        exponent = a.exponent;
        negative = a.negative;
    }

    /** Takes over a finite 80-bit number. */
    void setExtended(int se, long s) {
        high = Float80.normalized(s);
        low = 0;
        exponent = Float80.exponent(se, s) - Float80.BIAS;
        negative = (se & Float80.SIGN) != 0;
    }

    /** Becomes (high:low) * 2^scale for any 128-bit integer. */
    void setInteger(long newHigh, long newLow, int scale) {
        high = newHigh;
        low = newLow;
        exponent = scale + 127;
        negative = false;
        normalize();
    }

    private void normalize() {
        if (high == 0) {
            if (low == 0) {
                return;
            }
            high = low;
            low = 0;
            exponent -= 64;
        }
        int zeros = Long.numberOfLeadingZeros(high);
        if (zeros != 0) {
            high = high << zeros | low >>> (64 - zeros);
            low <<= zeros;
            exponent -= zeros;
        }
    }

    /** Becomes a + b; either may be this. */
    void add(Wide a, Wide b) {
        if (b.isZero()) {
            set(a);
            return;
        }
        if (a.isZero()) {
            set(b);
            return;
        }
        boolean swap = a.exponent < b.exponent
                || a.exponent == b.exponent
                        && (Long.compareUnsigned(a.high, b.high) < 0
                                || a.high == b.high && Long.compareUnsigned(a.low, b.low) < 0);
        Wide big = swap ? b : a;
        Wide small = swap ? a : b;
        int distance = Math.min(big.exponent - small.exponent, 128);
        long smallHigh = distance < 64 ? small.high >>> distance : 0;
        long smallLow = shiftedLow(small, distance);
        long sumHigh;
        long sumLow;
        int sumExponent = big.exponent;
        boolean sumNegative = big.negative;
        if (a.negative == b.negative) {
            sumLow = big.low + smallLow;
            long carry = Long.compareUnsigned(sumLow, smallLow) < 0 ? 1 : 0;
            sumHigh = big.high + smallHigh + carry;
            // Both halves have at most 64 bits: the sum wrapped if it is below the larger summand.
            int order = Long.compareUnsigned(sumHigh, big.high);
            if (order < 0 || order == 0 && (smallHigh | carry) != 0) {
                sumLow = sumHigh << 63 | sumLow >>> 1;
                sumHigh = sumHigh >>> 1 | Long.MIN_VALUE;
                sumExponent++;
            }
        } else {
            sumLow = big.low - smallLow;
            sumHigh = big.high - smallHigh - (Long.compareUnsigned(big.low, smallLow) < 0 ? 1 : 0);
        }
        high = sumHigh;
        low = sumLow;
        exponent = sumExponent;
        negative = sumNegative;
        normalize();
    }

    private static long shiftedLow(Wide w, int distance) {
        if (distance == 0) {
            return w.low;
        }
        if (distance < 64) {
            return w.high << (64 - distance) | w.low >>> distance;
        }
        return distance < 128 ? w.high >>> (distance - 64) : 0;
    }

    /** Becomes a - this. */
    void subtractFrom(Wide a) {
        negative = !negative;
        add(a, this);
    }

    /** Becomes a * b; either may be this. */
    void multiply(Wide a, Wide b) {
        if (a.isZero() || b.isZero()) {
            high = 0;
            low = 0;
            return;
        }
        long top = Math.unsignedMultiplyHigh(a.high, b.high);
        long middle = a.high * b.high;
        long first = Math.unsignedMultiplyHigh(a.high, b.low);
        long second = Math.unsignedMultiplyHigh(a.low, b.high);
        middle += first;
        if (Long.compareUnsigned(middle, first) < 0) {
            top++;
        }
        middle += second;
        if (Long.compareUnsigned(middle, second) < 0) {
            top++;
        }
        boolean sign = a.negative != b.negative;
        exponent = a.exponent + b.exponent + 1;
        high = top;
        low = middle;
        negative = sign;
        normalize();
    }

    /** Becomes 1 / b by one Newton step from a 63-bit estimate; b is neither zero nor this. */
    void reciprocal(Wide b, Wide scratch) {
        // 2^126 / b.high in 64 bits: between 2^62 and 2^63.
        long estimate = FloatCore.divideWide(1L << 62, 0, b.high);
        setInteger(0, estimate, -63 - b.exponent);
        negative = b.negative;
        // x * (2 - b * x)
        scratch.multiply(b, this);
        scratch.negative = !scratch.negative;
        scratch.add(TWO, scratch);
        multiply(this, scratch);
    }

    /** Moves the magnitude down by one unit in the 128th bit. */
    void nudgeDown() {
        if (low == 0) {
            high--;
        }
        low--;
        if (high >= 0) {
            normalize();
        }
    }
}
