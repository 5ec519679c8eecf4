package dev.kagami.cpu.x86.softfloat;

/**
 * SSE arithmetic through Java's own {@code float} and {@code double}, for ordinary numbers in the usual mode.
 *
 * <p>Java rounds to nearest even, has denormals and traps nothing. That is what the guest asks for unless it changed
 * MXCSR, so an operation on zeros and normal numbers whose result is one too needs no integer arithmetic; what is left is
 * to find out whether the result is inexact, and only while the sticky inexact flag is still clear. Everything else goes
 * to {@link BinaryFloat}. Every method gives exactly {@link BinaryFloat}'s result and flags.
 */
public final class HostFloat {
    private static final FloatFormat F32 = FloatFormat.BINARY32;
    private static final FloatFormat F64 = FloatFormat.BINARY64;
    private static final long EXPONENT_64 = 0x7FF0_0000_0000_0000L;
    private static final int EXPONENT_32 = 0x7F80_0000;
    private static final long UNSIGNED_32 = 0xFFFF_FFFFL;

    /**
     * The residual of a product, quotient or root is exact while its lowest bit is no smaller than the smallest
     * denormal: 2 * 53 bits below the leading one.
     */
    private static final long SMALLEST_WITH_RESIDUAL = 110L << 52;

    private HostFloat() {}

    // ---------------------------------------------------------------- what is ordinary

    /** Zero, normal, infinity or NaN. */
    private static boolean notDenormal(long bits) {
        return (bits & EXPONENT_64) != 0 || bits << 1 == 0;
    }

    private static boolean notDenormal(int bits) {
        return (bits & EXPONENT_32) != 0 || bits << 1 == 0;
    }

    private static boolean finite(long bits) {
        return (bits & EXPONENT_64) != EXPONENT_64;
    }

    private static boolean finite(int bits) {
        return (bits & EXPONENT_32) != EXPONENT_32;
    }

    /** Finite and above the smallest normal number, which a tiny result may have been rounded to. */
    private static boolean clearlyNormal(long bits) {
        long exponent = bits & EXPONENT_64;
        return exponent != EXPONENT_64 && exponent > 1L << 52;
    }

    private static boolean clearlyNormal(int bits) {
        int exponent = bits & EXPONENT_32;
        return exponent != EXPONENT_32 && exponent > 1 << 23;
    }

    private static boolean hasResidual(long bits) {
        return (bits & EXPONENT_64) >= SMALLEST_WITH_RESIDUAL;
    }

    private static boolean normalOrZero(long bits) {
        return finite(bits) && notDenormal(bits);
    }

    private static boolean normalOrZero(int bits) {
        return finite(bits) && notDenormal(bits);
    }

    private static void inexact(FloatContext c, boolean is) {
        if (is) {
            c.raise(FloatContext.INEXACT);
        }
    }

    // ---------------------------------------------------------------- binary64

    /**
     * Adds binary64 numbers.
     *
     * @param c rounding mode and flags
     * @param a first operand
     * @param b second operand
     * @return the rounded sum
     */
    public static long add(FloatContext c, long a, long b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double sum = x + y;
            long bits = Double.doubleToRawLongBits(sum);
            // A denormal sum of normal numbers is exact, so it needs no special care unless it is flushed.
            if (normalOrZero(bits)) {
                if (!c.inexactKnown) {
                    inexact(c, sumError(x, y, sum) != 0);
                }
                return bits;
            }
        }
        return BinaryFloat.add(c, F64, a, b);
    }

    /**
     * Subtracts binary64 numbers.
     *
     * @param c rounding mode and flags
     * @param a first operand
     * @param b second operand
     * @return the rounded difference
     */
    public static long subtract(FloatContext c, long a, long b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double difference = x - y;
            long bits = Double.doubleToRawLongBits(difference);
            if (normalOrZero(bits)) {
                if (!c.inexactKnown) {
                    inexact(c, sumError(x, -y, difference) != 0);
                }
                return bits;
            }
        }
        return BinaryFloat.subtract(c, F64, a, b);
    }

    /** Knuth's exact error of a rounded sum. */
    private static double sumError(double x, double y, double sum) {
        double fromY = sum - x;
        return x - (sum - fromY) + (y - fromY);
    }

    private static float sumError(float x, float y, float sum) {
        float fromY = sum - x;
        return x - (sum - fromY) + (y - fromY);
    }

    /**
     * Multiplies binary64 numbers.
     *
     * @param c rounding mode and flags
     * @param a first operand
     * @param b second operand
     * @return the rounded product
     */
    public static long multiply(FloatContext c, long a, long b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double product = x * y;
            long bits = Double.doubleToRawLongBits(product);
            if (clearlyNormal(bits)) {
                if (c.inexactKnown) {
                    return bits;
                }
                if (hasResidual(bits)) {
                    inexact(c, Math.fma(x, y, -product) != 0);
                    return bits;
                }
            } else if (bits << 1 == 0 && (x == 0 || y == 0)) {
                return bits;
            }
        }
        return BinaryFloat.multiply(c, F64, a, b);
    }

    /**
     * Divides binary64 numbers.
     *
     * @param c rounding mode and flags
     * @param a dividend
     * @param b divisor
     * @return the rounded quotient
     */
    public static long divide(FloatContext c, long a, long b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            double quotient = x / y;
            long bits = Double.doubleToRawLongBits(quotient);
            if (clearlyNormal(bits)) {
                if (c.inexactKnown) {
                    return bits;
                }
                if (hasResidual(a)) {
                    inexact(c, Math.fma(-quotient, y, x) != 0);
                    return bits;
                }
            }
        }
        return BinaryFloat.divide(c, F64, a, b);
    }

    /**
     * Takes the square root of a binary64 number.
     *
     * @param c rounding mode and flags
     * @param a the operand
     * @return the rounded root
     */
    public static long squareRoot(FloatContext c, long a) {
        if (c.hostArithmetic && a >= SMALLEST_WITH_RESIDUAL && finite(a)) {
            double x = Double.longBitsToDouble(a);
            double root = Math.sqrt(x);
            if (!c.inexactKnown) {
                inexact(c, Math.fma(-root, root, x) != 0);
            }
            return Double.doubleToRawLongBits(root);
        }
        return BinaryFloat.squareRoot(c, F64, a);
    }

    /**
     * Returns the smaller binary64 number as MINSD does.
     *
     * @param c DAZ and flags
     * @param a first operand
     * @param b second operand
     * @return one of them
     */
    public static long min(FloatContext c, long a, long b) {
        if (normalOrZero(a) && normalOrZero(b)) {
            return Double.longBitsToDouble(a) < Double.longBitsToDouble(b) ? a : b;
        }
        return BinaryFloat.min(c, F64, a, b);
    }

    /**
     * Returns the larger binary64 number as MAXSD does.
     *
     * @param c DAZ and flags
     * @param a first operand
     * @param b second operand
     * @return one of them
     */
    public static long max(FloatContext c, long a, long b) {
        if (normalOrZero(a) && normalOrZero(b)) {
            return Double.longBitsToDouble(a) > Double.longBitsToDouble(b) ? a : b;
        }
        return BinaryFloat.max(c, F64, a, b);
    }

    /**
     * Compares binary64 numbers.
     *
     * @param c DAZ and flags
     * @param a first operand
     * @param b second operand
     * @param quietIsInvalid true if a quiet NaN raises the invalid exception
     * @return as {@link BinaryFloat#compare}
     */
    public static int compare(FloatContext c, long a, long b, boolean quietIsInvalid) {
        if (normalOrZero(a) && normalOrZero(b)) {
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            return x < y ? BinaryFloat.LESS : x > y ? BinaryFloat.GREATER : BinaryFloat.EQUAL;
        }
        return BinaryFloat.compare(c, F64, a, b, quietIsInvalid);
    }

    /**
     * Truncates or rounds a binary64 number to a 32-bit integer.
     *
     * @param c DAZ and flags
     * @param a the operand
     * @param rounding the mode
     * @return the integer, or integer indefinite
     */
    public static int toInt32(FloatContext c, long a, int rounding) {
        if (rounding == FloatContext.ROUND_ZERO && notDenormal(a)) {
            double x = Double.longBitsToDouble(a);
            if (x > -0x1p31 && x < 0x1p31) {
                int truncated = (int) x;
                if (c.inexactKnown || truncated == x) {
                    return truncated;
                }
            }
        }
        return BinaryFloat.toInt32(c, F64, a, rounding);
    }

    /**
     * Truncates or rounds a binary64 number to a 64-bit integer.
     *
     * @param c DAZ and flags
     * @param a the operand
     * @param rounding the mode
     * @return the integer, or integer indefinite
     */
    public static long toInt64(FloatContext c, long a, int rounding) {
        if (rounding == FloatContext.ROUND_ZERO && notDenormal(a)) {
            double x = Double.longBitsToDouble(a);
            if (x > -0x1p63 && x < 0x1p63) {
                long truncated = (long) x;
                if (c.inexactKnown || truncated == x) {
                    return truncated;
                }
            }
        }
        return BinaryFloat.toInt64(c, F64, a, rounding);
    }

    /**
     * Converts a 64-bit integer to binary64.
     *
     * @param c rounding mode and flags
     * @param value the integer
     * @return the rounded number
     */
    public static long fromInt64(FloatContext c, long value) {
        double converted = value;
        // Exact exactly if converting back gives the same; the largest values don't come back.
        if ((long) converted == value && value != Long.MAX_VALUE || c.hostArithmetic && c.inexactKnown) {
            return Double.doubleToRawLongBits(converted);
        }
        return BinaryFloat.fromInteger(c, F64, value);
    }

    /**
     * Rounds a binary64 number to binary32.
     *
     * @param c rounding mode and flags
     * @param a the operand
     * @return the rounded number
     */
    public static int toSingle(FloatContext c, long a) {
        if (c.hostArithmetic) {
            double x = Double.longBitsToDouble(a);
            float rounded = (float) x;
            int bits = Float.floatToRawIntBits(rounded);
            if (clearlyNormal(bits)) {
                inexact(c, rounded != x);
                return bits;
            }
        }
        return (int) BinaryFloat.convert(c, F64, F32, a);
    }

    /**
     * Widens a binary32 number to binary64.
     *
     * @param c DAZ and flags
     * @param a the operand
     * @return the same number
     */
    public static long toDouble(FloatContext c, int a) {
        if (normalOrZero(a)) {
            return Double.doubleToRawLongBits(Float.intBitsToFloat(a));
        }
        return BinaryFloat.convert(c, F32, F64, a & UNSIGNED_32);
    }

    // ---------------------------------------------------------------- binary32

    /**
     * Adds binary32 numbers.
     *
     * @param c rounding mode and flags
     * @param a first operand
     * @param b second operand
     * @return the rounded sum
     */
    public static int add(FloatContext c, int a, int b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float sum = x + y;
            int bits = Float.floatToRawIntBits(sum);
            if (normalOrZero(bits)) {
                if (!c.inexactKnown) {
                    inexact(c, sumError(x, y, sum) != 0);
                }
                return bits;
            }
        }
        return (int) BinaryFloat.add(c, F32, a & UNSIGNED_32, b & UNSIGNED_32);
    }

    /**
     * Subtracts binary32 numbers.
     *
     * @param c rounding mode and flags
     * @param a first operand
     * @param b second operand
     * @return the rounded difference
     */
    public static int subtract(FloatContext c, int a, int b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float difference = x - y;
            int bits = Float.floatToRawIntBits(difference);
            if (normalOrZero(bits)) {
                if (!c.inexactKnown) {
                    inexact(c, sumError(x, -y, difference) != 0);
                }
                return bits;
            }
        }
        return (int) BinaryFloat.subtract(c, F32, a & UNSIGNED_32, b & UNSIGNED_32);
    }

    /**
     * Multiplies binary32 numbers.
     *
     * @param c rounding mode and flags
     * @param a first operand
     * @param b second operand
     * @return the rounded product
     */
    public static int multiply(FloatContext c, int a, int b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            // A product of two 24-bit significands is exact in 53 bits.
            double exact = (double) x * y;
            float product = (float) exact;
            int bits = Float.floatToRawIntBits(product);
            if (clearlyNormal(bits) || exact == 0) {
                inexact(c, product != exact);
                return bits;
            }
        }
        return (int) BinaryFloat.multiply(c, F32, a & UNSIGNED_32, b & UNSIGNED_32);
    }

    /**
     * Divides binary32 numbers.
     *
     * @param c rounding mode and flags
     * @param a dividend
     * @param b divisor
     * @return the rounded quotient
     */
    public static int divide(FloatContext c, int a, int b) {
        if (c.hostArithmetic && notDenormal(a) && notDenormal(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            float quotient = x / y;
            int bits = Float.floatToRawIntBits(quotient);
            if (clearlyNormal(bits)) {
                inexact(c, (double) quotient * y != x);
                return bits;
            }
        }
        return (int) BinaryFloat.divide(c, F32, a & UNSIGNED_32, b & UNSIGNED_32);
    }

    /**
     * Takes the square root of a binary32 number.
     *
     * @param c rounding mode and flags
     * @param a the operand
     * @return the rounded root
     */
    public static int squareRoot(FloatContext c, int a) {
        if (c.hostArithmetic && a >= 1 << 23 && finite(a)) {
            float x = Float.intBitsToFloat(a);
            float root = (float) Math.sqrt(x);
            inexact(c, (double) root * root != x);
            return Float.floatToRawIntBits(root);
        }
        return (int) BinaryFloat.squareRoot(c, F32, a & UNSIGNED_32);
    }

    /**
     * Returns the smaller binary32 number as MINSS does.
     *
     * @param c DAZ and flags
     * @param a first operand
     * @param b second operand
     * @return one of them
     */
    public static int min(FloatContext c, int a, int b) {
        if (normalOrZero(a) && normalOrZero(b)) {
            return Float.intBitsToFloat(a) < Float.intBitsToFloat(b) ? a : b;
        }
        return (int) BinaryFloat.min(c, F32, a & UNSIGNED_32, b & UNSIGNED_32);
    }

    /**
     * Returns the larger binary32 number as MAXSS does.
     *
     * @param c DAZ and flags
     * @param a first operand
     * @param b second operand
     * @return one of them
     */
    public static int max(FloatContext c, int a, int b) {
        if (normalOrZero(a) && normalOrZero(b)) {
            return Float.intBitsToFloat(a) > Float.intBitsToFloat(b) ? a : b;
        }
        return (int) BinaryFloat.max(c, F32, a & UNSIGNED_32, b & UNSIGNED_32);
    }

    /**
     * Compares binary32 numbers.
     *
     * @param c DAZ and flags
     * @param a first operand
     * @param b second operand
     * @param quietIsInvalid true if a quiet NaN raises the invalid exception
     * @return as {@link BinaryFloat#compare}
     */
    public static int compare(FloatContext c, int a, int b, boolean quietIsInvalid) {
        if (normalOrZero(a) && normalOrZero(b)) {
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            return x < y ? BinaryFloat.LESS : x > y ? BinaryFloat.GREATER : BinaryFloat.EQUAL;
        }
        return BinaryFloat.compare(c, F32, a & UNSIGNED_32, b & UNSIGNED_32, quietIsInvalid);
    }

    /**
     * Truncates or rounds a binary32 number to a 32-bit integer.
     *
     * @param c DAZ and flags
     * @param a the operand
     * @param rounding the mode
     * @return the integer, or integer indefinite
     */
    public static int toInt32(FloatContext c, int a, int rounding) {
        if (rounding == FloatContext.ROUND_ZERO && notDenormal(a)) {
            float x = Float.intBitsToFloat(a);
            if (x > -0x1p31f && x < 0x1p31f) {
                int truncated = (int) x;
                if (c.inexactKnown || truncated == x) {
                    return truncated;
                }
            }
        }
        return BinaryFloat.toInt32(c, F32, a & UNSIGNED_32, rounding);
    }

    /**
     * Truncates or rounds a binary32 number to a 64-bit integer.
     *
     * @param c DAZ and flags
     * @param a the operand
     * @param rounding the mode
     * @return the integer, or integer indefinite
     */
    public static long toInt64(FloatContext c, int a, int rounding) {
        return BinaryFloat.toInt64(c, F32, a & UNSIGNED_32, rounding);
    }

    /**
     * Converts a 64-bit integer to binary32.
     *
     * @param c rounding mode and flags
     * @param value the integer
     * @return the rounded number
     */
    public static int singleFromInt64(FloatContext c, long value) {
        float converted = value;
        if ((long) converted == value && value != Long.MAX_VALUE || c.hostArithmetic && c.inexactKnown) {
            return Float.floatToRawIntBits(converted);
        }
        return (int) BinaryFloat.fromInteger(c, F32, value);
    }
}
