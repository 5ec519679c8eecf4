package dev.kagami.cpu.x86.softfloat;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** {@link Transcendental80} against published digits, Java's functions and the manual's tables of special cases. */
class Transcendental80Test {
    private static final int ONE = Float80.BIAS;
    private static final long BIT = Float80.INTEGER_BIT;
    private static final BigDecimal TWO = BigDecimal.TWO;

    /** Correct rounding, with some room for the 66-bit pi. */
    private static final double UNITS_IN_LAST_PLACE = 0.55;

    private final FloatContext c = new FloatContext();

    @Test
    void resultsAreThePublishedDigitsRounded() {
        sine(1.0);
        expect("0.841470984807896506652502321630298999622563060798371");
        cosine(1.0);
        expect("0.540302305868139717400936607442976603732310420617922");
        tangent(0.5);
        expect("0.546302489843790513255179465780285383297551720179791");
        arctangent(0.5, 1);
        expect("0.463647609000806116214256231461214402028537054286120");
        arctangent(1, 1);
        expect("0.785398163397448309615660845819875721049292349843776");
        arctangent(1, -0.5);
        expect("2.034443935795702735445577923100965844127021843812");
        logarithm(10, 1);
        expect("3.321928094887362347870319429489390175864831393024580");
        logarithm(3, 1);
        expect("1.584962500721156181453738943947816508759814407692481");
        power(0.5);
        expect("0.414213562373095048801688724209698078569671875376948");
        power(-0.5);
        expect("-0.292893218813452475599155637895150960715164062311526");
        logarithmPlusOne(0.25);
        expect("0.321928094887362347870319429489390175864831393024580");
    }

    @Test
    void resultsAgreeWithJavaOverTheRange() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            String name = "seed " + seed + " case " + i;
            double x = Math.scalb(random.nextDouble() - 0.5, random.nextInt(30) - 20);
            double y = Math.scalb(random.nextDouble() - 0.5, random.nextInt(30) - 20);
            sine(x);
            check(name, Math.sin(x), 1e-9);
            cosine(x);
            check(name, Math.cos(x), 1e-9);
            arctangent(y, x);
            check(name, Math.atan2(y, x), 0);
            logarithm(Math.abs(x), y);
            check(name, y * Math.log(Math.abs(x)) / Math.log(2), 1e-9);
            double small = (random.nextDouble() - 0.5) * Math.scalb(0.5, -random.nextInt(20));
            logarithmPlusOne(small);
            check(name, Math.log1p(small) / Math.log(2), 0);
            power(small * 2);
            check(name, Math.expm1(small * 2 * Math.log(2)), 0);
        }
    }

    @Test
    void tinyOperandsKeepTheirDirectionOfRounding() {
        // sin x is a little less than x.
        c.useControlWord(0x37F | FloatContext.ROUND_ZERO << 10);
        Transcendental80.sine(c, ONE - 100, BIT);
        assertThat(c.signExponent).isEqualTo(ONE - 101);
        assertThat(c.significand).isEqualTo(-1L);
        assertThat(c.flags).isEqualTo(FloatContext.INEXACT);
        c.useControlWord(0x37F);
        Transcendental80.sine(c, ONE - 100, BIT);
        assertThat(c.signExponent).isEqualTo(ONE - 100);
        assertThat(c.significand).isEqualTo(BIT);
    }

    @Test
    void logarithmsOfPowersOfTwoAreExact() {
        logarithm(1024, 3);
        expect("30");
        assertThat(c.flags).isZero();
        logarithm(1, 3);
        assertThat(c.significand).isZero();
        assertThat(c.flags).isZero();
    }

    @Test
    void logarithmFollowsItsTableOfSpecialCases() {
        // SDM 2A FYL2X: zero gives an infinity of the other sign with #Z, negative numbers are invalid.
        use();
        Transcendental80.yLogarithm(c, 0, 0, ONE, BIT);
        assertThat(c.signExponent).isEqualTo(0xFFFF);
        assertThat(c.significand).isEqualTo(BIT);
        assertThat(c.flags).isEqualTo(FloatContext.ZERO_DIVIDE);
        use();
        Transcendental80.yLogarithm(c, Float80.SIGN | ONE, BIT, ONE, BIT);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
        use();
        Transcendental80.yLogarithm(c, ONE, BIT, 0x7FFF, BIT);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
    }

    @Test
    void arctangentFollowsItsTableOfSpecialCases() {
        arctangent(0.0, -1);
        expect("3.14159265358979323846264338327950288419716939937511");
        arctangent(-0.0, 1);
        assertThat(c.signExponent).isEqualTo(Float80.SIGN);
        assertThat(c.significand).isZero();
        use();
        Transcendental80.arctangent(c, 0xFFFF, BIT, 0x7FFF, BIT);
        expect("2.35619449019234492884698253745962716314787704953133");
        use();
        Transcendental80.arctangent(c, 0x7FFF, BIT, ONE, BIT);
        assertThat(c.significand).isZero();
    }

    @Test
    void rangeOfTrigonometricOperandsEndsAtTwoToThe63() {
        assertThat(Transcendental80.outOfRange(ONE + 62, -1L)).isFalse();
        assertThat(Transcendental80.outOfRange(ONE + 63, BIT)).isTrue();
        assertThat(Transcendental80.outOfRange(0x7FFF, BIT)).isFalse();
        use();
        Transcendental80.cosine(c, 0x7FFF, BIT);
        assertThat(c.flags).isEqualTo(FloatContext.INVALID);
    }

    @Test
    void piByTheProcessorHas66Bits() {
        // The sine of the 64-bit pi is its distance from the 66-bit one (SDM 1 8.3.8): 0xC90FDAA22168C234C - ...C235.
        use();
        Transcendental80.sine(c, ONE + 1, 0xC90F_DAA2_2168_C235L);
        assertThat(c.signExponent).isEqualTo(Float80.SIGN | ONE - 64);
        assertThat(c.significand).isEqualTo(BIT);
    }

    private void use() {
        c.useControlWord(0x37F);
    }

    private static int signExponent(FloatContext scratch, double x) {
        Float80.widen(scratch, FloatFormat.BINARY64, Double.doubleToRawLongBits(x));
        return scratch.signExponent;
    }

    private static long significand(FloatContext scratch, double x) {
        Float80.widen(scratch, FloatFormat.BINARY64, Double.doubleToRawLongBits(x));
        return scratch.significand;
    }

    private void sine(double x) {
        use();
        Transcendental80.sine(c, signExponent(c, x), significand(c, x));
    }

    private void cosine(double x) {
        use();
        Transcendental80.cosine(c, signExponent(c, x), significand(c, x));
    }

    private void tangent(double x) {
        use();
        Transcendental80.tangent(c, signExponent(c, x), significand(c, x));
    }

    private void power(double x) {
        use();
        Transcendental80.powerMinusOne(c, signExponent(c, x), significand(c, x));
    }

    private void arctangent(double y, double x) {
        use();
        Transcendental80.arctangent(c, signExponent(c, x), significand(c, x), signExponent(c, y), significand(c, y));
    }

    private void logarithm(double x, double y) {
        use();
        Transcendental80.yLogarithm(c, signExponent(c, x), significand(c, x), signExponent(c, y), significand(c, y));
    }

    private void logarithmPlusOne(double x) {
        use();
        Transcendental80.yLogarithmPlusOne(c, signExponent(c, x), significand(c, x), ONE, BIT);
    }

    private BigDecimal result() {
        BigDecimal magnitude = new BigDecimal(Long.toUnsignedString(c.significand));
        int exponent = (c.signExponent & Float80.MAX_EXPONENT) - ONE - 63;
        BigDecimal scale = TWO.pow(Math.abs(exponent));
        BigDecimal value = exponent >= 0 ? magnitude.multiply(scale) : magnitude.divide(scale);
        return (c.signExponent & Float80.SIGN) != 0 ? value.negate() : value;
    }

    private void expect(String digits) {
        BigDecimal expected = new BigDecimal(digits);
        int exponent = (c.signExponent & Float80.MAX_EXPONENT) - ONE - 63;
        BigDecimal unit = exponent >= 0 ? TWO.pow(exponent) : BigDecimal.ONE.divide(TWO.pow(-exponent));
        assertThat(result().subtract(expected).abs())
                .as("%s, not %s", result(), digits)
                .isLessThanOrEqualTo(unit.multiply(BigDecimal.valueOf(UNITS_IN_LAST_PLACE)));
    }

    private void check(String name, double expected, double absolute) {
        double actual = result().doubleValue();
        assertThat(actual)
                .as(name)
                .isCloseTo(expected, Offset.offset(Math.abs(expected) * 0x1p-50 + absolute * 0x1p-20));
    }
}
