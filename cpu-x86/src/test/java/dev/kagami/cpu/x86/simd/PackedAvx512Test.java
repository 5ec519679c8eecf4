package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

/** Checks what AVX-512 adds bit by bit, or in numbers of any size. */
final class PackedAvx512Test {
    private static final int ROUNDS = 1000;
    private static final long SEED = 0x5EED_512L;

    private final SplittableRandom random = new SplittableRandom(SEED);

    private static int bit(long a, int number) {
        return (int) (a >>> number & 1);
    }

    private static BigInteger number(long a, int bits) {
        return BigInteger.valueOf(a).mod(BigInteger.ONE.shiftLeft(bits));
    }

    /** Shifts what is joined: {@code high} above {@code low}, right. */
    private static long joined(BigInteger high, BigInteger low, int bits, int count) {
        return high.shiftLeft(bits).or(low).shiftRight(count).longValue();
    }

    @RepeatedTest(7)
    void shiftsEachElementByACountOfItsOwn(RepetitionInfo repetition) {
        int operation = repetition.getCurrentRepetition() - 1;
        for (int round = 0; round < ROUNDS; round++) {
            int bits = 16 << random.nextInt(3);
            long a = random.nextLong();
            long other = random.nextLong();
            long counts = random.nextLong();
            if (random.nextBoolean()) {
                counts &= 0x003F_001F_001F_001FL;
            }
            long result = PackedVariable.shift(operation, bits, a, other, counts);
            for (int at = 0; at < 64; at += bits) {
                BigInteger value = number(a >>> at, bits);
                BigInteger comingIn = number(other >>> at, bits);
                BigInteger count = number(counts >>> at, bits);
                int within = count.intValue() & bits - 1;
                int limited = count.min(BigInteger.valueOf(bits)).intValue();
                BigInteger sign = value.testBit(bits - 1) ? BigInteger.ONE.negate() : BigInteger.ZERO;
                long expected = switch (operation) {
                    case PackedVariable.RIGHT -> value.shiftRight(limited).longValue();
                    case PackedVariable.RIGHT_SIGNED -> joined(sign, value, bits, limited);
                    case PackedVariable.LEFT -> value.shiftLeft(limited).longValue();
                    case PackedVariable.ROTATE_RIGHT -> joined(value, value, bits, within);
                    case PackedVariable.ROTATE_LEFT -> joined(value, value, bits, bits - within);
                    case PackedVariable.DOUBLE_RIGHT -> joined(comingIn, value, bits, within);
                    default -> joined(value, comingIn, bits, bits - within);
                };
                assertThat(number(result >>> at, bits))
                        .as("%d of %d bits: %x %x %x, seed %x", operation, bits, a, other, counts, SEED)
                        .isEqualTo(number(expected, bits));
            }
        }
    }

    @Test
    void countsBitsOfEachElement() {
        for (int round = 0; round < ROUNDS; round++) {
            long a = random.nextLong() >>> random.nextInt(64);
            for (int at = 0; at < 64; at += 8) {
                assertThat(PackedBits.popcntb(a) >>> at & 0xFF).isEqualTo(Long.bitCount(a >>> at & 0xFF));
            }
            for (int at = 0; at < 64; at += 16) {
                assertThat(PackedBits.popcntw(a) >>> at & 0xFFFF).isEqualTo(Long.bitCount(a >>> at & 0xFFFF));
            }
            for (int at = 0; at < 64; at += 32) {
                long element = a >>> at & 0xFFFF_FFFFL;
                assertThat(PackedBits.popcntd(a) >>> at & 0xFFFF_FFFFL).isEqualTo(Long.bitCount(element));
                assertThat(PackedBits.lzcntd(a) >>> at & 0xFFFF_FFFFL)
                        .isEqualTo(Long.numberOfLeadingZeros(element) - 32);
            }
        }
    }

    @Test
    void selectsBits() {
        for (int round = 0; round < ROUNDS; round++) {
            long a = random.nextLong();
            long b = random.nextLong();
            long c = random.nextLong();
            int table = random.nextInt(256);
            long ternary = PackedBits.ternary(table, a, b, c);
            long shifted = PackedBits.multishift(b, a);
            int chosen = PackedBits.shuffleBits(a, b);
            for (int i = 0; i < 64; i++) {
                assertThat(bit(ternary, i)).isEqualTo(bit(table, 4 * bit(a, i) + 2 * bit(b, i) + bit(c, i)));
                int start = (int) (b >>> (i & ~7)) & 63;
                assertThat(bit(shifted, i)).isEqualTo(bit(a, start + (i & 7) & 63));
                assertThat(bit(chosen, i / 8)).isEqualTo(bit(a, start));
            }
        }
    }

    @Test
    void makesMasksOfBitsAndBitsOfMasks() {
        for (int bits = 0; bits < 256; bits++) {
            long mask = PackedCompare.byteMask(bits | 0x1200);
            assertThat(PackedShuffle.pmovmskb(mask)).isEqualTo(bits);
            assertThat(Long.bitCount(mask)).isEqualTo(8 * Integer.bitCount(bits));
            assertThat(PackedShuffle.wordSigns(PackedCompare.wordMask(bits))).isEqualTo(bits & 15);
            assertThat(PackedShuffle.wordSigns(~0x8000_8000_8000_8000L)).isZero();
        }
    }

    @Test
    void addsProducts() {
        for (int round = 0; round < ROUNDS; round++) {
            long sum = random.nextLong();
            long a = random.nextInt(4) == 0 ? -1 : random.nextLong();
            long b = random.nextInt(4) == 0 ? 0x8000_8000_7F7F_7F7FL : random.nextLong();
            for (int at = 0; at < 64; at += 32) {
                long bytes = (int) (sum >>> at);
                long words = bytes;
                for (int i = at; i < at + 32; i += 8) {
                    bytes += (a >>> i & 0xFF) * (byte) (b >>> i);
                }
                for (int i = at; i < at + 32; i += 16) {
                    words += (long) (short) (a >>> i) * (short) (b >>> i);
                }
                assertThat((int) (PackedDot.dpbusd(sum, a, b, false) >>> at)).isEqualTo((int) bytes);
                assertThat((int) (PackedDot.dpbusd(sum, a, b, true) >>> at)).isEqualTo(clamped(bytes));
                assertThat((int) (PackedDot.dpwssd(sum, a, b, false) >>> at)).isEqualTo((int) words);
                assertThat((int) (PackedDot.dpwssd(sum, a, b, true) >>> at)).isEqualTo(clamped(words));
            }
            BigInteger product = number(a, 52).multiply(number(b, 52));
            assertThat(PackedDot.madd52lo(sum, a, b)).isEqualTo(sum + (product.longValue() & (1L << 52) - 1));
            assertThat(PackedDot.madd52hi(sum, a, b))
                    .isEqualTo(sum + product.shiftRight(52).longValue());
        }
    }

    private static int clamped(long value) {
        return (int) Math.min(Math.max(value, Integer.MIN_VALUE), Integer.MAX_VALUE);
    }

    @Test
    void sumsDifferencesOfDoubleBlocks() {
        for (int round = 0; round < ROUNDS; round++) {
            long a = random.nextLong();
            long b = random.nextLong();
            long sums = PackedAdd.dbpsadbw(a, b);
            for (int word = 0; word < 4; word++) {
                int expected = 0;
                for (int i = 0; i < 4; i++) {
                    int first = (int) (a >>> 8 * ((word & 2) * 2 + i)) & 0xFF;
                    int second = (int) (b >>> 8 * (word + i)) & 0xFF;
                    expected += Math.abs(first - second);
                }
                assertThat(sums >>> 16 * word & 0xFFFF).isEqualTo(expected);
            }
        }
    }
}
