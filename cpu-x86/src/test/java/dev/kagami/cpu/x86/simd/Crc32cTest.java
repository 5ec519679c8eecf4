package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

final class Crc32cTest {
    @Test
    void everyWidthAgreesWithTheClassLibrary() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(1);
        for (int round = 0; round < 2000; round++) {
            ByteBuffer data = ByteBuffer.allocate(15).order(ByteOrder.LITTLE_ENDIAN);
            random.nextBytes(data.array());
            int crc = -1;
            crc = Crc32c.update8(crc, data.get(0) | random.nextInt() << 8);
            crc = Crc32c.update16(crc, data.getShort(1) & 0xFFFF | random.nextInt() << 16);
            crc = Crc32c.update32(crc, data.getInt(3));
            crc = Crc32c.update64(crc, data.getLong(7));
            CRC32C expected = new CRC32C();
            expected.update(data.array());
            assertThat(~crc).isEqualTo((int) expected.getValue());
        }
    }
}
