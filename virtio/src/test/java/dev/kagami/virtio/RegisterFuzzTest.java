package dev.kagami.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.RawImage;
import dev.kagami.net.EthernetLink;
import dev.kagami.net.MacAddress;
import dev.kagami.platform.pci.PciLayout;
import dev.kagami.virtio.balloon.BalloonConfig;
import dev.kagami.virtio.balloon.BalloonDevice;
import dev.kagami.virtio.console.ConsoleConfig;
import dev.kagami.virtio.console.ConsoleDevice;
import dev.kagami.virtio.disk.DiskConfig;
import dev.kagami.virtio.disk.DiskDevice;
import dev.kagami.virtio.entropy.EntropyConfig;
import dev.kagami.virtio.entropy.EntropyDevice;
import dev.kagami.virtio.filesystem.FileSystemConfig;
import dev.kagami.virtio.filesystem.FileSystemDevice;
import dev.kagami.virtio.network.NetworkConfig;
import dev.kagami.virtio.network.NetworkDevice;
import dev.kagami.virtio.socket.SocketConfig;
import dev.kagami.virtio.socket.SocketDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A driver that writes anything to any register: PCI configuration by both of its ways, windows moved over each other, over
 * RAM and away, MSI-X tables, virtio's registers with queues in MMIO and outside of RAM; while rings hold descriptors.
 */
class RegisterFuzzTest {
    private static final int WRITES = 300_000;
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final int SLOTS = 10;
    private static final int SAVED_REGISTERS = 0x40;
    private static final int FIRST_BAR = 0x10;
    private static final int BARS = 6;
    private static final int WINDOW = 0x6000;
    private static final int[] SIZES = {1, 2, 4};

    @TempDir
    Path directory;

    private final long seed = Long.getLong("dev.kagami.seed", new Random().nextLong());
    private final Random random = new Random(seed);
    private final TestMachine machine = new TestMachine();

    @Test
    void noRegisterHangsOrBreaksAMachineAndItsDevicesWorkAfterwards() throws IOException {
        System.out.println("registers fuzzed with -Ddev.kagami.seed=" + seed);
        RawImage.create(directory.resolve("disk"), 1 << 20).close();
        Path share = Files.createDirectory(directory.resolve("share"));
        EthernetLink link = new EthernetLink();
        try (machine;
                BlockDevice disk = BlockDevice.synchronous(RawImage.open(directory.resolve("disk"), true))) {
            VirtioDevice[] devices = {
                new DiskDevice(DiskConfig.of(disk, "fuzzed")),
                new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.random())),
                new EntropyDevice(new EntropyConfig(new Random(seed))),
                new ConsoleDevice(ConsoleConfig.console()),
                new BalloonDevice(BalloonConfig.of(true)),
                new SocketDevice(new SocketConfig(42)),
                new FileSystemDevice(FileSystemConfig.of(share, "fuzzed", false))
            };
            PciTransport[] transports = new PciTransport[devices.length];
            SyntheticDriver[] drivers = new SyntheticDriver[devices.length];
            for (int i = 0; i < devices.length; i++) {
                transports[i] = machine.addPci(devices[i]);
                drivers[i] = new SyntheticDriver(machine, transports[i]).start();
            }
            Assertions.assertTimeoutPreemptively(PATIENCE, () -> {
                int[][] before = new int[SLOTS][];
                for (int slot = 0; slot < SLOTS; slot++) {
                    before[slot] = save(slot);
                }
                for (int i = 0; i < WRITES; i++) {
                    attack(drivers);
                }
                for (int slot = 0; slot < SLOTS; slot++) {
                    restore(slot, before[slot]);
                }
                machine.freeAll();
                for (int i = 0; i < devices.length; i++) {
                    transports[i].probe();
                    drivers[i].start();
                }
                readFrom(drivers[0]);
            });
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    private void attack(SyntheticDriver[] drivers) {
        int slot = random.nextInt(SLOTS);
        int size = SIZES[random.nextInt(SIZES.length)];
        switch (random.nextInt(20)) {
            case 0 -> writePorts(slot, random.nextInt(256), size, value());
            case 1 ->
                machine.bus()
                        .writeMmio(
                                PciLayout.CONFIGURATION_START + random.nextLong(PciLayout.CONFIGURATION_SIZE),
                                size,
                                value());
            // A window: moved, or asked for its size.
            case 2 -> writePorts(slot, FIRST_BAR + 4 * random.nextInt(BARS), 4, value());
            case 3 -> writePorts(slot, 4, 2, random.nextInt(4) == 0 ? random.nextInt() : 6);
            case 4 -> {
                SyntheticDriver driver = drivers[random.nextInt(drivers.length)];
                RingFuzzer.scramble(random, machine.memory(), driver);
            }
            default -> {
                long window = Integer.toUnsignedLong(readPorts(slot, FIRST_BAR + 4 * random.nextInt(BARS), 4) & -16);
                int offset = random.nextInt(4) == 0 ? random.nextInt(WINDOW) : random.nextInt(0x40);
                if (random.nextBoolean()) {
                    machine.bus().writeMmio(window + offset, size, value());
                } else {
                    machine.bus().readMmio(window + offset, size);
                }
            }
        }
    }

    /** {@return something that is often an address, an index or a set of flags} */
    private int value() {
        return switch (random.nextInt(8)) {
            case 0 -> random.nextInt();
            case 1 -> -1;
            case 2 -> 1 << random.nextInt(32);
            case 3 -> (int) random.nextLong(2 * TestMachine.RAM) & -16;
            case 4 -> 0xFEE0_0000;
            case 5 -> (int) (PciLayout.CONFIGURATION_START + random.nextInt(0x10_0000));
            case 6 -> 15;
            default -> random.nextInt(16);
        };
    }

    private int[] save(int slot) {
        int[] registers = new int[SAVED_REGISTERS / 4];
        for (int i = 0; i < registers.length; i++) {
            registers[i] = readPorts(slot, 4 * i, 4);
        }
        return registers;
    }

    /** Puts windows back where they were; with memory off, as they may lie anywhere. */
    private void restore(int slot, int[] registers) {
        writePorts(slot, 4, 2, 0);
        for (int i = 0; i < BARS; i++) {
            writePorts(slot, FIRST_BAR + 4 * i, 4, registers[FIRST_BAR / 4 + i]);
        }
    }

    private int readPorts(int slot, int register, int size) {
        machine.bus().writePort(0xCF8, 4, 0x8000_0000 | slot << 11 | register & 0xFC);
        return machine.bus().readPort(0xCFC + (register & 3), size);
    }

    private void writePorts(int slot, int register, int size, int value) {
        machine.bus().writePort(0xCF8, 4, 0x8000_0000 | slot << 11 | register & 0xFC);
        machine.bus().writePort(0xCFC + (register & 3), size, value);
    }

    private void readFrom(SyntheticDriver disk) {
        long header = machine.allocate(16, 16);
        long data = machine.allocate(512, 16);
        long status = machine.allocate(1, 16);
        machine.memory().writeByte(status, 0xFF);
        DriverQueue queue = disk.queue(0);
        queue.begin().out(header, 16).in(data, 512).in(status, 1).add();
        queue.kick();
        SyntheticDriver.await("a sector", () -> queue.poll() >= 0);
        assertThat(machine.memory().readByte(status)).isZero();
    }
}
