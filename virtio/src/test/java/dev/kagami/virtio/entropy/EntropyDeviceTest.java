package dev.kagami.virtio.entropy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import org.junit.jupiter.api.Test;

class EntropyDeviceTest extends VirtioContractTest {
    @Override
    protected VirtioDevice create() {
        return new EntropyDevice(EntropyConfig.host());
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        long buffer = machine.allocate(8192, 16);
        driver.queue(0).begin().in(buffer, 100).in(buffer + 200, 50).add();
        driver.queue(0).kick();
        driver.queue(0).await();
        assertThat(driver.queue(0).lastLength()).isEqualTo(150);
        assertThat(zeros(buffer, 100)).isLessThan(20);
        assertThat(zeros(buffer + 100, 100)).isEqualTo(100);
        assertThat(zeros(buffer + 200, 50)).isLessThan(15);
    }

    private int zeros(long address, int length) {
        int count = 0;
        for (int i = 0; i < length; i++) {
            if (machine.memory().readByte(address + i) == 0) {
                count++;
            }
        }
        return count;
    }

    @Test
    void largeRequestsAreAnsweredInPart() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        long buffer = machine.allocate(1 << 20, 16);
        driver.queue(0).begin().in(buffer, 1 << 20).add();
        driver.queue(0).kick();
        driver.queue(0).await();
        assertThat(driver.queue(0).lastLength()).isBetween(1, 1 << 20);
    }
}
