package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;

/** Checks the functions that mix elements against byte arrays. */
final class PackedRowsTest {
    private static final long[] EDGES = {0x80FF_7F00_0001_8000L, 0x7FFF_FFFF_8000_0000L, 0, -1};

    private RandomGenerator random = RandomGenerator.getDefault();

    private long number() {
        return random.nextInt(3) == 0 ? EDGES[random.nextInt(EDGES.length)] : random.nextLong();
    }

    private static byte[] bytes(long... quadwords) {
        ByteBuffer buffer = ByteBuffer.allocate(quadwords.length * 8).order(ByteOrder.LITTLE_ENDIAN);
        for (long quadword : quadwords) {
            buffer.putLong(quadword);
        }
        return buffer.array();
    }

    private static long quadword(byte[] bytes, int number) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(number * 8);
    }

    private static long element(byte[] bytes, int size, int number) {
        long value = 0;
        for (int i = size - 1; i >= 0; i--) {
            value = value << 8 | bytes[number * size + i] & 0xFF;
        }
        return value;
    }

    private static long signedElement(byte[] bytes, int size, int number) {
        return element(bytes, size, number) << 64 - size * 8 >> 64 - size * 8;
    }

    private static void put(byte[] bytes, int size, int number, long value) {
        for (int i = 0; i < size; i++) {
            bytes[number * size + i] = (byte) (value >> i * 8);
        }
    }

    private static long clamp(long value, long minimum, long maximum) {
        return Math.min(Math.max(value, minimum), maximum);
    }

    @RepeatedTest(300)
    void mixesElementsAsTheManualSays(RepetitionInfo repetition) {
        random = RandomGeneratorFactory.of("L64X128MixRandom").create(repetition.getCurrentRepetition());
        long low = number();
        long high = number();
        byte[] row = bytes(low, high);
        checkPack(low, high, row);
        checkHorizontal(low, high, row);
        checkInterleave(low, high, row);
        checkShuffle(low, high, row);
        checkWiden(low, row);
        checkByteShifts(low, high, row);
        checkSums(low, high, row);
    }

    private static void checkPack(long low, long high, byte[] row) {
        byte[] signedBytes = new byte[8];
        byte[] unsignedBytes = new byte[8];
        for (int i = 0; i < 8; i++) {
            put(signedBytes, 1, i, clamp(signedElement(row, 2, i), -0x80, 0x7F));
            put(unsignedBytes, 1, i, clamp(signedElement(row, 2, i), 0, 0xFF));
        }
        assertThat(PackedShuffle.packsswb(low, high)).isEqualTo(quadword(signedBytes, 0));
        assertThat(PackedShuffle.packuswb(low, high)).isEqualTo(quadword(unsignedBytes, 0));
        byte[] signedWords = new byte[8];
        byte[] unsignedWords = new byte[8];
        for (int i = 0; i < 4; i++) {
            put(signedWords, 2, i, clamp(signedElement(row, 4, i), -0x8000, 0x7FFF));
            put(unsignedWords, 2, i, clamp(signedElement(row, 4, i), 0, 0xFFFF));
        }
        assertThat(PackedShuffle.packssdw(low, high)).isEqualTo(quadword(signedWords, 0));
        assertThat(PackedShuffle.packusdw(low, high)).isEqualTo(quadword(unsignedWords, 0));
    }

    private static void checkHorizontal(long low, long high, byte[] row) {
        byte[] sums = new byte[8];
        byte[] differences = new byte[8];
        byte[] saturatedSums = new byte[8];
        byte[] saturatedDifferences = new byte[8];
        for (int i = 0; i < 4; i++) {
            long even = signedElement(row, 2, i * 2);
            long odd = signedElement(row, 2, i * 2 + 1);
            put(sums, 2, i, even + odd);
            put(differences, 2, i, even - odd);
            put(saturatedSums, 2, i, clamp(even + odd, -0x8000, 0x7FFF));
            put(saturatedDifferences, 2, i, clamp(even - odd, -0x8000, 0x7FFF));
        }
        assertThat(PackedAdd.phaddw(low, high)).isEqualTo(quadword(sums, 0));
        assertThat(PackedAdd.phsubw(low, high)).isEqualTo(quadword(differences, 0));
        assertThat(PackedAdd.phaddsw(low, high)).isEqualTo(quadword(saturatedSums, 0));
        assertThat(PackedAdd.phsubsw(low, high)).isEqualTo(quadword(saturatedDifferences, 0));
        for (int i = 0; i < 2; i++) {
            put(sums, 4, i, element(row, 4, i * 2) + element(row, 4, i * 2 + 1));
            put(differences, 4, i, element(row, 4, i * 2) - element(row, 4, i * 2 + 1));
        }
        assertThat(PackedAdd.phaddd(low, high)).isEqualTo(quadword(sums, 0));
        assertThat(PackedAdd.phsubd(low, high)).isEqualTo(quadword(differences, 0));
    }

    private static void checkInterleave(long low, long high, byte[] row) {
        byte[] lows = new byte[8];
        byte[] highs = new byte[8];
        for (int size = 1; size <= 4; size *= 2) {
            int half = 4 / size;
            for (int i = 0; i < half; i++) {
                put(lows, size, i * 2, element(row, size, i));
                put(lows, size, i * 2 + 1, element(row, size, i + half * 2));
                put(highs, size, i * 2, element(row, size, i + half));
                put(highs, size, i * 2 + 1, element(row, size, i + half * 3));
            }
            long actualLow = switch (size) {
                case 1 -> PackedShuffle.punpcklbw(low, high);
                case 2 -> PackedShuffle.punpcklwd(low, high);
                default -> PackedShuffle.punpckldq(low, high);
            };
            long actualHigh = switch (size) {
                case 1 -> PackedShuffle.punpckhbw(low, high);
                case 2 -> PackedShuffle.punpckhwd(low, high);
                default -> PackedShuffle.punpckhdq(low, high);
            };
            assertThat(actualLow).as("low, %d bytes", size).isEqualTo(quadword(lows, 0));
            assertThat(actualHigh).as("high, %d bytes", size).isEqualTo(quadword(highs, 0));
        }
    }

    private void checkShuffle(long low, long high, byte[] row) {
        long indices = number();
        byte[] bytes = new byte[8];
        int signs = 0;
        for (int i = 0; i < 8; i++) {
            int index = (int) (indices >> i * 8);
            bytes[i] = (index & 0x80) != 0 ? 0 : row[index & 15];
            signs |= (row[i] & 0x80) >> 7 << i;
        }
        assertThat(PackedShuffle.pshufb(low, high, indices)).isEqualTo(quadword(bytes, 0));
        assertThat(PackedShuffle.pmovmskb(low)).isEqualTo(signs);
        assertThat(PackedShuffle.movmskps(low)).isEqualTo(signs >> 3 & 1 | signs >> 6 & 2);
        int selectors = (int) indices & 0xFF;
        byte[] words = new byte[8];
        for (int i = 0; i < 4; i++) {
            put(words, 2, i, element(row, 2, selectors >> i * 2 & 3));
        }
        assertThat(PackedShuffle.pshufw(low, selectors)).isEqualTo(quadword(words, 0));
        byte[] doublewords = new byte[8];
        for (int i = 0; i < 2; i++) {
            put(doublewords, 4, i, element(row, 4, selectors >> i * 2 & 3));
        }
        assertThat(PackedShuffle.pshufd(low, high, selectors)).isEqualTo(quadword(doublewords, 0));
        byte[] inserted = bytes(low, high);
        put(inserted, 2, selectors & 3, indices);
        assertThat(PackedShuffle.insertWord(low, indices, selectors & 3)).isEqualTo(quadword(inserted, 0));
        inserted = bytes(low, high);
        put(inserted, 1, selectors & 7, indices);
        assertThat(PackedShuffle.insertByte(low, indices, selectors & 7)).isEqualTo(quadword(inserted, 0));
        inserted = bytes(low, high);
        put(inserted, 4, selectors & 1, indices);
        assertThat(PackedShuffle.insertDoubleword(low, indices, selectors & 1)).isEqualTo(quadword(inserted, 0));
    }

    private static void checkWiden(long low, byte[] row) {
        byte[] signed = new byte[8];
        byte[] unsigned = new byte[8];
        for (int i = 0; i < 4; i++) {
            put(signed, 2, i, signedElement(row, 1, i));
            put(unsigned, 2, i, element(row, 1, i));
        }
        assertThat(PackedShuffle.pmovsxbw(low)).isEqualTo(quadword(signed, 0));
        assertThat(PackedShuffle.pmovzxbw(low)).isEqualTo(quadword(unsigned, 0));
        for (int i = 0; i < 2; i++) {
            put(signed, 4, i, signedElement(row, 1, i));
            put(unsigned, 4, i, element(row, 1, i));
        }
        assertThat(PackedShuffle.pmovsxbd(low)).isEqualTo(quadword(signed, 0));
        assertThat(PackedShuffle.pmovzxbd(low)).isEqualTo(quadword(unsigned, 0));
        for (int i = 0; i < 2; i++) {
            put(signed, 4, i, signedElement(row, 2, i));
            put(unsigned, 4, i, element(row, 2, i));
        }
        assertThat(PackedShuffle.pmovsxwd(low)).isEqualTo(quadword(signed, 0));
        assertThat(PackedShuffle.pmovzxwd(low)).isEqualTo(quadword(unsigned, 0));
    }

    private static void checkByteShifts(long low, long high, byte[] row) {
        for (int count = 0; count <= 18; count++) {
            byte[] left = new byte[16];
            byte[] right = new byte[16];
            for (int i = 0; i < 16; i++) {
                left[i] = i < count ? 0 : row[i - count];
                right[i] = i + count > 15 ? 0 : row[i + count];
            }
            assertThat(PackedShift.pslldqLow(low, count)).isEqualTo(quadword(left, 0));
            assertThat(PackedShift.pslldqHigh(low, high, count)).isEqualTo(quadword(left, 1));
            assertThat(PackedShift.psrldqLow(low, high, count)).isEqualTo(quadword(right, 0));
            assertThat(PackedShift.psrldqHigh(high, count)).isEqualTo(quadword(right, 1));
            if (count < 8) {
                assertThat(PackedShift.palignr(low, high, count)).isEqualTo(quadword(right, 0));
            }
        }
    }

    private static int distance(byte[] row, int first, int second, int count) {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            sum += Math.abs((row[first + i] & 0xFF) - (row[second + i] & 0xFF));
        }
        return sum;
    }

    private static void checkSums(long low, long high, byte[] row) {
        assertThat(PackedAdd.psadbw(low, high)).isEqualTo(distance(row, 0, 8, 8));
        byte[] sums = new byte[8];
        for (int i = 0; i < 4; i++) {
            put(sums, 2, i, distance(row, i, 8, 4));
        }
        assertThat(PackedAdd.mpsadbw(low, high & 0xFFFF_FFFFL)).isEqualTo(quadword(sums, 0));
        int minimum = 0;
        for (int i = 1; i < 8; i++) {
            minimum = element(row, 2, i) < element(row, 2, minimum) ? i : minimum;
        }
        assertThat(PackedAdd.phminposuw(low, high)).isEqualTo(element(row, 2, minimum) | minimum << 16);
    }
}
