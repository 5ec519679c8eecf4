package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

final class CarrylessMultiplyTest {
    private static void check(long a, long b) {
        long low = 0;
        long high = 0;
        for (int bit = 0; bit < 64; bit++) {
            if ((b >>> bit & 1) != 0) {
                low ^= a << bit;
                high ^= bit == 0 ? 0 : a >>> 64 - bit;
            }
        }
        assertThat(CarrylessMultiply.low(a, b)).as("%x %x", a, b).isEqualTo(low);
        assertThat(CarrylessMultiply.high(a, b)).as("%x %x", a, b).isEqualTo(high);
    }

    @Test
    void multipliesAsShiftAndXor() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(3);
        check(-1, -1);
        check(-1, 0x1111_1111_1111_1111L);
        check(Long.MIN_VALUE, Long.MIN_VALUE);
        check(0, -1);
        for (int round = 0; round < 20_000; round++) {
            check(random.nextLong(), random.nextLong());
            check(random.nextLong() | random.nextLong(), random.nextLong() | random.nextLong());
        }
    }
}
