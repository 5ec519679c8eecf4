package dev.kagami.virtio.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.RawImage;
import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskDeviceTest extends VirtioContractTest {
    private static final long SIZE = 16 << 20;
    private static final int IN = 0;
    private static final int OUT = 1;
    private static final int FLUSH = 4;
    private static final int GET_ID = 8;
    private static final int DISCARD = 11;
    private static final int WRITE_ZEROES = 13;
    private static final int OK = 0;
    private static final int ERROR = 1;
    private static final int UNSUPPORTED = 2;

    @TempDir
    Path directory;

    private final List<BlockDevice> disks = new ArrayList<>();

    Path file() {
        try {
            Path file = directory.resolve("disk" + disks.size() + ".raw");
            RawImage.create(file, SIZE).close();
            return file;
        } catch (RuntimeException e) {
            throw new UncheckedIOException(new IOException(e));
        }
    }

    BlockDevice open(boolean writable) {
        BlockDevice disk = BlockDevice.synchronous(RawImage.open(file(), writable));
        disks.add(disk);
        return disk;
    }

    @Override
    protected VirtioDevice create() {
        return new DiskDevice(DiskConfig.of(open(true), "serial-1"));
    }

    @Override
    protected void closeHost() {
        disks.forEach(BlockDevice::close);
    }

    /** Where a test keeps header, status and data. */
    private record Areas(long header, long status, long data) {}

    private Areas areas() {
        return new Areas(machine.allocate(16, 16), machine.allocate(1, 16), machine.allocate(1 << 20, 4096));
    }

    private int request(SyntheticDriver driver, int queue, Areas areas, int type, long sector, int out, int in) {
        machine.memory().writeInt(areas.header, type);
        machine.memory().writeInt(areas.header + 4, 0);
        machine.memory().writeLong(areas.header + 8, sector);
        machine.memory().writeByte(areas.status, 0xFF);
        DriverQueue ring = driver.queue(queue);
        ring.begin().out(areas.header, 16);
        if (out > 0) {
            int half = out / 2;
            ring.out(areas.data, half).out(areas.data + half, out - half);
        }
        if (in > 0) {
            int third = Math.max(in / 3, 1);
            ring.in(areas.data, third).in(areas.data + third, in - third);
        }
        ring.in(areas.status, 1).add();
        ring.kick();
        ring.await();
        return machine.memory().readByte(areas.status);
    }

    private void fill(long address, long seed) {
        byte[] bytes = new byte[8192];
        new Random(seed).nextBytes(bytes);
        machine.memory().write(address, bytes);
    }

    private byte[] bytes(long address, int length) {
        byte[] bytes = new byte[length];
        machine.memory().read(address, bytes, 0, length);
        return bytes;
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        Areas areas = areas();
        fill(areas.data, 1);
        byte[] written = bytes(areas.data, 8192);
        assertThat(request(driver, 0, areas, OUT, 100, 8192, 0)).isEqualTo(OK);
        assertThat(driver.queue(0).lastLength()).isEqualTo(1);
        assertThat(request(driver, 0, areas, FLUSH, 0, 0, 0)).isEqualTo(OK);
        machine.memory().clear(areas.data, 8192);
        assertThat(request(driver, 0, areas, IN, 100, 0, 8192)).isEqualTo(OK);
        assertThat(driver.queue(0).lastLength()).isEqualTo(8193);
        assertThat(bytes(areas.data, 8192)).isEqualTo(written);
    }

    @Test
    void configurationDescribesTheDisk() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        assertThat(driver.transport().config(0, 4)).isEqualTo(SIZE / 512);
        assertThat(driver.transport().config(12, 4)).as("segments").isEqualTo(254);
        assertThat(driver.transport().config(20, 4)).as("block size").isEqualTo(512);
        assertThat(driver.transport().config(34, 2)).as("queues").isEqualTo(1);
        assertThat(driver.transport().config(36, 4)).as("discard").isPositive();
        assertThat(driver.features() >>> 9 & 1).as("flush").isEqualTo(1);
        assertThat(driver.features() >>> 13 & 3).as("discard and write zeroes").isEqualTo(3);
    }

    @Test
    void serialNumberIsPadded() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        Areas areas = areas();
        fill(areas.data, 2);
        assertThat(request(driver, 0, areas, GET_ID, 0, 0, 20)).isEqualTo(OK);
        assertThat(new String(bytes(areas.data, 20), StandardCharsets.US_ASCII))
                .isEqualTo("serial-1\0\0\0\0\0\0\0\0\0\0\0\0");
        assertThatThrownBy(() -> new DiskConfig(open(true), "123456789012345678901", 1))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void readOnlyDiskRefusesWrites() {
        SyntheticDriver driver =
                new SyntheticDriver(machine, machine.addPci(new DiskDevice(DiskConfig.of(open(false), "ro")))).start();
        Areas areas = areas();
        assertThat(driver.features() >>> 5 & 1).isEqualTo(1);
        assertThat(driver.features() >>> 13 & 3).isZero();
        assertThat(request(driver, 0, areas, OUT, 0, 512, 0)).isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, IN, 0, 0, 512)).isEqualTo(OK);
    }

    @Test
    void wrongRequestsFailAndTheDiskGoesOn() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        Areas areas = areas();
        assertThat(request(driver, 0, areas, IN, SIZE / 512, 0, 512))
                .as("behind the end")
                .isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, IN, SIZE / 512 - 1, 0, 1024))
                .as("across the end")
                .isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, IN, -1, 0, 512)).isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, IN, Long.MAX_VALUE / 512, 0, 512)).isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, OUT, 0, 511, 0))
                .as("half a sector")
                .isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, 99, 0, 0, 0)).isEqualTo(UNSUPPORTED);
        assertThat(driver.needsReset()).isFalse();
        exercise(driver);
    }

    private void range(long at, long sector, int sectors, int flags) {
        machine.memory().writeLong(at, sector);
        machine.memory().writeInt(at + 8, sectors);
        machine.memory().writeInt(at + 12, flags);
    }

    @Test
    void rangesAreZeroedAndDiscarded() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        Areas areas = areas();
        fill(areas.data, 3);
        byte[] written = bytes(areas.data, 8192);
        assertThat(request(driver, 0, areas, OUT, 0, 8192, 0)).isEqualTo(OK);
        range(areas.data, 1, 2, 0);
        range(areas.data + 16, 8, 4, 1);
        assertThat(request(driver, 0, areas, WRITE_ZEROES, 0, 32, 0)).isEqualTo(OK);
        assertThat(request(driver, 0, areas, IN, 0, 0, 8192)).isEqualTo(OK);
        byte[] expected = written.clone();
        java.util.Arrays.fill(expected, 512, 1536, (byte) 0);
        java.util.Arrays.fill(expected, 4096, 6144, (byte) 0);
        assertThat(bytes(areas.data, 8192)).isEqualTo(expected);

        range(areas.data, 0, 8, 0);
        assertThat(request(driver, 0, areas, DISCARD, 0, 16, 0)).isEqualTo(OK);
        range(areas.data, 0, 8, 1);
        assertThat(request(driver, 0, areas, DISCARD, 0, 16, 0))
                .as("unmap in a discard")
                .isEqualTo(UNSUPPORTED);
        range(areas.data, 0, 8, 2);
        assertThat(request(driver, 0, areas, WRITE_ZEROES, 0, 16, 0)).isEqualTo(UNSUPPORTED);
        range(areas.data, SIZE / 512, 8, 0);
        assertThat(request(driver, 0, areas, DISCARD, 0, 16, 0)).isEqualTo(ERROR);
        range(areas.data, 0, -1, 0);
        assertThat(request(driver, 0, areas, WRITE_ZEROES, 0, 16, 0))
                .as("too many sectors")
                .isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, DISCARD, 0, 15, 0)).isEqualTo(ERROR);
        assertThat(request(driver, 0, areas, DISCARD, 0, 33 * 16, 0)).isEqualTo(ERROR);
    }

    @Test
    void everyQueueOfSeveralWorks() {
        BlockDevice disk = BlockDevice.threaded(RawImage.open(file(), true), "test", 3);
        disks.add(disk);
        SyntheticDriver driver =
                new SyntheticDriver(machine, machine.addPci(new DiskDevice(new DiskConfig(disk, "mq", 4)))).start();
        assertThat(driver.transport().config(34, 2)).isEqualTo(4);
        assertThat(driver.queueCount()).isEqualTo(4);
        Areas areas = areas();
        for (int queue = 0; queue < 4; queue++) {
            fill(areas.data, queue);
            byte[] written = bytes(areas.data, 4096);
            assertThat(request(driver, queue, areas, OUT, 8 * queue, 4096, 0)).isEqualTo(OK);
            machine.memory().clear(areas.data, 4096);
            assertThat(request(driver, 3 - queue, areas, IN, 8 * queue, 0, 4096))
                    .isEqualTo(OK);
            assertThat(bytes(areas.data, 4096)).isEqualTo(written);
            int number = queue;
            SyntheticDriver.await("interrupt", () -> driver.transport().interrupts(number) > 0);
        }
    }

    @Test
    void resetWaitsForRequestsUnderWay() {
        BlockDevice disk = BlockDevice.threaded(RawImage.open(file(), true), "test", 2);
        disks.add(disk);
        SyntheticDriver driver =
                new SyntheticDriver(machine, machine.addPci(new DiskDevice(DiskConfig.of(disk, "reset"))));
        for (int round = 0; round < 30; round++) {
            machine.freeAll();
            driver.start();
            long header = machine.allocate(16, 16);
            long status = machine.allocate(16, 16);
            long data = machine.allocate(1 << 20, 4096);
            machine.memory().writeInt(header, IN);
            for (int i = 0; i < 40; i++) {
                driver.queue(0)
                        .begin()
                        .out(header, 16)
                        .in(data, 1 << 20)
                        .in(status, 1)
                        .add();
            }
            driver.queue(0).kick();
            driver.transport().setStatus(0);
            machine.memory().clear(data, 1 << 20);
            byte[] before = bytes(data, 4096);
            assertThat(bytes(data, 4096)).isEqualTo(before);
        }
    }

    @Test
    void resizedDiskTellsItsDriver() throws IOException {
        BlockDevice disk = open(true);
        DiskDevice device = new DiskDevice(DiskConfig.of(disk, "grow"));
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(device)).start();
        int generation = driver.transport().configGeneration();
        disk.image().resize(2 * SIZE);
        device.capacityChanged();
        assertThat(driver.transport().config(0, 8)).isEqualTo(2 * SIZE / 512);
        assertThat(driver.transport().configGeneration()).isNotEqualTo(generation);
        assertThat(driver.transport().configInterrupts()).isEqualTo(1);
        assertThat(Files.size(disk.image().file())).isEqualTo(2 * SIZE);
    }
}
