package dev.kagami.cpu.x86.softfloat;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** {@link BinaryFloat} and {@link HostFloat} against exact rational arithmetic, Java's arithmetic and each other. */
class BinaryFloatTest {
    private static final FloatFormat F32 = FloatFormat.BINARY32;
    private static final FloatFormat F64 = FloatFormat.BINARY64;
    private static final int CASES = 60_000;
    private static final int[] MXCSR = {0x1F80, 0x1FA0, 0x3F80, 0x5F80, 0x7F80, 0x9F80, 0x1FC0, 0x9FC0, 0xFFE0, 0x0F80};

    private final FloatContext context = new FloatContext();

    @Test
    void finiteResultsAreTheExactOnesRounded() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            FloatFormat f = (i & 1) == 0 ? F32 : F64;
            int mode = random.nextInt(4);
            long a = finite(random, f);
            long b = near(random, f, a);
            int operation = random.nextInt(5);
            context.useMxcsr(0x1F80 | mode << 13);
            long actual = apply(f, operation, a, b);
            int flags = context.flags;
            check(f, operation, a, b, mode, actual, flags, seed, i);
        }
    }

    private static void check(
            FloatFormat f, int operation, long a, long b, int mode, long actual, int flags, long seed, int i) {
        boolean negativeA = f.sign(a) != 0;
        boolean negativeB = f.sign(b) != 0;
        if (operation == 3 && f.isZero(b) || operation == 4 && negativeA) {
            return;
        }
        BigInteger na = integer(f, a);
        BigInteger nb = integer(f, b);
        int ea = scale(f, a);
        int eb = scale(f, b);
        boolean negative = negativeA != negativeB;
        ReferenceRounding.Exact exact;
        switch (operation) {
            case 0, 1 -> {
                int e = Math.min(ea, eb);
                BigInteger x = na.shiftLeft(ea - e);
                BigInteger y = nb.shiftLeft(eb - e);
                BigInteger sum = (negativeA ? x.negate() : x).add(negativeB != (operation == 1) ? y.negate() : y);
                negative = sum.signum() < 0;
                exact = ReferenceRounding.Exact.of(sum.abs(), e);
            }
            case 2 -> exact = ReferenceRounding.Exact.of(na.multiply(nb), ea + eb);
            case 3 -> exact = new ReferenceRounding.Exact(na, nb, ea - eb);
            default -> {
                // 400 more bits make the root's own truncation invisible, apart from its being inexact.
                int e = ea - 400 - (ea & 1);
                BigInteger[] root = na.shiftLeft(ea - e).sqrtAndRemainder();
                BigInteger sticky = root[1].signum() != 0 ? BigInteger.ONE : BigInteger.ZERO;
                exact = ReferenceRounding.Exact.of(root[0].shiftLeft(1).add(sticky), e / 2 - 1);
                negative = false;
            }
        }
        if (exact.numerator().signum() == 0) {
            assertThat(f.isZero(actual)).as("seed %d case %d", seed, i).isTrue();
            return;
        }
        ReferenceRounding expected = ReferenceRounding.round(exact, negative, f, mode);
        long fraction = expected.leftAligned(f, negative, mode) << 1 >>> (64 - f.fractionBits);
        long bits = (negative ? f.signMask : 0) | (long) expected.field(f, negative, mode) << f.fractionBits | fraction;
        assertThat(Long.toHexString(actual))
                .as("seed %d case %d: %x op %d %x, mode %d", seed, i, a, operation, b, mode)
                .isEqualTo(Long.toHexString(bits));
        boolean denormal = f.isDenormal(a) || operation != 4 && f.isDenormal(b);
        assertThat(flags)
                .as("flags, seed %d case %d: %x op %d %x, mode %d", seed, i, a, operation, b, mode)
                .isEqualTo(expected.flags() | (denormal ? FloatContext.DENORMAL : 0));
    }

    @Test
    void nearestAgreesWithJava() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        context.useMxcsr(0x1F80);
        for (int i = 0; i < CASES; i++) {
            long a = any(random, F64);
            long b = any(random, F64);
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            int operation = i % 5;
            double expected = switch (operation) {
                case 0 -> x + y;
                case 1 -> x - y;
                case 2 -> x * y;
                case 3 -> x / y;
                default -> Math.sqrt(x);
            };
            long actual = apply(F64, operation, a, b);
            assertThat(Double.doubleToLongBits(Double.longBitsToDouble(actual)))
                    .as("seed %d case %d: %x op %d %x", seed, i, a, operation, b)
                    .isEqualTo(Double.doubleToLongBits(expected));
        }
    }

    @Test
    void hostArithmeticGivesTheSameResultsAndFlags() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        FloatContext other = new FloatContext();
        for (int i = 0; i < 4 * CASES; i++) {
            int mxcsr = MXCSR[random.nextInt(MXCSR.length)];
            FloatFormat f = (i & 1) == 0 ? F32 : F64;
            long a = any(random, f);
            long b = random.nextInt(4) == 0 ? any(random, f) : near(random, f, a);
            int operation = random.nextInt(14);
            context.useMxcsr(mxcsr);
            other.useMxcsr(mxcsr);
            long expected = apply(f, operation, a, b);
            long actual =
                    f == F32 ? applyHost32(other, operation, (int) a, (int) b) : applyHost64(other, operation, a, b);
            assertThat(Long.toHexString(actual))
                    .as("seed %d case %d: %x op %d %x, mxcsr %x", seed, i, a, operation, b, mxcsr)
                    .isEqualTo(Long.toHexString(expected));
            // While the sticky inexact flag is set already, the host's path need not find it.
            int ignored = (mxcsr & FloatContext.INEXACT) != 0 ? FloatContext.INEXACT : 0;
            assertThat(other.flags | ignored)
                    .as("flags, seed %d case %d: %x op %d %x, mxcsr %x", seed, i, a, operation, b, mxcsr)
                    .isEqualTo(context.flags | ignored);
        }
    }

    @Test
    void firstOfTwoNansWinsAndIsMadeQuiet() {
        context.useMxcsr(0x1F80);
        assertThat(BinaryFloat.add(context, F32, 0x7FC00001L, 0xFF800002L)).isEqualTo(0x7FC00001L);
        assertThat(context.flags).isEqualTo(FloatContext.INVALID);
        context.useMxcsr(0x1F80);
        assertThat(BinaryFloat.multiply(context, F32, 0x7F800001L, 0x7FC00002L)).isEqualTo(0x7FC00001L);
        assertThat(BinaryFloat.subtract(context, F32, 0x3F800000L, 0xFF800002L)).isEqualTo(0xFFC00002L);
    }

    @Test
    void invalidOperationsGiveNegativeIndefinite() {
        context.useMxcsr(0x1F80);
        long infinity = F64.infinity;
        assertThat(BinaryFloat.subtract(context, F64, infinity, infinity)).isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(BinaryFloat.multiply(context, F64, 0, infinity)).isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(BinaryFloat.divide(context, F64, 0, 0)).isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(BinaryFloat.squareRoot(context, F64, Double.doubleToRawLongBits(-1)))
                .isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(context.flags).isEqualTo(FloatContext.INVALID);
    }

    @Test
    void divisionByZeroGivesSignedInfinity() {
        context.useMxcsr(0x1F80);
        assertThat(BinaryFloat.divide(context, F32, 0xBF800000L, 0)).isEqualTo(0xFF800000L);
        assertThat(context.flags).isEqualTo(FloatContext.ZERO_DIVIDE);
    }

    @Test
    void roundingUpToTheSmallestNormalIsNotTinyIfItsPrecisionCarries() {
        // 1.11..1 * 2^-127 (25 significant bits) rounds to 2^-126 also with an unbounded exponent.
        context.useMxcsr(0x1F80);
        long smallestNormal = 1L << 23;
        long belowOne = 0x3F7FFFFFL;
        assertThat(BinaryFloat.multiply(context, F32, smallestNormal, belowOne)).isEqualTo(smallestNormal);
        assertThat(context.flags).isEqualTo(FloatContext.UNDERFLOW | FloatContext.INEXACT);
        context.useMxcsr(0x1F80);
        assertThat(BinaryFloat.convert(context, F64, F32, Double.doubleToRawLongBits(0x1.fffffffp-127)))
                .isEqualTo(smallestNormal);
        assertThat(context.flags).isEqualTo(FloatContext.INEXACT);
    }

    @Test
    void flushToZeroGivesASignedZero() {
        context.useMxcsr(0x9F80);
        assertThat(BinaryFloat.multiply(context, F32, 0x80800000L, 0x3F000000L)).isEqualTo(0x80000000L);
        assertThat(context.flags).isEqualTo(FloatContext.UNDERFLOW | FloatContext.INEXACT);
    }

    @Test
    void denormalsAreZeroRaisesNothing() {
        context.useMxcsr(0x1FC0);
        assertThat(BinaryFloat.add(context, F32, 1, 0x3F800000L)).isEqualTo(0x3F800000L);
        assertThat(context.flags).isZero();
    }

    @Test
    void minAndMaxReturnTheSecondOperandForNansAndZeros() {
        context.useMxcsr(0x1F80);
        assertThat(BinaryFloat.min(context, F32, 0x7FC00001L, 0x3F800000L)).isEqualTo(0x3F800000L);
        assertThat(context.flags).isEqualTo(FloatContext.INVALID);
        assertThat(BinaryFloat.max(context, F32, 0x3F800000L, 0x7F800001L)).isEqualTo(0x7F800001L);
        assertThat(BinaryFloat.max(context, F32, 0, 0x80000000L)).isEqualTo(0x80000000L);
        assertThat(BinaryFloat.min(context, F32, 0x80000000L, 0)).isZero();
    }

    @Test
    void conversionsToIntegersRoundByModeAndReportRange() {
        context.useMxcsr(0x1F80);
        long twoAndAHalf = Double.doubleToRawLongBits(2.5);
        long minusTwoAndAHalf = Double.doubleToRawLongBits(-2.5);
        assertThat(BinaryFloat.toInt32(context, F64, twoAndAHalf, FloatContext.ROUND_NEAREST))
                .isEqualTo(2);
        assertThat(BinaryFloat.toInt32(context, F64, twoAndAHalf, FloatContext.ROUND_UP))
                .isEqualTo(3);
        assertThat(BinaryFloat.toInt32(context, F64, minusTwoAndAHalf, FloatContext.ROUND_DOWN))
                .isEqualTo(-3);
        assertThat(BinaryFloat.toInt64(context, F64, minusTwoAndAHalf, FloatContext.ROUND_ZERO))
                .isEqualTo(-2);
        assertThat(context.flags).isEqualTo(FloatContext.INEXACT);
        context.useMxcsr(0x1F80);
        assertThat(BinaryFloat.toInt32(context, F64, Double.doubleToRawLongBits(-0x1p31), 0))
                .isEqualTo(-1 << 31);
        assertThat(context.flags).isZero();
        assertThat(BinaryFloat.toInt32(context, F64, Double.doubleToRawLongBits(0x1p31), 0))
                .isEqualTo(-1 << 31);
        assertThat(context.flags).isEqualTo(FloatContext.INVALID);
        assertThat(BinaryFloat.toInt64(context, F64, Double.doubleToRawLongBits(0x1p63), 0))
                .isEqualTo(-1L << 63);
        assertThat(BinaryFloat.toInt64(context, F64, Double.doubleToRawLongBits(Double.NaN), 0))
                .isEqualTo(-1L << 63);
    }

    @Test
    void roundingToIntegralAgreesWithJava() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        context.useMxcsr(0x1F80);
        for (int i = 0; i < CASES; i++) {
            double x = Math.scalb(random.nextDouble() - 0.5, random.nextInt(60));
            x = random.nextInt(3) == 0 ? Math.rint(x * 2) / 2 : x;
            long a = Double.doubleToRawLongBits(x);
            String name = "seed " + seed + " case " + i + ": " + x;
            assertThat(round(a, FloatContext.ROUND_NEAREST)).as(name).isEqualTo(Math.rint(x));
            assertThat(round(a, FloatContext.ROUND_DOWN)).as(name).isEqualTo(Math.floor(x));
            assertThat(round(a, FloatContext.ROUND_UP)).as(name).isEqualTo(Math.ceil(x));
        }
        assertThat(context.flags).isZero();
    }

    private double round(long a, int mode) {
        return Double.longBitsToDouble(BinaryFloat.roundToIntegral(context, F64, a, mode, true));
    }

    @Test
    void roundsToBinaryPlacesWithTiesToEven() {
        for (int places = 0; places < 16; places++) {
            double scale = 1 << places;
            for (int quarters = -33; quarters <= 33; quarters++) {
                double value = quarters / 4.0 / scale;
                long rounded = BinaryFloat.roundToPlaces(
                        context, F64, Double.doubleToRawLongBits(value), places, FloatContext.ROUND_NEAREST, true);
                assertThat(Double.longBitsToDouble(rounded))
                        .isEqualTo(Math.copySign(Math.rint(quarters / 4.0), value) / scale);
            }
        }
    }

    @Test
    void reciprocalEstimatesKeepTheManualsBound() {
        Random random = new Random(1);
        for (int i = 0; i < CASES; i++) {
            float x = Float.intBitsToFloat(0x00800000 + random.nextInt(0x7E000000 - 0x00800000));
            double estimate = Float.intBitsToFloat(ReciprocalEstimate.reciprocal(Float.floatToRawIntBits(x)));
            assertThat(Math.abs(estimate * x - 1)).isLessThanOrEqualTo(1.5 * 0x1p-12);
            double root = Float.intBitsToFloat(ReciprocalEstimate.reciprocalSquareRoot(Float.floatToRawIntBits(x)));
            assertThat(Math.abs(root * Math.sqrt(x) - 1)).isLessThanOrEqualTo(1.5 * 0x1p-12);
        }
        assertThat(ReciprocalEstimate.reciprocal(0x80000001)).isEqualTo(0xFF800000);
        assertThat(ReciprocalEstimate.reciprocal(0x7F800000)).isZero();
        assertThat(ReciprocalEstimate.reciprocalSquareRoot(0xBF800000)).isEqualTo(0xFFC00000);
    }

    // ---------------------------------------------------------------- operands and operations

    private static BigInteger integer(FloatFormat f, long bits) {
        return new BigInteger(Long.toUnsignedString(f.significand(bits)));
    }

    private static int scale(FloatFormat f, long bits) {
        return f.exponent(bits) - f.bias - 63;
    }

    private static long any(Random random, FloatFormat f) {
        long mask = f.signMask | f.magnitudeMask;
        return switch (random.nextInt(8)) {
            case 0 -> f.infinity | random.nextLong() & f.signMask;
            case 1 -> (f.infinity | random.nextLong()) & mask;
            case 2 -> random.nextLong() & f.signMask;
            default -> random.nextInt(3) == 0 ? random.nextLong() & mask : finite(random, f);
        };
    }

    /** A finite number, often one with few bits, near a limit of the format or denormal. */
    private static long finite(Random random, FloatFormat f) {
        long fraction = random.nextLong() & f.fractionMask;
        if (random.nextBoolean()) {
            fraction &= random.nextBoolean() ? -1L << random.nextInt(f.fractionBits) : (1L << random.nextInt(8)) - 1;
        } else if (random.nextInt(4) == 0) {
            fraction |= f.fractionMask & -1L << random.nextInt(f.fractionBits);
        }
        int exponent = switch (random.nextInt(6)) {
            case 0 -> 0;
            case 1 -> 1 + random.nextInt(4);
            case 2 -> f.maxExponent - 1 - random.nextInt(4);
            case 3 -> random.nextInt(f.maxExponent);
            default -> f.bias - 16 + random.nextInt(32);
        };
        return random.nextLong() & f.signMask | (long) exponent << f.fractionBits | fraction;
    }

    /** A second operand whose exponent makes the result interesting. */
    private static long near(Random random, FloatFormat f, long a) {
        long b = finite(random, f);
        if (random.nextBoolean()) {
            return b;
        }
        int exponent = (int) (a >>> f.fractionBits) & f.maxExponent;
        int partner = random.nextBoolean() ? exponent : f.bias - exponent + f.bias * random.nextInt(2);
        int chosen = Math.clamp((long) partner + random.nextInt(5) - 2, 0, f.maxExponent - 1);
        return b & ~f.infinity | (long) chosen << f.fractionBits;
    }

    private long apply(FloatFormat f, int operation, long a, long b) {
        return switch (operation) {
            case 0 -> BinaryFloat.add(context, f, a, b);
            case 1 -> BinaryFloat.subtract(context, f, a, b);
            case 2 -> BinaryFloat.multiply(context, f, a, b);
            case 3 -> BinaryFloat.divide(context, f, a, b);
            case 4 -> BinaryFloat.squareRoot(context, f, a);
            case 5 -> BinaryFloat.min(context, f, a, b);
            case 6 -> BinaryFloat.max(context, f, a, b);
            case 7 -> BinaryFloat.compare(context, f, a, b, false);
            case 8 -> BinaryFloat.toInt32(context, f, a, FloatContext.ROUND_ZERO);
            case 9 -> BinaryFloat.toInt64(context, f, a, FloatContext.ROUND_ZERO);
            case 10 -> BinaryFloat.fromInteger(context, f, a);
            case 11 -> BinaryFloat.convert(context, f, f == F32 ? F64 : F32, a);
            case 12 -> BinaryFloat.toInt32(context, f, a, context.rounding);
            default -> BinaryFloat.compare(context, f, a, b, true);
        };
    }

    private static long applyHost64(FloatContext c, int operation, long a, long b) {
        return switch (operation) {
            case 0 -> HostFloat.add(c, a, b);
            case 1 -> HostFloat.subtract(c, a, b);
            case 2 -> HostFloat.multiply(c, a, b);
            case 3 -> HostFloat.divide(c, a, b);
            case 4 -> HostFloat.squareRoot(c, a);
            case 5 -> HostFloat.min(c, a, b);
            case 6 -> HostFloat.max(c, a, b);
            case 7 -> HostFloat.compare(c, a, b, false);
            case 8 -> HostFloat.toInt32(c, a, FloatContext.ROUND_ZERO);
            case 9 -> HostFloat.toInt64(c, a, FloatContext.ROUND_ZERO);
            case 10 -> HostFloat.fromInt64(c, a);
            case 11 -> HostFloat.toSingle(c, a) & 0xFFFF_FFFFL;
            case 12 -> HostFloat.toInt32(c, a, c.rounding);
            default -> HostFloat.compare(c, a, b, true);
        };
    }

    private static long applyHost32(FloatContext c, int operation, int a, int b) {
        int single = switch (operation) {
            case 0 -> HostFloat.add(c, a, b);
            case 1 -> HostFloat.subtract(c, a, b);
            case 2 -> HostFloat.multiply(c, a, b);
            case 3 -> HostFloat.divide(c, a, b);
            case 4 -> HostFloat.squareRoot(c, a);
            case 5 -> HostFloat.min(c, a, b);
            case 6 -> HostFloat.max(c, a, b);
            case 10 -> HostFloat.singleFromInt64(c, a & 0xFFFF_FFFFL);
            default -> 0;
        };
        return switch (operation) {
            case 7 -> HostFloat.compare(c, a, b, false);
            case 8 -> HostFloat.toInt32(c, a, FloatContext.ROUND_ZERO);
            case 9 -> HostFloat.toInt64(c, a, FloatContext.ROUND_ZERO);
            case 11 -> HostFloat.toDouble(c, a);
            case 12 -> HostFloat.toInt32(c, a, c.rounding);
            case 13 -> HostFloat.compare(c, a, b, true);
            default -> single & 0xFFFF_FFFFL;
        };
    }
}
