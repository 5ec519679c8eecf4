package dev.kagami.cpu.x86.softfloat;

/** A product and a sum with one rounding, on binary32 and binary64 numbers as in {@link BinaryFloat}. */
public final class FusedMultiplyAdd {
    private FusedMultiplyAdd() {}

    /**
     * Computes {@code ±(x * y) ± z}. Of several NaNs the first in the order x, y, z is the result (SDM 1 table 14-17).
     *
     * @param c rounding mode and flags
     * @param f the operands' format
     * @param x multiplicand
     * @param y multiplier
     * @param z addend
     * @param negateProduct whether the product's sign is inverted
     * @param negateAddend 1 to subtract z, 0 to add it
     * @return the rounded result
     */
    public static long combine(
            FloatContext c, FloatFormat f, long x, long y, long z, boolean negateProduct, int negateAddend) {
        if (f.isNan(x) || f.isNan(y) || f.isNan(z)) {
            return nan(c, f, x, y, z);
        }
        long a = BinaryFloat.operand(c, f, x);
        long b = BinaryFloat.operand(c, f, y);
        long d = BinaryFloat.operand(c, f, z);
        int sign = f.sign(a) ^ f.sign(b) ^ (negateProduct ? 1 : 0);
        int addendSign = f.sign(d) ^ negateAddend;
        boolean infinite = f.isInfinity(a) || f.isInfinity(b);
        if (infinite) {
            if (f.isZero(a) || f.isZero(b) || f.isInfinity(d) && addendSign != sign) {
                return BinaryFloat.invalid(c, f);
            }
        }
        if (f.isDenormal(a) || f.isDenormal(b) || f.isDenormal(d)) {
            c.raise(FloatContext.DENORMAL);
        }
        if (infinite) {
            return signed(f, sign, f.infinity);
        }
        if (f.isInfinity(d)) {
            return signed(f, addendSign, f.infinity);
        }
        long addend = f.significand(d);
        if (f.isZero(a) || f.isZero(b)) {
            if (addend == 0) {
                return signed(f, sign == addendSign ? sign : FloatCore.exactZeroSign(c), 0);
            }
            FloatCore.round(c, f, addendSign, f.exponent(d), addend, 0);
            return BinaryFloat.pack(c, f);
        }
        long sa = f.significand(a);
        long sb = f.significand(b);
        long high = Math.unsignedMultiplyHigh(sa, sb);
        long low = sa * sb;
        int exponent = f.exponent(a) + f.exponent(b) - f.bias + 1;
        if (high >= 0) {
            high = high << 1 | low >>> 63;
            low <<= 1;
            exponent--;
        }
        if (addend == 0) {
            FloatCore.round(c, f, sign, exponent, high, low);
            return BinaryFloat.pack(c, f);
        }
        return add(c, f, sign, exponent, high, low, addendSign, f.exponent(d), addend);
    }

    private static long nan(FloatContext c, FloatFormat f, long x, long y, long z) {
        // Infinity times zero is invalid only when the addend is not a quiet NaN, which it then is what the result is.
        if (f.isSignalingNan(x) || f.isSignalingNan(y) || f.isSignalingNan(z)) {
            c.raise(FloatContext.INVALID);
        }
        return (f.isNan(x) ? x : f.isNan(y) ? y : z) | f.quietBit;
    }

    private static long signed(FloatFormat f, int sign, long magnitude) {
        return sign != 0 ? f.signMask | magnitude : magnitude;
    }

    /**
     * Adds the addend to the product, both normalized. The product has at most 106 significant bits of its 128, so bits
     * only fall out at the end where they are worth no more than a sticky bit.
     */
    private static long add(
            FloatContext c,
            FloatFormat f,
            int sign,
            int exponent,
            long high,
            long low,
            int addendSign,
            int addendExponent,
            long addend) {
        long bigHigh = high;
        long bigLow = low;
        int bigExponent = exponent;
        int bigSign = sign;
        long smallHigh = addend;
        long smallLow = 0;
        int distance = exponent - addendExponent;
        if (distance < 0 || distance == 0 && lessUnsigned(high, low, addend, 0)) {
            distance = -distance;
            bigHigh = addend;
            bigLow = 0;
            bigExponent = addendExponent;
            bigSign = addendSign;
            smallHigh = high;
            smallLow = low;
        }
        smallLow = FloatCore.shiftRightLow(smallHigh, smallLow, distance);
        smallHigh = distance < 64 ? smallHigh >>> distance : 0;
        long sumHigh;
        long sumLow;
        if (sign == addendSign) {
            sumLow = bigLow + smallLow;
            long carry = Long.compareUnsigned(sumLow, bigLow) < 0 ? 1 : 0;
            sumHigh = bigHigh + smallHigh + carry;
            boolean over = carry != 0
                    ? Long.compareUnsigned(sumHigh, bigHigh) <= 0
                    : Long.compareUnsigned(sumHigh, bigHigh) < 0;
            if (over) {
                sumLow = sumHigh << 63 | sumLow >>> 1 | sumLow & 1;
                sumHigh = sumHigh >>> 1 | Long.MIN_VALUE;
                bigExponent++;
            }
        } else {
            sumLow = bigLow - smallLow;
            sumHigh = bigHigh - smallHigh - (Long.compareUnsigned(bigLow, smallLow) < 0 ? 1 : 0);
            if ((sumHigh | sumLow) == 0) {
                return signed(f, FloatCore.exactZeroSign(c), 0);
            }
            if (sumHigh == 0) {
                sumHigh = sumLow;
                sumLow = 0;
                bigExponent -= 64;
            }
            int zeros = Long.numberOfLeadingZeros(sumHigh);
            if (zeros != 0) {
                sumHigh = sumHigh << zeros | sumLow >>> 64 - zeros;
                sumLow <<= zeros;
                bigExponent -= zeros;
            }
        }
        FloatCore.round(c, f, bigSign, bigExponent, sumHigh, sumLow);
        return BinaryFloat.pack(c, f);
    }

    private static boolean lessUnsigned(long high, long low, long otherHigh, long otherLow) {
        int order = Long.compareUnsigned(high, otherHigh);
        return order < 0 || order == 0 && Long.compareUnsigned(low, otherLow) < 0;
    }
}
