package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.kagami.vm.Balloon;
import dev.kagami.vm.Disk;
import dev.kagami.vm.DiskImage;
import dev.kagami.vm.DiskImage.Format;
import dev.kagami.vm.Network;
import dev.kagami.vm.Port;
import dev.kagami.vm.Share;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** Debian's cloud image from its first boot on: what its owner would do with it in a day. */
@Isolated("measures time")
@Timeout(value = 5, unit = TimeUnit.HOURS)
final class DebianImageTest {
    private static final Duration SOON = DebianGuest.SOON;
    private static final int PACKAGES = 20_000;
    private static final double IDLE_SHARE = 0.05;
    private static final Duration IDLE_WINDOW = Duration.ofSeconds(10);
    private static final int IDLE_WINDOWS = 12;
    private static final long FIRST_PARTITION = 1 << 20;

    @TempDir
    private Path directory;

    @BeforeAll
    static void needs() {
        DebianGuest.require();
        HostCommand.require("sshpass", "sshpass");
        HostCommand.require("qemu-utils", "qemu-img");
        HostCommand.require("e2fsprogs", "e2fsck", "dumpe2fs");
    }

    @Test
    void cloudInitSshAptIdlingPowerOffAndRebootAreAsOnAnyMachine() throws Exception {
        String bootId;
        try (DebianGuest guest = DebianGuest.boot(directory, UnaryOperator.identity())) {
            guest.awaitBooted();
            assertThatAllIsWell(guest);
            assertThat(guest.ssh("hostname").orFail().strip()).isEqualTo(DebianGuest.HOST_NAME);
            assertThat(guest.ssh("sudo id -un").orFail().strip()).isEqualTo("root");
            assertThat(guest.sshWithPassword(DebianGuest.PASSWORD, "id -un")
                            .orFail()
                            .strip())
                    .isEqualTo("debian");
            assertThat(guest.sshWithPassword("wrong", "id -un").output()).contains("Permission denied");
            aptGetUpdate(guest);
            guest.ssh("echo kept > kept; seq 100000 | sha256sum > sum").orFail();
            bootId = bootId(guest);
            guest.powerOff();
        }
        assertThatTheDiskIsClean();

        try (DebianGuest guest = DebianGuest.boot(directory, UnaryOperator.identity(), this::allDevices)) {
            guest.awaitBooted();
            assertThatAllIsWell(guest);
            assertThat(bootId(guest)).isNotEqualTo(bootId);
            assertThat(guest.ssh("cat kept; seq 100000 | sha256sum | cmp - sum")
                            .orFail()
                            .strip())
                    .isEqualTo("kept");
            assertThat(guest.ssh("sudo journalctl -b -o cat").orFail())
                    .contains("root: clean,")
                    .doesNotContain("recovering journal", "recovery complete", "orphan inode");

            useAllDevices(guest);
            assertThatItIdles();

            bootId = bootId(guest);
            guest.ssh("sudo systemctl reboot");
            guest.console().await("Restarting system", SOON);
            guest.awaitBooted();
            assertThatAllIsWell(guest);
            assertThat(bootId(guest)).isNotEqualTo(bootId);
            assertThat(guest.console().stats().resets()).isEqualTo(1);
            guest.pressPowerButton();
        }
        assertThatTheDiskIsClean();
    }

    private static String bootId(DebianGuest guest) throws IOException, InterruptedException {
        return guest.ssh("cat /proc/sys/kernel/random/boot_id").orFail();
    }

    private static void assertThatAllIsWell(DebianGuest guest) throws IOException, InterruptedException {
        assertThat(guest.ssh("cloud-init status --long").output()).contains("status: done");
        assertThat(guest.ssh("sudo grep -E 'ERROR|CRITICAL|Traceback' /var/log/cloud-init.log")
                        .output())
                .isEmpty();
        assertThat(guest.ssh("systemctl is-system-running --wait").output()).contains("running");
        KernelLog.assertHealthy(guest.kernelLog());
    }

    private void allDevices(VirtualMachineConfig.Builder c) {
        Path second = directory.resolve("second.qcow2");
        DiskImage.create(second, 1 << 30, DiskImage.Options.of(Format.QCOW2));
        c.disk(Disk.of(second).withSerial("second"))
                .network(Network.onSwitch("idle-" + ProcessHandle.current().pid()))
                .share(Share.readWrite(directory, "work"))
                .port(Port.console("hvc0"))
                .port(Port.named("test"))
                .balloon(Balloon.yielding())
                .vsock(v -> {});
    }

    private void useAllDevices(DebianGuest guest) throws IOException, InterruptedException {
        guest.ssh("sudo mount -t virtiofs work /mnt && sudo cp /etc/hostname /mnt/from-the-guest")
                .orFail();
        assertThat(directory.resolve("from-the-guest")).hasContent(DebianGuest.HOST_NAME);
        guest.ssh(
                        "cd /dev/disk/by-id && sudo mkfs.ext4 -q virtio-second && sudo mkdir /second && sudo mount virtio-second /second && sync")
                .orFail();
        guest.ssh("sudo timeout 5 cat /dev/virtio-ports/test; sudo modprobe virtio_balloon vmw_vsock_virtio_transport");
        assertThat(guest.ssh("ls /sys/bus/virtio/drivers/*/ -d").orFail())
                .contains("virtio_blk", "virtio_net", "virtio_console", "virtiofs", "virtio_balloon", "virtio_rng");
    }

    /** All threads of a machine together. */
    private static void assertThatItIdles() throws InterruptedException {
        double share = 1;
        for (int window = 0; window < IDLE_WINDOWS && share >= IDLE_SHARE; window++) {
            long before = machineTime();
            Thread.sleep(IDLE_WINDOW);
            share = (double) (machineTime() - before) / IDLE_WINDOW.toNanos();
        }
        System.out.printf("idle: %.2f %% of a core%n", share * 100);
        assertThat(share).as("share of a core").isLessThan(IDLE_SHARE);
    }

    /** {@return nanoseconds of processor time that threads of machines have used so far} */
    private static long machineTime() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        return Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
                .filter(thread -> thread != null && thread.getThreadName().startsWith("kagami-"))
                .mapToLong(thread -> threads.getThreadCpuTime(thread.getThreadId()))
                .sum();
    }

    /** A local archive with an index as long as a small distribution's. */
    private static void aptGetUpdate(DebianGuest guest) throws IOException, InterruptedException {
        StringBuilder index = new StringBuilder();
        for (int i = 0; i < PACKAGES; i++) {
            index.append("Package: kagami-test-%d%nVersion: 1.%d%nArchitecture: all%n".formatted(i, i))
                    .append("Maintainer: Nobody <nobody@example.org>%n".formatted())
                    .append("Filename: ./kagami-test-%d.deb%nSize: 1000%nSHA256: %064x%n".formatted(i, i))
                    .append("Description: package %d%n %s%n%n".formatted(i, "lorem ipsum ".repeat(40)));
        }
        byte[] packages = index.toString().getBytes(StandardCharsets.UTF_8);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            boolean there = exchange.getRequestURI().getPath().endsWith("/Packages");
            exchange.sendResponseHeaders(there ? 200 : 404, there ? packages.length : -1);
            if (there) {
                exchange.getResponseBody().write(packages);
            }
            exchange.close();
        });
        server.start();
        try {
            guest.ssh("echo 'deb [trusted=yes] http://%s:%d/ ./' > test.list"
                            .formatted(DebianGuest.HOST, server.getAddress().getPort()))
                    .orFail();
            String sources = "-o Dir::Etc::sourcelist=$HOME/test.list -o Dir::Etc::sourceparts=/nonexistent ";
            assertThat(guest.ssh("sudo apt-get " + sources + "update").orFail()).doesNotContain("Err:");
            assertThat(guest.ssh("apt-cache " + sources + "show kagami-test-" + (PACKAGES - 1))
                            .orFail())
                    .contains("Version: 1." + (PACKAGES - 1));
        } finally {
            server.stop(0);
        }
    }

    /** Looks with programs that we didn't write. */
    private void assertThatTheDiskIsClean() throws IOException, InterruptedException {
        Path disk = DebianGuest.disk(directory);
        assertThat(HostCommand.run(SOON, "qemu-img", "check", disk.toString()).orFail())
                .contains("No errors were found");
        Path raw = directory.resolve("disk.raw");
        DiskImage.convert(disk, Format.QCOW2, raw, DiskImage.Options.of(Format.RAW), (phase, fraction) -> {});
        String partition = raw + "?offset=" + FIRST_PARTITION;
        HostCommand.run(SOON, "e2fsck", "-f", "-n", partition).orFail();
        assertThat(HostCommand.run(SOON, "dumpe2fs", "-h", partition).orFail())
                .containsPattern("Filesystem state: +clean\n")
                .doesNotContain("needs_recovery");
        Files.delete(raw);
    }
}
