package dev.kagami.cpu.x86.softfloat;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** {@link Float80}, {@link Remainder80} and {@link PackedDecimal} against exact integer arithmetic and the manual. */
class Float80Test {
    private static final int CASES = 60_000;
    private static final int ONE = Float80.BIAS;
    private static final long BIT = Float80.INTEGER_BIT;

    private final FloatContext c = new FloatContext();

    private void use(int precision, int rounding) {
        c.useControlWord(0x7F | precision << 8 | rounding << 10);
    }

    @Test
    void arithmeticIsTheExactResultRoundedToThePrecisionInForce() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            int precision = new int[] {0, 2, 3}[random.nextInt(3)];
            int mode = random.nextInt(4);
            int sea = operandExponent(random);
            int seb = random.nextBoolean() ? operandExponent(random) : sea ^ random.nextInt(4);
            if ((seb & Float80.MAX_EXPONENT) == Float80.MAX_EXPONENT) {
                seb--;
            }
            long sa = significand(random, sea);
            long sb = significand(random, seb);
            use(precision, mode);
            int operation = random.nextInt(5);
            boolean negativeA = (sea & Float80.SIGN) != 0;
            boolean negativeB = (seb & Float80.SIGN) != 0;
            boolean negative = negativeA != negativeB;
            BigInteger na = new BigInteger(Long.toUnsignedString(Float80.normalized(sa)));
            BigInteger nb = new BigInteger(Long.toUnsignedString(Float80.normalized(sb)));
            int ea = Float80.exponent(sea, sa) - ONE - 63;
            int eb = Float80.exponent(seb, sb) - ONE - 63;
            ReferenceRounding.Exact exact;
            switch (operation) {
                case 0, 1 -> {
                    if (Math.abs(ea - eb) > 400) {
                        continue;
                    }
                    int e = Math.min(ea, eb);
                    BigInteger x = na.shiftLeft(ea - e);
                    BigInteger y = nb.shiftLeft(eb - e);
                    BigInteger sum = (negativeA ? x.negate() : x).add(negativeB != (operation == 1) ? y.negate() : y);
                    negative = sum.signum() < 0;
                    exact = ReferenceRounding.Exact.of(sum.abs(), e);
                    if (operation == 0) {
                        Float80.add(c, sea, sa, seb, sb);
                    } else {
                        Float80.subtract(c, sea, sa, seb, sb);
                    }
                }
                case 2 -> {
                    exact = ReferenceRounding.Exact.of(na.multiply(nb), ea + eb);
                    Float80.multiply(c, sea, sa, seb, sb);
                }
                case 3 -> {
                    exact = new ReferenceRounding.Exact(na, nb, ea - eb);
                    Float80.divide(c, sea, sa, seb, sb);
                }
                default -> {
                    int e = ea - 400 - (ea & 1);
                    BigInteger[] root = na.shiftLeft(ea - e).sqrtAndRemainder();
                    BigInteger sticky = root[1].signum() != 0 ? BigInteger.ONE : BigInteger.ZERO;
                    exact = ReferenceRounding.Exact.of(root[0].shiftLeft(1).add(sticky), e / 2 - 1);
                    negative = false;
                    Float80.squareRoot(c, sea & Float80.MAX_EXPONENT, sa);
                }
            }
            String name = String.format(
                    "seed %d case %d: %x:%x op %d %x:%x, precision %d mode %d",
                    seed, i, sea, sa, operation, seb, sb, precision, mode);
            if (exact.numerator().signum() == 0) {
                assertThat(c.significand).as(name).isZero();
                continue;
            }
            FloatFormat f = c.extended;
            ReferenceRounding expected = ReferenceRounding.round(exact, negative, f, mode);
            assertThat(Long.toHexString(c.significand))
                    .as(name)
                    .isEqualTo(Long.toHexString(expected.leftAligned(f, negative, mode)));
            assertThat(c.signExponent)
                    .as(name)
                    .isEqualTo((negative ? Float80.SIGN : 0) | expected.field(f, negative, mode));
            boolean denormal = Float80.isDenormal(sea, sa) || operation != 4 && Float80.isDenormal(seb, sb);
            assertThat(c.flags).as(name).isEqualTo(expected.flags() | (denormal ? FloatContext.DENORMAL : 0));
        }
    }

    @Test
    void remaindersAreExact() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            int exponent = 1000 + random.nextInt(30000);
            int distance = random.nextInt(67) - 3;
            boolean nearest = random.nextBoolean();
            long sa = significand(random, 1);
            long sb = significand(random, 1);
            use(3, 0);
            int quotient = Remainder80.remainder(c, exponent + distance, sa, exponent, sb, nearest);
            BigInteger a = new BigInteger(Long.toUnsignedString(sa)).shiftLeft(distance + 3);
            BigInteger b = new BigInteger(Long.toUnsignedString(sb)).shiftLeft(3);
            BigInteger[] parts = a.divideAndRemainder(b);
            if (nearest) {
                int order = parts[1].shiftLeft(1).compareTo(b);
                if (order > 0 || order == 0 && parts[0].testBit(0)) {
                    parts[0] = parts[0].add(BigInteger.ONE);
                    parts[1] = parts[1].subtract(b);
                }
            }
            String name = String.format(
                    "seed %d case %d: %x by %x, distance %d, nearest %b", seed, i, sa, sb, distance, nearest);
            if (distance >= 64) {
                assertThat(quotient).as(name).isEqualTo(Remainder80.PARTIAL);
                continue;
            }
            assertThat(quotient).as(name).isEqualTo(parts[0].intValue() & 7);
            BigInteger actual = new BigInteger(Long.toUnsignedString(c.significand));
            int scale = (c.signExponent & Float80.MAX_EXPONENT) - exponent + 3;
            actual = scale >= 0 ? actual.shiftLeft(scale) : actual.shiftRight(-scale);
            assertThat((c.signExponent & Float80.SIGN) != 0 ? actual.negate() : actual)
                    .as(name)
                    .isEqualTo(parts[1]);
        }
    }

    @Test
    void partialRemaindersKeepTheRemainder() {
        use(3, 0);
        // 2^100 by 3: the exponents differ by 98, so the first step reduces by 34.
        int quotient = Remainder80.remainder(c, ONE + 100, BIT, ONE + 1, 0xC000_0000_0000_0000L, false);
        assertThat(quotient).isEqualTo(Remainder80.PARTIAL);
        int se = c.signExponent;
        long s = c.significand;
        use(3, 0);
        assertThat(Remainder80.remainder(c, se, s, ONE + 1, 0xC000_0000_0000_0000L, false) & Remainder80.PARTIAL)
                .isZero();
        assertThat(c.signExponent).isEqualTo(ONE);
        assertThat(c.significand).isEqualTo(BIT);
    }

    @Test
    void quietNanWinsOverSignalingAndLargerSignificandOverSmaller() {
        use(3, 0);
        Float80.add(c, 0x7FFF, 0xA000_0000_0000_0001L, 0xFFFF, 0xC000_0000_0000_0002L);
        assertThat(c.signExponent).isEqualTo(0xFFFF);
        assertThat(c.significand).isEqualTo(0xC000_0000_0000_0002L);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
        use(3, 0);
        Float80.multiply(c, 0x7FFF, 0xC000_0000_0000_0001L, 0xFFFF, 0xC000_0000_0000_0002L);
        assertThat(c.significand).isEqualTo(0xC000_0000_0000_0002L);
        assertThat(c.flags).isZero();
        Float80.multiply(c, 0xFFFF, 0xC000_0000_0000_0002L, 0x7FFF, 0xC000_0000_0000_0002L);
        assertThat(c.signExponent).isEqualTo(0x7FFF);
    }

    @Test
    void unsupportedEncodingsAreInvalid() {
        use(3, 0);
        Float80.add(c, ONE, 1, ONE, BIT);
        assertThat(c.signExponent).isEqualTo(Float80.INDEFINITE_SIGN_EXPONENT);
        assertThat(c.significand).isEqualTo(Float80.INDEFINITE_SIGNIFICAND);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
    }

    @Test
    void pseudoDenormalsHaveTheValueOfExponentOne() {
        use(3, 0);
        assertThat(Float80.compare(c, 0, BIT, 1, BIT, true)).isEqualTo(BinaryFloat.EQUAL);
        assertThat(c.flags).isEqualTo(FloatContext.DENORMAL);
    }

    @Test
    void unmaskedOverflowWrapsTheExponent() {
        c.useControlWord(0x37F & ~FloatContext.OVERFLOW);
        Float80.multiply(c, 0x7FFE, BIT, 0x7FFE, BIT);
        assertThat(c.flags).isEqualTo(FloatContext.OVERFLOW);
        assertThat(c.signExponent).isEqualTo(0x7FFE + 0x7FFE - ONE - 24576);
        assertThat(c.significand).isEqualTo(BIT);
    }

    @Test
    void storingRoundsToTheMemoryFormat() {
        use(3, FloatContext.ROUND_NEAREST);
        assertThat(Float80.store(c, FloatFormat.BINARY32, ONE, BIT | 1L << 39)).isEqualTo(0x3F800000L);
        assertThat(c.flags).isEqualTo(FloatContext.INEXACT);
        assertThat(Float80.store(c, FloatFormat.BINARY32, ONE, BIT | 3L << 39)).isEqualTo(0x3F800002L);
        use(3, FloatContext.ROUND_NEAREST);
        assertThat(Float80.store(c, FloatFormat.BINARY64, ONE + 1024, BIT)).isEqualTo(0x7FF0_0000_0000_0000L);
        assertThat(c.flags).isEqualTo(FloatContext.OVERFLOW | FloatContext.INEXACT);
        use(3, FloatContext.ROUND_NEAREST);
        assertThat(Float80.store(c, FloatFormat.BINARY64, ONE - 1074, BIT)).isEqualTo(1);
        assertThat(c.flags).isZero();
    }

    @Test
    void loadingQuietsNansAndReportsDenormals() {
        use(3, 0);
        Float80.load(c, FloatFormat.BINARY32, 0x7F800001L);
        assertThat(c.significand).isEqualTo(BIT | Float80.QUIET_BIT | 1L << 40);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
        use(3, 0);
        Float80.load(c, FloatFormat.BINARY64, 1);
        assertThat(c.signExponent).isEqualTo(ONE - 1074);
        assertThat(c.significand).isEqualTo(BIT);
        assertThat(c.flags).isEqualTo(FloatContext.DENORMAL);
    }

    @Test
    void integersConvertBothWays() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < CASES; i++) {
            long value = random.nextLong() >> random.nextInt(64);
            use(3, 0);
            Float80.fromInteger(c, value);
            assertThat(Float80.toInteger(c, c.signExponent, c.significand, 0, 64))
                    .as("seed %d", seed)
                    .isEqualTo(value);
            assertThat(c.flags).isZero();
        }
        assertThat(Float80.toInteger(c, ONE + 15, BIT, 0, 16)).isEqualTo(-32768);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
    }

    @Test
    void integralRoundingFollowsTheModeForBothSigns() {
        long oneAndAHalf = 0xC000_0000_0000_0000L;
        int[][] expected = {{ONE + 1, ONE + 1}, {ONE, ONE + 1}, {ONE + 1, ONE}, {ONE, ONE}};
        for (int mode = 0; mode < 4; mode++) {
            use(3, mode);
            Float80.roundToIntegral(c, ONE, oneAndAHalf);
            assertThat(c.signExponent).isEqualTo(expected[mode][0]);
            Float80.roundToIntegral(c, Float80.SIGN | ONE, oneAndAHalf);
            assertThat(c.signExponent).isEqualTo(Float80.SIGN | expected[mode][1]);
            assertThat(c.flags).isEqualTo(FloatContext.INEXACT);
        }
        use(3, FloatContext.ROUND_UP);
        Float80.roundToIntegral(c, Float80.SIGN | ONE - 2, BIT);
        assertThat(c.signExponent).isEqualTo(Float80.SIGN);
        assertThat(c.significand).isZero();
    }

    @Test
    void scalingTruncatesTheScaleAndSaturates() {
        use(3, 0);
        Float80.scale(c, ONE, BIT, Float80.SIGN | ONE + 1, 0xF000_0000_0000_0000L);
        assertThat(c.signExponent).isEqualTo(ONE - 3);
        Float80.scale(c, ONE, BIT, ONE + 40, BIT);
        assertThat(c.signExponent).isEqualTo(0x7FFF);
        assertThat(c.flags).isEqualTo(FloatContext.OVERFLOW | FloatContext.INEXACT);
    }

    @Test
    void extractingGivesExponentAndSignificand() {
        use(3, 0);
        Remainder80.extractExponent(c, Float80.SIGN | ONE + 5, 0xC000_0000_0000_0000L);
        assertThat(Float80.toInteger(c, c.signExponent, c.significand, 0, 32)).isEqualTo(5);
        Remainder80.extractSignificand(c, Float80.SIGN | ONE + 5, 0xC000_0000_0000_0000L);
        assertThat(c.signExponent).isEqualTo(Float80.SIGN | ONE);
        Remainder80.extractExponent(c, 0, 0);
        assertThat(c.signExponent).isEqualTo(0xFFFF);
        assertThat(c.flags).isEqualTo(FloatContext.ZERO_DIVIDE);
    }

    @Test
    void packedDecimalsHoldEighteenDigits() {
        use(3, 0);
        PackedDecimal.load(c, 0x9876_5432_1012_3456L, 0x8012);
        int se = c.signExponent;
        long s = c.significand;
        assertThat(Float80.toInteger(c, se, s, 0, 64)).isEqualTo(-129876543210123456L);
        assertThat(PackedDecimal.store(c, se, s)).isEqualTo(0x8012);
        assertThat(c.significand).isEqualTo(0x9876_5432_1012_3456L);
        assertThat(c.flags).isZero();
        Float80.fromInteger(c, 1_000_000_000_000_000_000L);
        assertThat(PackedDecimal.store(c, c.signExponent, c.significand)).isEqualTo(PackedDecimal.INDEFINITE_HIGH);
        assertThat(c.significand).isEqualTo(PackedDecimal.INDEFINITE_LOW);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
    }

    private static int operandExponent(Random random) {
        int exponent = switch (random.nextInt(5)) {
            case 0 -> 0;
            case 1 -> 1 + random.nextInt(0x7FFE);
            case 2 -> 1 + random.nextInt(80);
            case 3 -> 0x7FFE - random.nextInt(3);
            default -> ONE - 40 + random.nextInt(80);
        };
        return exponent | random.nextInt(2) << 15;
    }

    private static long significand(Random random, int se) {
        long s = random.nextLong();
        if (random.nextBoolean()) {
            s &= -1L << random.nextInt(63);
        }
        return (se & Float80.MAX_EXPONENT) == 0 ? s >>> 1 + random.nextInt(62) | 1 : s | BIT;
    }
}
