package dev.kagami.cpu.x86.softfloat;

/**
 * The arithmetic that all formats share: operations on a sign, a biased exponent and a 64-bit significand whose leading
 * one is in bit 63, each giving a 128-bit significand (the last bit sticky) that is then rounded to a format.
 *
 * <p>Rounding leaves sign, exponent field and significand (left-aligned, integer bit in bit 63) in the context.
 */
final class FloatCore {
    /** By how much an unmasked overflow or underflow moves the exponent of an x87 result (SDM 1 4.9.1.5). */
    private static final int WRAP = 24576;

    private static final long TOP = Long.MIN_VALUE;

    private FloatCore() {}

    /**
     * Rounds a nonzero number.
     *
     * @param exponent biased exponent of the leading bit, of any size
     * @param high significand, bit 63 set
     * @param low the significand's continuation; its lowest bit stands for all that follow
     */
    static void round(FloatContext c, FloatFormat f, int sign, int exponent, long high, long low) {
        c.sign = sign;
        if (exponent <= 0) {
            boolean tiny = exponent < 0 || !roundingCarries(c, f, sign, high, low);
            if (tiny) {
                if ((c.masks & FloatContext.UNDERFLOW) == 0) {
                    // Inexactness is that of rounding with an unbounded exponent; SSE discards the number itself.
                    c.raise(FloatContext.UNDERFLOW);
                    c.exponent = exponent + WRAP;
                    roundSignificand(c, f, high, low);
                    return;
                } else if (c.flushToZero) {
                    c.raise(FloatContext.UNDERFLOW | FloatContext.INEXACT);
                    c.exponent = 0;
                    c.significand = 0;
                    return;
                }
            }
            int distance = 1 - exponent;
            long shiftedLow = shiftRightLow(high, low, distance);
            long shiftedHigh = distance < 64 ? high >>> distance : 0;
            c.exponent = 0;
            boolean inexact = roundSignificand(c, f, shiftedHigh, shiftedLow);
            if (c.significand < 0) {
                c.exponent = 1;
            }
            if (inexact && tiny) {
                c.raise(FloatContext.UNDERFLOW);
            }
            return;
        }
        c.exponent = exponent;
        roundSignificand(c, f, high, low);
        if (c.exponent >= f.maxExponent) {
            overflow(c, f);
        }
    }

    private static void overflow(FloatContext c, FloatFormat f) {
        c.raise(FloatContext.OVERFLOW);
        if ((c.masks & FloatContext.OVERFLOW) == 0) {
            // The significand is rounded already, and its inexactness reported.
            c.exponent -= WRAP;
            return;
        }
        c.raise(FloatContext.INEXACT);
        boolean toInfinity = switch (c.rounding) {
            case FloatContext.ROUND_NEAREST -> true;
            case FloatContext.ROUND_DOWN -> c.sign != 0;
            case FloatContext.ROUND_UP -> c.sign == 0;
            default -> false;
        };
        c.roundedUp = toInfinity;
        if (toInfinity) {
            c.exponent = f.maxExponent;
            c.significand = TOP;
        } else {
            c.exponent = f.maxExponent - 1;
            c.significand = -1L << (64 - f.precision);
        }
    }

    /** Tells whether rounding to the format's precision, with no lower end of exponents, gives the next power of 2. */
    private static boolean roundingCarries(FloatContext c, FloatFormat f, int sign, long high, long low) {
        long kept = -1L << (64 - f.precision);
        return (high & kept) == kept && increments(c.rounding, sign, f.precision, high, low);
    }

    private static boolean increments(int rounding, int sign, int precision, long high, long low) {
        boolean half;
        boolean rest;
        if (precision == 64) {
            half = low < 0;
            rest = low << 1 != 0;
        } else {
            int dropped = 64 - precision;
            half = (high >>> (dropped - 1) & 1) != 0;
            rest = (high & ((1L << (dropped - 1)) - 1) | low) != 0;
        }
        return switch (rounding) {
            case FloatContext.ROUND_NEAREST -> half && (rest || (high >>> (64 - precision) & 1) != 0);
            case FloatContext.ROUND_DOWN -> sign != 0 && (half || rest);
            case FloatContext.ROUND_UP -> sign == 0 && (half || rest);
            default -> false;
        };
    }

    /** Rounds to the precision with c.sign; adjusts c.exponent after a carry. Returns true if inexact. */
    private static boolean roundSignificand(FloatContext c, FloatFormat f, long high, long low) {
        long unit = 1L << (64 - f.precision);
        long kept = high & -unit;
        boolean inexact = kept != high || low != 0;
        c.roundedUp = false;
        if (inexact) {
            c.raise(FloatContext.INEXACT);
            if (increments(c.rounding, c.sign, f.precision, high, low)) {
                c.roundedUp = true;
                kept += unit;
                if (kept == 0) {
                    kept = TOP;
                    c.exponent++;
                }
            }
        }
        c.significand = kept;
        return inexact;
    }

    /** Low half of a 128-bit number shifted right, every bit that falls out folded into bit 0. */
    static long shiftRightLow(long high, long low, int distance) {
        if (distance == 0) {
            return low;
        }
        if (distance < 64) {
            return high << (64 - distance) | low >>> distance | sticky(low << (64 - distance));
        }
        if (distance == 64) {
            return high | sticky(low);
        }
        if (distance < 128) {
            return high >>> (distance - 64) | sticky(high << (128 - distance) | low);
        }
        return sticky(high | low);
    }

    private static long sticky(long bits) {
        return bits != 0 ? 1 : 0;
    }

    /** Adds magnitudes of one sign; a significand of 0 is a zero. */
    static void addMagnitudes(FloatContext c, FloatFormat f, int sign, int ea, long sa, int eb, long sb) {
        if (sa == 0 || sb == 0) {
            round(c, f, sign, sa == 0 ? eb : ea, sa | sb, 0);
            return;
        }
        int distance = ea - eb;
        long big = sa;
        long small = sb;
        int exponent = ea;
        if (distance < 0) {
            distance = -distance;
            big = sb;
            small = sa;
            exponent = eb;
        }
        long low = shiftRightLow(small, 0, distance);
        long shifted = distance < 64 ? small >>> distance : 0;
        long sum = big + shifted;
        if (Long.compareUnsigned(sum, big) < 0) {
            low = sum << 63 | low >>> 1 | low & 1;
            sum = sum >>> 1 | TOP;
            exponent++;
        }
        round(c, f, sign, exponent, sum, low);
    }

    /** Subtracts magnitude b from magnitude a, both of the given sign before; at most one of them is zero. */
    static void subtractMagnitudes(FloatContext c, FloatFormat f, int sign, int ea, long sa, int eb, long sb) {
        if (sb == 0) {
            round(c, f, sign, ea, sa, 0);
            return;
        }
        if (sa == 0) {
            round(c, f, sign ^ 1, eb, sb, 0);
            return;
        }
        int distance = ea - eb;
        long big = sa;
        long small = sb;
        int exponent = ea;
        int resultSign = sign;
        if (distance < 0 || distance == 0 && Long.compareUnsigned(sa, sb) < 0) {
            distance = -distance;
            big = sb;
            small = sa;
            exponent = eb;
            resultSign ^= 1;
        }
        long lowShifted = shiftRightLow(small, 0, distance);
        long shifted = distance < 64 ? small >>> distance : 0;
        long low = -lowShifted;
        long high = big - shifted - (lowShifted != 0 ? 1 : 0);
        if ((high | low) == 0) {
            c.sign = exactZeroSign(c);
            c.exponent = 0;
            c.significand = 0;
            c.roundedUp = false;
            return;
        }
        if (high == 0) {
            high = low;
            low = 0;
            exponent -= 64;
        }
        int zeros = Long.numberOfLeadingZeros(high);
        if (zeros != 0) {
            high = high << zeros | low >>> (64 - zeros);
            low <<= zeros;
        }
        round(c, f, resultSign, exponent - zeros, high, low);
    }

    /** Sign of the exact zero that x + (-x) gives: negative only when rounding down (IEEE 754 6.3). */
    static int exactZeroSign(FloatContext c) {
        return c.rounding == FloatContext.ROUND_DOWN ? 1 : 0;
    }

    /** Multiplies two nonzero significands; exponents biased as in the result's format. */
    static void multiply(FloatContext c, FloatFormat f, int sign, int ea, long sa, int eb, long sb) {
        long high = Math.unsignedMultiplyHigh(sa, sb);
        long low = sa * sb;
        int exponent = ea + eb - f.bias + 1;
        if (high >= 0) {
            high = high << 1 | low >>> 63;
            low <<= 1;
            exponent--;
        }
        round(c, f, sign, exponent, high, low);
    }

    /** Divides two nonzero significands. */
    static void divide(FloatContext c, FloatFormat f, int sign, int ea, long sa, int eb, long sb) {
        int exponent = ea - eb + f.bias;
        if (Long.compareUnsigned(sa, sb) >= 0) {
            // sa / sb is in [1, 2): take the integer bit out, then 64 fraction bits.
            long fraction = divideWide(sa - sb, 0, sb);
            long rest = -fraction * sb;
            long high = fraction >>> 1 | TOP;
            long low = fraction << 63 | sticky(rest);
            round(c, f, sign, exponent, high, low);
            return;
        }
        long high = divideWide(sa, 0, sb);
        long rest = -high * sb;
        // rest < sb; the next quotient bit tells the half.
        long low = 0;
        if (rest != 0) {
            boolean half = rest < 0 || Long.compareUnsigned(rest << 1, sb) >= 0;
            long after = half ? (rest << 1) - sb : rest << 1;
            low = (half ? TOP : 0) | sticky(after);
        }
        round(c, f, sign, exponent - 1, high, low);
    }

    /**
     * Divides a 128-bit number by a 64-bit one.
     *
     * @param high upper half of the dividend, less than the divisor (unsigned)
     * @param low lower half
     * @param divisor with bit 63 set
     * @return the 64-bit quotient; the remainder is low - quotient * divisor
     */
    static long divideWide(long high, long low, long divisor) {
        // Knuth, volume 2, 4.3.1, algorithm D with two digits of 32 bits.
        long divisorHigh = divisor >>> 32;
        long divisorLow = divisor & 0xFFFF_FFFFL;
        long digit1 = quotientDigit(high, low >>> 32, divisorHigh, divisorLow);
        long partial = (high << 32 | low >>> 32) - digit1 * divisor;
        long digit0 = quotientDigit(partial, low & 0xFFFF_FFFFL, divisorHigh, divisorLow);
        return digit1 << 32 | digit0;
    }

    private static long quotientDigit(long high, long nextDigit, long divisorHigh, long divisorLow) {
        long digit = Long.divideUnsigned(high, divisorHigh);
        long rest = high - digit * divisorHigh;
        while (digit >>> 32 != 0 || Long.compareUnsigned(digit * divisorLow, rest << 32 | nextDigit) > 0) {
            digit--;
            rest += divisorHigh;
            if (rest >>> 32 != 0) {
                break;
            }
        }
        return digit;
    }

    /** Takes the square root of a positive nonzero number. */
    static void squareRoot(FloatContext c, FloatFormat f, int exponent, long significand) {
        int unbiased = exponent - f.bias;
        // The radicand is scaled into [2^126, 2^128) with an even exponent, so that its root has exactly 64 bits.
        long high = significand;
        long low = 0;
        if ((unbiased & 1) == 0) {
            high = significand >>> 1;
            low = significand << 63;
        }
        long root = integerSquareRoot(high, low);
        long remainderLow = low - root * root;
        long remainderHigh =
                high - Math.unsignedMultiplyHigh(root, root) - (Long.compareUnsigned(low, root * root) < 0 ? 1 : 0);
        long rest = 0;
        if ((remainderHigh | remainderLow) != 0) {
            // (root + 1/2)^2 = root^2 + root + 1/4, so the fraction is above one half exactly if remainder > root.
            boolean aboveHalf = remainderHigh != 0 || Long.compareUnsigned(remainderLow, root) > 0;
            rest = aboveHalf ? TOP | 1 : 1;
        }
        round(c, f, 0, (unbiased >> 1) + f.bias, root, rest);
    }

    /** Returns the integer part of the square root of a 128-bit number of at least 2^126. */
    private static long integerSquareRoot(long high, long low) {
        double approximate = Math.sqrt((high >>> 1) * 0x1p65 + (high & 1) * 0x1p64);
        // As an unsigned 64-bit number; the largest ones must not exceed it.
        long root = approximate >= 0x1p64 ? -1L : (long) (approximate * 0.5) << 1;
        // One Newton step: the error is at most 2^12 or so, its square is far below one unit.
        long square = root * root;
        long differenceLow = low - square;
        long differenceHigh =
                high - Math.unsignedMultiplyHigh(root, root) - (Long.compareUnsigned(low, square) < 0 ? 1 : 0);
        double difference = differenceHigh * 0x1p64 + (differenceLow >>> 1) * 2.0;
        long correction = (long) Math.floor(difference / (2.0 * approximate));
        long corrected = root + correction;
        if (correction > 0 && Long.compareUnsigned(corrected, root) < 0) {
            corrected = -1L;
        }
        while (squareExceeds(corrected, high, low)) {
            corrected--;
        }
        while (corrected != -1L && !squareExceeds(corrected + 1, high, low)) {
            corrected++;
        }
        return corrected;
    }

    private static boolean squareExceeds(long root, long high, long low) {
        int order = Long.compareUnsigned(Math.unsignedMultiplyHigh(root, root), high);
        return order > 0 || order == 0 && Long.compareUnsigned(root * root, low) > 0;
    }
}
