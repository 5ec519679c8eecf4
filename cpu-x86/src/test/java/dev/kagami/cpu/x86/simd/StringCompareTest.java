package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/** Checks the text comparison against the manual's matrix of comparisons, one by one (SDM 2B 4.1.2 to 4.1.6). */
final class StringCompareTest {
    private static final long SEED = 42;

    private static int element(long low, long high, int index, int control) {
        int size = (control & 1) == 0 ? 8 : 16;
        int perQuadword = 64 / size;
        long raw = (index < perQuadword ? low : high) >>> index % perQuadword * size;
        if ((control & 2) == 0) {
            return (int) (raw & (1L << size) - 1);
        }
        return size == 8 ? (byte) raw : (short) raw;
    }

    /** Yields the overridden result for pairs with an invalid element, SDM 2B table 4-7. */
    private static boolean matches(int a, boolean valid1, int b, boolean valid2, int mode, boolean lowerBound) {
        if (valid1 && valid2) {
            return mode == 1 ? lowerBound ? b >= a : b <= a : a == b;
        }
        return switch (mode) {
            case 0, 1 -> false;
            case 2 -> !valid1 && !valid2;
            default -> !valid1;
        };
    }

    private static int expected(long low1, long high1, int length1, long low2, long high2, int length2, int control) {
        int elements = (control & 1) == 0 ? 16 : 8;
        int mode = control >> 2 & 3;
        boolean[][] matrix = new boolean[elements][elements];
        for (int j = 0; j < elements; j++) {
            for (int i = 0; i < elements; i++) {
                matrix[j][i] = matches(
                        element(low1, high1, i, control),
                        i < length1,
                        element(low2, high2, j, control),
                        j < length2,
                        mode,
                        (i & 1) == 0);
            }
        }
        int result = 0;
        for (int j = 0; j < elements; j++) {
            boolean bit = mode == 3;
            for (int i = 0; i < elements; i++) {
                switch (mode) {
                    case 0 -> bit |= matrix[j][i];
                    case 1 -> bit |= (i & 1) == 0 && matrix[j][i] && matrix[j][i + 1];
                    case 2 -> bit |= i == j && matrix[j][i];
                    default -> bit &= i + j >= elements || matrix[i + j][i];
                }
            }
            boolean inverted = (control & 0x10) != 0 && ((control & 0x20) == 0 || j < length2);
            result |= bit != inverted ? 1 << j : 0;
        }
        return result;
    }

    private static long text(RandomGenerator random) {
        long text = 0;
        for (int i = 0; i < 8; i++) {
            int letter = random.nextInt(6);
            text = text << 8 | (letter == 5 ? random.nextInt(256) : letter);
        }
        return text;
    }

    @Test
    void comparesAsTheManualsMatrix() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
        for (int round = 0; round < 60_000; round++) {
            int control = random.nextInt(128);
            long low1 = text(random);
            long high1 = text(random);
            long low2 = random.nextInt(4) == 0 ? low1 : text(random);
            long high2 = random.nextInt(4) == 0 ? high1 : text(random);
            int length1 = random.nextInt(StringCompare.elements(control) + 1);
            int length2 = random.nextInt(StringCompare.elements(control) + 1);
            assertThat(StringCompare.compare(low1, high1, length1, low2, high2, length2, control))
                    .as("round %d, seed %d, control %x", round, SEED, control)
                    .isEqualTo(expected(low1, high1, length1, low2, high2, length2, control));
        }
    }

    @Test
    void findsImplicitLengths() {
        assertThat(StringCompare.implicitLength(0x0102_0304_0506_0708L, 0x00FF_00FF_FFFF_FFFFL, 0))
                .isEqualTo(13);
        assertThat(StringCompare.implicitLength(-1, -1, 0)).isEqualTo(16);
        assertThat(StringCompare.implicitLength(0x0102_0304_0506_0708L, 0x00FF_0000_FFFF_FFFFL, 1))
                .isEqualTo(6);
        assertThat(StringCompare.implicitLength(0x0100_0100_0100_0100L, 0x0001_0001_0001_0001L, 1))
                .isEqualTo(8);
        assertThat(StringCompare.implicitLength(0, -1, 1)).isZero();
    }

    @Test
    void clampsExplicitLengths() {
        assertThat(StringCompare.explicitLength(5, 0)).isEqualTo(5);
        assertThat(StringCompare.explicitLength(-5, 0)).isEqualTo(5);
        assertThat(StringCompare.explicitLength(-9, 1)).isEqualTo(8);
        assertThat(StringCompare.explicitLength(Long.MIN_VALUE, 0)).isEqualTo(16);
        assertThat(StringCompare.explicitLength(Integer.MIN_VALUE, 0)).isEqualTo(16);
    }

    @Test
    void reportsIndexAndMask() {
        assertThat(StringCompare.index(0b0110, 0)).isEqualTo(1);
        assertThat(StringCompare.index(0b0110, 0x40)).isEqualTo(2);
        assertThat(StringCompare.index(0, 0)).isEqualTo(16);
        assertThat(StringCompare.index(0, 1)).isEqualTo(8);
        assertThat(StringCompare.maskLow(0x8102, 0)).isEqualTo(0x8102);
        assertThat(StringCompare.maskHigh(0x8102, 0)).isZero();
        assertThat(StringCompare.maskLow(0x8102, 0x40)).isEqualTo(0xFF00L);
        assertThat(StringCompare.maskHigh(0x8102, 0x40)).isEqualTo(0xFF00_0000_0000_00FFL);
        assertThat(StringCompare.maskLow(0x82, 0x41)).isEqualTo(0xFFFF_0000L);
        assertThat(StringCompare.maskHigh(0x82, 0x41)).isEqualTo(0xFFFFL << 48);
    }
}
