package dev.kagami.cpu.x86.softfloat;

/** What kind a number is, and what AVX-512 does by that: VFPCLASSPD, VFIXUPIMMPD and VRANGEPD. */
public final class FloatClass {
    // Bits of VFPCLASSPD's immediate.
    private static final int QUIET_NAN = 1;
    private static final int POSITIVE_ZERO = 1 << 1;
    private static final int NEGATIVE_ZERO = 1 << 2;
    private static final int POSITIVE_INFINITY = 1 << 3;
    private static final int NEGATIVE_INFINITY = 1 << 4;
    private static final int DENORMAL = 1 << 5;
    private static final int NEGATIVE = 1 << 6;
    private static final int SIGNALING_NAN = 1 << 7;

    // Tokens of VFIXUPIMMPD.
    private static final int TOKEN_QUIET_NAN = 0;
    private static final int TOKEN_SIGNALING_NAN = 1;
    private static final int TOKEN_ZERO = 2;
    private static final int TOKEN_ONE = 3;
    private static final int TOKEN_NEGATIVE_INFINITY = 4;
    private static final int TOKEN_POSITIVE_INFINITY = 5;
    private static final int TOKEN_NEGATIVE = 6;
    private static final int TOKEN_POSITIVE = 7;

    /** By token, the bits of VFIXUPIMMPD's immediate that ask for a division by zero. */
    private static final int[] ZERO_DIVIDES = {0, 0, 1, 1 << 2, 0, 0, 0, 0};

    /** By token, the bits that ask for an invalid operation. */
    private static final int[] INVALIDS = {0, 1 << 4, 1 << 1, 1 << 3, 1 << 5, 1 << 7, 1 << 6, 0};

    private static final int NINETY_EXPONENT = 6;

    /** The fraction of 90 / 64 in 5 bits. */
    private static final long NINETY_FRACTION = 0b01101;

    private static final int NINETY_BITS = 5;

    // What VRANGEPD compares, and where it takes the sign from.
    private static final int COMPARES_MAXIMUM = 1;
    private static final int COMPARES_MAGNITUDES = 2;
    private static final int SIGN_OF_FIRST = 0;
    private static final int SIGN_OF_RESULT = 1;
    private static final int SIGN_ZERO = 2;

    private FloatClass() {}

    /**
     * Tests for the kinds that VFPCLASSPD's immediate selects.
     *
     * @param c DAZ
     * @param f the operand's format
     * @param source the operand
     * @param control the immediate
     * @return whether it is of one of them
     */
    public static boolean isAny(FloatContext c, FloatFormat f, long source, int control) {
        long a = BinaryFloat.operand(c, f, source);
        boolean negative = f.sign(a) != 0;
        int kinds;
        if (f.isNan(a)) {
            kinds = f.isSignalingNan(a) ? SIGNALING_NAN : QUIET_NAN;
        } else if (f.isInfinity(a)) {
            kinds = negative ? NEGATIVE_INFINITY : POSITIVE_INFINITY;
        } else if (f.isZero(a)) {
            kinds = negative ? NEGATIVE_ZERO : POSITIVE_ZERO;
        } else {
            kinds = (negative ? NEGATIVE : 0) | (f.isDenormal(a) ? DENORMAL : 0);
        }
        return (kinds & control) != 0;
    }

    /**
     * Replaces a number by what a table has for its kind, as VFIXUPIMMPD does.
     *
     * @param c DAZ and flags
     * @param f the numbers' format
     * @param old the destination's number, which some entries of the table keep
     * @param source the number
     * @param table 4 bits for each kind
     * @param control the immediate: kinds that raise exceptions
     * @return what the table asks for
     */
    public static long fixUp(FloatContext c, FloatFormat f, long old, long source, long table, int control) {
        long a = BinaryFloat.operand(c, f, source);
        int token = token(f, a);
        if ((control & ZERO_DIVIDES[token]) != 0) {
            c.raise(FloatContext.ZERO_DIVIDE);
        }
        if ((control & INVALIDS[token]) != 0) {
            c.raise(FloatContext.INVALID);
        }
        long one = (long) f.bias << f.fractionBits;
        return switch ((int) (table >>> 4 * token) & 15) {
            case 0 -> old;
            case 1 -> a;
            case 2 -> a | f.infinity | f.quietBit;
            case 3 -> f.defaultNan();
            case 4 -> f.signMask | f.infinity;
            case 5 -> f.infinity;
            case 6 -> a & f.signMask | f.infinity;
            case 7 -> f.signMask;
            case 8 -> 0;
            case 9 -> f.signMask | one;
            case 10 -> one;
            case 11 -> one - (1L << f.fractionBits);
            case 12 ->
                one + ((long) NINETY_EXPONENT << f.fractionBits) | NINETY_FRACTION << f.fractionBits - NINETY_BITS;
            case 13 ->
                f == FloatFormat.BINARY64
                        ? Double.doubleToRawLongBits(Math.PI / 2)
                        : Float.floatToRawIntBits((float) (Math.PI / 2));
            case 14 -> f.infinity - 1;
            default -> f.signMask | f.infinity - 1;
        };
    }

    private static int token(FloatFormat f, long a) {
        boolean negative = f.sign(a) != 0;
        if (f.isNan(a)) {
            return f.isSignalingNan(a) ? TOKEN_SIGNALING_NAN : TOKEN_QUIET_NAN;
        }
        if (f.isZero(a)) {
            return TOKEN_ZERO;
        }
        if (a == (long) f.bias << f.fractionBits) {
            return TOKEN_ONE;
        }
        if (f.isInfinity(a)) {
            return negative ? TOKEN_NEGATIVE_INFINITY : TOKEN_POSITIVE_INFINITY;
        }
        return negative ? TOKEN_NEGATIVE : TOKEN_POSITIVE;
    }

    /**
     * Takes one of two numbers and gives it a sign, as VRANGEPD does.
     *
     * @param c DAZ and flags
     * @param f the numbers' format
     * @param first first operand
     * @param second second operand
     * @param control the immediate: what is compared in bits 0 and 1, the sign in bits 2 and 3
     * @return the number
     */
    public static long range(FloatContext c, FloatFormat f, long first, long second, int control) {
        if (f.isSignalingNan(first) || f.isSignalingNan(second)) {
            c.raise(FloatContext.INVALID);
            return (f.isSignalingNan(first) ? first : second) | f.quietBit;
        }
        long a = BinaryFloat.operand(c, f, first);
        long b = BinaryFloat.operand(c, f, second);
        long taken;
        if (f.isNan(b)) {
            taken = a;
        } else if (f.isNan(a)) {
            taken = b;
        } else {
            BinaryFloat.denormalOperand(c, f, a, b, 0);
            boolean less = less(f, a, b, (control & COMPARES_MAGNITUDES) != 0);
            taken = less == ((control & COMPARES_MAXIMUM) == 0) ? a : b;
        }
        long sign = switch (control >> 2 & 3) {
            case SIGN_OF_FIRST -> a & f.signMask;
            case SIGN_OF_RESULT -> taken & f.signMask;
            case SIGN_ZERO -> 0;
            default -> f.signMask;
        };
        return sign | taken & f.magnitudeMask;
    }

    /** Compares; of equal magnitudes the negative one is less, also of zeros. */
    private static boolean less(FloatFormat f, long a, long b, boolean magnitudes) {
        long magnitudeA = a & f.magnitudeMask;
        long magnitudeB = b & f.magnitudeMask;
        if (magnitudes && magnitudeA != magnitudeB) {
            return magnitudeA < magnitudeB;
        }
        return (f.sign(a) != 0 ? ~magnitudeA : magnitudeA) < (f.sign(b) != 0 ? ~magnitudeB : magnitudeB);
    }
}
