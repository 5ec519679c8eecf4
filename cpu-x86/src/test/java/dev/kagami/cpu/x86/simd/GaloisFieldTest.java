package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

final class GaloisFieldTest {
    private static int product(int a, int b) {
        int product = 0;
        for (int bit = 0; bit < 8; bit++) {
            product ^= (b >> bit & 1) != 0 ? a << bit : 0;
        }
        for (int bit = 14; bit >= 8; bit--) {
            product ^= (product >> bit & 1) != 0 ? 0x11B << bit - 8 : 0;
        }
        return product;
    }

    private static int affine(int value, long matrix, int constant) {
        int result = 0;
        for (int bit = 0; bit < 8; bit++) {
            int row = (int) (matrix >>> (7 - bit) * 8) & 0xFF;
            result |= (Integer.bitCount(row & value) & 1 ^ constant >> bit & 1) << bit;
        }
        return result;
    }

    @Test
    void multipliesAllPairsOfBytes() {
        for (int a = 0; a < 256; a++) {
            for (int b = 0; b < 256; b++) {
                long actual = GaloisField.gf2p8mulb((long) a << 40 | 0x53, (long) b << 40 | 0xCA);
                assertThat(actual).isEqualTo((long) product(a, b) << 40 | 1);
            }
        }
    }

    @Test
    void mapsBytesByMatrices() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(2);
        for (int round = 0; round < 5000; round++) {
            long bytes = random.nextLong();
            long matrix = random.nextLong();
            int constant = random.nextInt(256);
            long expected = 0;
            for (int shift = 0; shift < 64; shift += 8) {
                expected |= (long) affine((int) (bytes >>> shift) & 0xFF, matrix, constant) << shift;
            }
            assertThat(GaloisField.gf2p8affineqb(bytes, matrix, constant)).isEqualTo(expected);
        }
    }

    @Test
    void invertsEveryByteBeforeTheMap() {
        long identity = 0x0102_0408_1020_4080L;
        assertThat(GaloisField.gf2p8affineinvqb(0, identity, 0)).isZero();
        for (int value = 1; value < 256; value++) {
            long bytes = value * 0x0101_0101_0101_0101L;
            long inverse = GaloisField.gf2p8affineinvqb(bytes, identity, 0);
            assertThat(product(value, (int) inverse & 0xFF)).isEqualTo(1);
            assertThat(inverse).isEqualTo((inverse & 0xFF) * 0x0101_0101_0101_0101L);
            assertThat(GaloisField.gf2p8affineinvqb(bytes, 0x1234_5678_9ABC_DEF0L, 0x63))
                    .isEqualTo(GaloisField.gf2p8affineqb(inverse, 0x1234_5678_9ABC_DEF0L, 0x63));
        }
    }
}
