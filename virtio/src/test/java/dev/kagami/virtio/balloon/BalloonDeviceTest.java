package dev.kagami.virtio.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.memory.GuestMemory;
import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

class BalloonDeviceTest extends VirtioContractTest {
    private final List<String> dropped = new CopyOnWriteArrayList<>();
    private BalloonDevice device = make();

    private BalloonDevice make() {
        return new BalloonDevice(new BalloonConfig(true, this::reclaim));
    }

    private boolean reclaim(GuestMemory memory, long offset, long length) {
        assertThat(offset % 4096).isZero();
        assertThat(length).isPositive().matches(bytes -> bytes % 4096 == 0);
        assertThat(offset + length).isLessThanOrEqualTo(memory.size());
        if (dropped.size() < 100) {
            // Fuzzing would make millions of them.
            dropped.add("%x+%x".formatted(offset, length));
        }
        return true;
    }

    @Override
    protected VirtioDevice create() {
        device = make();
        return device;
    }

    /** The device keeps the statistics' buffer, so it looks at that queue only once. */
    @Override
    protected int servedQueue(int number) {
        return number == 2 ? 1 : number;
    }

    private void pages(SyntheticDriver driver, int queue, int... pages) {
        long at = machine.allocate(4L * pages.length, 16);
        for (int i = 0; i < pages.length; i++) {
            machine.memory().writeInt(at + 4L * i, pages[i]);
        }
        driver.queue(queue).begin().out(at, 4 * pages.length).add();
        driver.queue(queue).kick();
        driver.queue(queue).await();
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        dropped.clear();
        pages(driver, 0, 0x2000, 0x2001);
        assertThat(dropped).containsExactly("2000000+2000");
        pages(driver, 1, 0x2000, 0x2001);
    }

    @Test
    void pagesInARowAreDroppedTogether() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        pages(driver, 0, 0x1000, 0x1001, 0x1002, 0x1010, 0x100F, 0x100E, 0, -1, 0xA0, 0x1020);
        assertThat(dropped).containsExactly("1000000+3000", "100e000+3000", "0+1000", "1020000+1000");
        assertThat(device.reclaimed()).isEqualTo(8 * 4096);
    }

    @Test
    void reportedRangesAreDropped() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        DriverQueue queue = driver.queue(3);
        queue.begin()
                .in(0x100_0000, 0x20_0000)
                .in(0x180_0000, 0x40_0000)
                .in(0x200_0100, 4096)
                .add();
        queue.kick();
        queue.await();
        assertThat(dropped).containsExactly("1000000+200000", "1800000+400000");
    }

    @Test
    void queuesMoveUpWhenOneIsNotWanted() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()))
                .start(~Features.of(BalloonDevice.FEATURE_STATISTICS), 64);
        driver.queue(2).begin().in(0x100_0000, 0x20_0000).add();
        driver.queue(2).kick();
        driver.queue(2).await();
        assertThat(dropped).containsExactly("1000000+200000");
    }

    @Test
    void targetAndSizeTravelThroughTheConfiguration() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        device.setTarget(8 << 20);
        assertThat(driver.transport().configInterrupts()).isEqualTo(1);
        assertThat(driver.transport().config(0, 4)).isEqualTo(2048);
        driver.transport().setConfig(4, 4, 1000);
        assertThat(device.actual()).isEqualTo(1000 * 4096);
        driver.transport().setConfig(0, 4, 7);
        assertThat(driver.transport().config(0, 4))
                .as("not the driver's to write")
                .isEqualTo(2048);
        driver.transport().setStatus(0);
        assertThat(device.actual()).isZero();
        assertThatThrownBy(() -> device.setTarget(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void statisticsAreAskedForAndRead() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        DriverQueue queue = driver.queue(2);
        long at = machine.allocate(30, 16);
        statistic(at, 4, 1000);
        statistic(at + 10, 5, 2000);
        statistic(at + 20, 77, 1);
        queue.begin().out(at, 30).add();
        queue.kick();
        SyntheticDriver.await("statistics", () -> device.statistics().getOrDefault(BalloonStatistic.FREE, 0L) == 1000);
        assertThat(device.statistics()).hasSize(2).containsEntry(BalloonStatistic.TOTAL, 2000L);
        assertThat(queue.poll()).as("the buffer stays with the device").isEqualTo(-1);

        device.requestStatistics();
        queue.await();
        statistic(at, 4, 500);
        queue.begin().out(at, 30).add();
        queue.kick();
        SyntheticDriver.await("statistics", () -> device.statistics().getOrDefault(BalloonStatistic.FREE, 0L) == 500);
    }

    private void statistic(long at, int tag, long value) {
        machine.memory().writeShort(at, tag);
        machine.memory().writeLong(at + 2, value);
    }
}
