package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.LongBinaryOperator;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/** Checks the element-wise functions against one element at a time in plain arithmetic. */
final class PackedElementsTest {
    private static final long SEED = 0x5EED_51DDL;
    private static final int ROUNDS = 4000;
    private static final long[] EDGES = {
        0,
        -1,
        1,
        0x8080_8080_8080_8080L,
        0x7F7F_7F7F_7F7F_7F7FL,
        0x8000_8000_8000_8000L,
        0x7FFF_7FFF_7FFF_7FFFL,
        0x8000_0000_8000_0000L,
        0x7FFF_FFFF_7FFF_FFFFL,
        Long.MIN_VALUE,
        Long.MAX_VALUE,
        0x0001_00FF_FF00_FFFFL
    };

    private final RandomGenerator random =
            RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);

    /** Yields a number that is an edge case, or has elements that are, every other time. */
    private long number() {
        long edge = EDGES[random.nextInt(EDGES.length)];
        return switch (random.nextInt(4)) {
            case 0 -> edge;
            case 1 -> random.nextLong() & edge;
            default -> random.nextLong();
        };
    }

    private static long signed(long value, int bits) {
        return value << 64 - bits >> 64 - bits;
    }

    private static long unsigned(long value, int bits) {
        return bits == 64 ? value : value & (1L << bits) - 1;
    }

    private static long clamp(long value, long minimum, long maximum) {
        return Math.min(Math.max(value, minimum), maximum);
    }

    private void check(String name, int bits, boolean signed, LongBinaryOperator actual, LongBinaryOperator element) {
        for (int round = 0; round < ROUNDS; round++) {
            long a = number();
            long b = random.nextInt(8) == 0 ? a : number();
            long expected = 0;
            for (int shift = 0; shift < 64; shift += bits) {
                long x = signed ? signed(a >>> shift, bits) : unsigned(a >>> shift, bits);
                long y = signed ? signed(b >>> shift, bits) : unsigned(b >>> shift, bits);
                expected |= unsigned(element.applyAsLong(x, y), bits) << shift;
            }
            assertThat(actual.applyAsLong(a, b))
                    .as("%s %016x %016x, seed %x", name, a, b, SEED)
                    .isEqualTo(expected);
        }
    }

    private void checkSigned(String name, int bits, LongBinaryOperator actual, LongBinaryOperator element) {
        check(name, bits, true, actual, element);
    }

    private void checkUnsigned(String name, int bits, LongBinaryOperator actual, LongBinaryOperator element) {
        check(name, bits, false, actual, element);
    }

    @Test
    void addsAndSubtractsEachElement() {
        checkSigned("paddb", 8, PackedAdd::paddb, Long::sum);
        checkSigned("paddw", 16, PackedAdd::paddw, Long::sum);
        checkSigned("paddd", 32, PackedAdd::paddd, Long::sum);
        checkSigned("psubb", 8, PackedAdd::psubb, (x, y) -> x - y);
        checkSigned("psubw", 16, PackedAdd::psubw, (x, y) -> x - y);
        checkSigned("psubd", 32, PackedAdd::psubd, (x, y) -> x - y);
    }

    @Test
    void saturatesEachElement() {
        checkSigned("paddsb", 8, PackedAdd::paddsb, (x, y) -> clamp(x + y, -0x80, 0x7F));
        checkSigned("paddsw", 16, PackedAdd::paddsw, (x, y) -> clamp(x + y, -0x8000, 0x7FFF));
        checkSigned("psubsb", 8, PackedAdd::psubsb, (x, y) -> clamp(x - y, -0x80, 0x7F));
        checkSigned("psubsw", 16, PackedAdd::psubsw, (x, y) -> clamp(x - y, -0x8000, 0x7FFF));
        checkUnsigned("paddusb", 8, PackedAdd::paddusb, (x, y) -> clamp(x + y, 0, 0xFF));
        checkUnsigned("paddusw", 16, PackedAdd::paddusw, (x, y) -> clamp(x + y, 0, 0xFFFF));
        checkUnsigned("psubusb", 8, PackedAdd::psubusb, (x, y) -> clamp(x - y, 0, 0xFF));
        checkUnsigned("psubusw", 16, PackedAdd::psubusw, (x, y) -> clamp(x - y, 0, 0xFFFF));
    }

    @Test
    void averagesTakesMagnitudesAndSigns() {
        checkUnsigned("pavgb", 8, PackedAdd::pavgb, (x, y) -> x + y + 1 >> 1);
        checkUnsigned("pavgw", 16, PackedAdd::pavgw, (x, y) -> x + y + 1 >> 1);
        checkSigned("pabsb", 8, (a, b) -> PackedAdd.pabsb(a), (x, y) -> Math.abs(x));
        checkSigned("pabsw", 16, (a, b) -> PackedAdd.pabsw(a), (x, y) -> Math.abs(x));
        checkSigned("pabsd", 32, (a, b) -> PackedAdd.pabsd(a), (x, y) -> Math.abs(x));
        checkSigned("psignb", 8, PackedAdd::psignb, (x, y) -> x * Long.signum(y));
        checkSigned("psignw", 16, PackedAdd::psignw, (x, y) -> x * Long.signum(y));
        checkSigned("psignd", 32, PackedAdd::psignd, (x, y) -> x * Long.signum(y));
    }

    @Test
    void comparesEachElement() {
        checkSigned("pcmpeqb", 8, PackedCompare::pcmpeqb, (x, y) -> x == y ? -1 : 0);
        checkSigned("pcmpeqw", 16, PackedCompare::pcmpeqw, (x, y) -> x == y ? -1 : 0);
        checkSigned("pcmpeqd", 32, PackedCompare::pcmpeqd, (x, y) -> x == y ? -1 : 0);
        checkSigned("pcmpeqq", 64, PackedCompare::pcmpeqq, (x, y) -> x == y ? -1 : 0);
        checkSigned("pcmpgtb", 8, PackedCompare::pcmpgtb, (x, y) -> x > y ? -1 : 0);
        checkSigned("pcmpgtw", 16, PackedCompare::pcmpgtw, (x, y) -> x > y ? -1 : 0);
        checkSigned("pcmpgtd", 32, PackedCompare::pcmpgtd, (x, y) -> x > y ? -1 : 0);
        checkSigned("pcmpgtq", 64, PackedCompare::pcmpgtq, (x, y) -> x > y ? -1 : 0);
    }

    @Test
    void takesMinimumAndMaximumOfEachElement() {
        checkSigned("pminsb", 8, PackedCompare::pminsb, Math::min);
        checkSigned("pminsw", 16, PackedCompare::pminsw, Math::min);
        checkSigned("pminsd", 32, PackedCompare::pminsd, Math::min);
        checkSigned("pmaxsb", 8, PackedCompare::pmaxsb, Math::max);
        checkSigned("pmaxsw", 16, PackedCompare::pmaxsw, Math::max);
        checkSigned("pmaxsd", 32, PackedCompare::pmaxsd, Math::max);
        checkUnsigned("pminub", 8, PackedCompare::pminub, Math::min);
        checkUnsigned("pminuw", 16, PackedCompare::pminuw, Math::min);
        checkUnsigned("pminud", 32, PackedCompare::pminud, Math::min);
        checkUnsigned("pmaxub", 8, PackedCompare::pmaxub, Math::max);
        checkUnsigned("pmaxuw", 16, PackedCompare::pmaxuw, Math::max);
        checkUnsigned("pmaxud", 32, PackedCompare::pmaxud, Math::max);
    }

    @Test
    void blendsBySigns() {
        for (int bits : new int[] {8, 32, 64}) {
            long mask = number();
            LongBinaryOperator actual = switch (bits) {
                case 8 -> (a, b) -> PackedCompare.pblendvb(a, b, mask);
                case 32 -> (a, b) -> PackedCompare.blendvps(a, b, mask);
                default -> (a, b) -> PackedCompare.blendvpd(a, b, mask);
            };
            for (int round = 0; round < ROUNDS; round++) {
                long a = random.nextLong();
                long b = random.nextLong();
                long expected = 0;
                for (int shift = 0; shift < 64; shift += bits) {
                    long source = signed(mask >>> shift, bits) < 0 ? b : a;
                    expected |= unsigned(source >>> shift, bits) << shift;
                }
                assertThat(actual.applyAsLong(a, b))
                        .as("%d, seed %x", bits, SEED)
                        .isEqualTo(expected);
            }
        }
        assertThat(PackedCompare.wordMask(0b1010)).isEqualTo(0xFFFF_0000_FFFF_0000L);
        assertThat(PackedCompare.doublewordMask(0b10)).isEqualTo(0xFFFF_FFFF_0000_0000L);
    }

    @Test
    void multipliesEachElement() {
        checkSigned("pmullw", 16, PackedMultiply::pmullw, (x, y) -> x * y);
        checkSigned("pmulhw", 16, PackedMultiply::pmulhw, (x, y) -> x * y >> 16);
        checkUnsigned("pmulhuw", 16, PackedMultiply::pmulhuw, (x, y) -> x * y >> 16);
        checkSigned("pmulhrsw", 16, PackedMultiply::pmulhrsw, (x, y) -> (x * y >> 14) + 1 >> 1);
        checkSigned("pmulld", 32, PackedMultiply::pmulld, (x, y) -> x * y);
        checkSigned("pmuldq", 64, PackedMultiply::pmuldq, (x, y) -> signed(x, 32) * signed(y, 32));
        checkSigned("pmuludq", 64, PackedMultiply::pmuludq, (x, y) -> unsigned(x, 32) * unsigned(y, 32));
        checkSigned(
                "pmaddwd",
                32,
                PackedMultiply::pmaddwd,
                (x, y) -> signed(x, 16) * signed(y, 16) + (x >> 16) * (y >> 16));
        checkSigned(
                "pmaddubsw",
                16,
                PackedMultiply::pmaddubsw,
                (x, y) -> clamp(unsigned(x, 8) * signed(y, 8) + unsigned(x >> 8, 8) * (y >> 8), -0x8000, 0x7FFF));
    }

    private static long shifted(long x, long count, int bits, boolean arithmetic) {
        boolean all = count < 0 || count >= bits;
        if (arithmetic) {
            return signed(x, bits) >> (all ? bits - 1 : count);
        }
        return all ? 0 : unsigned(x, bits) >>> count;
    }

    @Test
    void shiftsEachElement() {
        for (long count : new long[] {0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 1L << 32, -1, 1L << 63}) {
            checkSigned(
                    "psllw", 16, (a, b) -> PackedShift.psllw(a, count), (x, y) -> count >>> 4 == 0 ? x << count : 0);
            checkSigned(
                    "pslld", 32, (a, b) -> PackedShift.pslld(a, count), (x, y) -> count >>> 5 == 0 ? x << count : 0);
            checkSigned(
                    "psllq", 64, (a, b) -> PackedShift.psllq(a, count), (x, y) -> count >>> 6 == 0 ? x << count : 0);
            checkSigned("psrlw", 16, (a, b) -> PackedShift.psrlw(a, count), (x, y) -> shifted(x, count, 16, false));
            checkSigned("psrld", 32, (a, b) -> PackedShift.psrld(a, count), (x, y) -> shifted(x, count, 32, false));
            checkSigned("psrlq", 64, (a, b) -> PackedShift.psrlq(a, count), (x, y) -> shifted(x, count, 64, false));
            checkSigned("psraw", 16, (a, b) -> PackedShift.psraw(a, count), (x, y) -> shifted(x, count, 16, true));
            checkSigned("psrad", 32, (a, b) -> PackedShift.psrad(a, count), (x, y) -> shifted(x, count, 32, true));
        }
    }
}
