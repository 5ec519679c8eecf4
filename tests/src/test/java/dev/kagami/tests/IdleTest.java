package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** What a machine takes from its host while its guest waits. */
@Isolated("measures time")
@Timeout(240)
@EnabledOnOs(OS.LINUX)
final class IdleTest {
    private static final Duration BOOT = Duration.ofSeconds(120);

    /** The bar, of one core. */
    private static final double SHARE = 0.03;

    private static final Duration WINDOW = Duration.ofSeconds(4);
    private static final int WINDOWS = 8;

    @TempDir
    private Path directory;

    @Test
    void aGuestThatUsesDevicesOfAllKindsSleeps() throws Exception {
        Path share = Files.createDirectory(directory.resolve("share"));
        Files.writeString(share.resolve("hello"), "shared");
        try (ChildGuest child = new ChildGuest(
                directory,
                StockKernelTest.quick(Guests.cloud()),
                "--disk=" + disk("a.img"),
                "--disk=" + disk("b.img") + ",queues=2",
                "--network=nat",
                "--network=switch:idle-" + ProcessHandle.current().pid(),
                "--share=" + share + ":work",
                "--port=test=" + directory.resolve("port"),
                "--vsock=" + directory.resolve("vsock"),
                "--balloon")) {
            child.await(SerialSession.PROMPT, BOOT);
            child.type("mount -t virtiofs work /mnt && cat /mnt/hello; echo\n");
            child.type("mke2fs -q /dev/vda && mkdir /data && mount /dev/vda /data && cp /mnt/hello /data; sync\n");
            child.type("ping -c 1 -q 10.0.2.2; echo there > /dev/vport*p1; head -c 16 /dev/hwrng | wc -c\n");
            child.type("ls /sys/bus/virtio/devices | wc -l; echo all used\n");
            child.await("\nall used", BOOT);
            // Two disks, two cards, share, port, vsock, balloon, entropy.
            assertThat(child.output()).contains("shared", "1 packets received", "\n9\r\n");
            // The guest settles, and the JVM compiles what it still has in its queue.
            double used = 1;
            for (int window = 0; window < WINDOWS && used >= SHARE; window++) {
                Duration before = child.processorTime();
                long start = System.nanoTime();
                Thread.sleep(WINDOW);
                Duration time = child.processorTime().minus(before);
                used = (double) time.toNanos() / (System.nanoTime() - start);
            }
            System.out.printf(
                    "idle, %s: %.2f %% of a core, own %d MiB%n",
                    SerialSession.ENGINE, used * 100, child.ownMemory() >> 20);
            assertThat(used).as("share of a core").isLessThan(SHARE);
            child.type("poweroff\n");
            assertThat(child.awaitExit(BOOT)).isZero();
        }
    }

    private Path disk(String name) throws IOException {
        Path file = directory.resolve(name);
        try (RandomAccessFile disk = new RandomAccessFile(file.toFile(), "rw")) {
            disk.setLength(64 << 20);
        }
        return file;
    }
}
