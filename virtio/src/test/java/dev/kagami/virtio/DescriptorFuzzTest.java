package dev.kagami.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.RawImage;
import dev.kagami.memory.GuestMemory;
import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.MacAddress;
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

/** A million descriptors from a hostile driver, changed while the devices work on them. */
class DescriptorFuzzTest {
    private static final int DESCRIPTORS = 1_000_000;
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final long DISK = 1 << 20;

    @TempDir
    Path directory;

    private final long seed = Long.getLong("dev.kagami.seed", new Random().nextLong());
    private final Random random = new Random(seed);
    private int made;
    private int answered;
    private int resets;

    @Test
    void noDriverHangsOrBreaksADevice() throws IOException {
        System.out.println("descriptors fuzzed with -Ddev.kagami.seed=" + seed);
        Path share = directory.resolve("share");
        EthernetLink link = new EthernetLink();
        SocketDevice sockets = new SocketDevice(new SocketConfig(42));
        RawImage.create(directory.resolve("disk"), DISK).close();
        try (TestMachine machine = new TestMachine();
                BlockDevice disk = BlockDevice.synchronous(RawImage.open(directory.resolve("disk"), true))) {
            SyntheticDriver[] drivers = {
                add(machine, new DiskDevice(DiskConfig.of(disk, "fuzzed"))),
                add(machine, new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.random()))),
                add(machine, new EntropyDevice(new EntropyConfig(new Random(seed)))),
                add(machine, new ConsoleDevice(ConsoleConfig.console())),
                add(machine, new BalloonDevice(BalloonConfig.of(true))),
                add(machine, sockets),
                add(machine, new FileSystemDevice(FileSystemConfig.of(Files.createDirectory(share), "fuzzed", false)))
            };
            Assertions.assertTimeoutPreemptively(PATIENCE, () -> {
                for (SyntheticDriver driver : drivers) {
                    driver.start();
                }
                while (made < DESCRIPTORS) {
                    for (SyntheticDriver driver : drivers) {
                        attack(driver);
                    }
                    disturb(link.second());
                }
            });
            System.out.println("descriptors %d, requests answered %d, resets %d".formatted(made, answered, resets));
            assertThat(answered).as("requests that devices made sense of").isPositive();
            assertThat(resets).as("devices that noticed something").isPositive();
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    private static SyntheticDriver add(TestMachine machine, VirtioDevice device) {
        return new SyntheticDriver(machine, machine.addPci(device));
    }

    private void attack(SyntheticDriver driver) {
        GuestMemory memory = driver.machine().memory();
        for (int number = 0; number < driver.queueCount(); number++) {
            DriverQueue queue = driver.queue(number);
            made += RingFuzzer.scramble(random, memory, queue, random.nextInt(queue.size() / 16) * 16, 16);
            int before = memory.readShort(queue.usedRing() + 2);
            RingFuzzer.advance(random, memory, queue);
            driver.transport().notifyQueue(number);
            if (random.nextInt(4) == 0) {
                // The device is at work on what was just there.
                made += RingFuzzer.scramble(random, memory, queue, random.nextInt(queue.size() / 16) * 16, 16);
            }
            long patience = System.nanoTime() + 50_000;
            while (memory.readShort(queue.usedRing() + 2) == before && System.nanoTime() < patience) {
                Thread.onSpinWait();
            }
            answered += memory.readShort(queue.usedRing() + 2) - before & 0xFFFF;
        }
        if (driver.needsReset()) {
            resets++;
            driver.negotiate(random.nextInt(4) == 0 ? random.nextLong() | 1L << Features.VERSION_1 : -1L);
            driver.setUpQueuesAgain();
            driver.ready();
        }
    }

    private void disturb(EthernetPort peer) {
        Frame frame = peer.allocate(14 + random.nextInt(3000));
        if (!peer.send(frame)) {
            frame.release();
        }
        while ((frame = peer.receive()) != null) {
            frame.release();
        }
    }
}
