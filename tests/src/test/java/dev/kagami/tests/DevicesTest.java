package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.vm.Balloon;
import dev.kagami.vm.Disk;
import dev.kagami.vm.GuestMemoryStatistics;
import dev.kagami.vm.MemoryBalloon;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.Port;
import dev.kagami.vm.Share;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The devices beside disks and networks, as Debian's cloud kernel drives them; one boot for all. */
@Timeout(value = 600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class DevicesTest {
    private static final Duration BOOT = Duration.ofMinutes(5);
    private static final Duration SETTLED = Duration.ofSeconds(1);
    private static final Duration SOON = Duration.ofMinutes(1);
    private static final MemorySize MEMORY = MemorySize.ofMebibytes(512);
    private static final Path MEMORY_ACCOUNT = Path.of("/proc/self/smaps_rollup");

    @TempDir
    private Path directory;

    @Test
    void linuxUsesPortsSharesAndTheBalloon() throws Exception {
        Path shared = Files.createDirectory(directory.resolve("shared"));
        Path fixed = Files.createDirectory(directory.resolve("fixed"));
        Files.writeString(shared.resolve("host.txt"), "from the host\n");
        Files.writeString(directory.resolve("outside"), "secret");
        Path log = directory.resolve("port.log");
        Path image = Files.write(directory.resolve("disk.img"), new byte[1 << 20]);
        Path overlay = directory.resolve("overlay.qcow2");
        try (SerialSession guest = SerialSession.start(c -> c.linux(StockKernelTest.quick(
                        Guests.cloudWith("virtio_pci", "virtio_blk", "virtio_console", "virtio_balloon", "virtiofs")))
                .memory(MEMORY)
                .disk(Disk.temporary(image).grownTo(8 << 20).withSerial("data").withQueues(2))
                .disk(Disk.overlay(image, overlay))
                .disk(Disk.cd(image))
                .port(Port.console("console"))
                .port(Port.named("org.example.echo"))
                .port(Port.named("log").toFile(log))
                .share(Share.readWrite(shared, "work"))
                .share(Share.readOnly(fixed, "fixed"))
                .balloon(Balloon.yielding()))) {
            guest.await(SerialSession.PROMPT, BOOT);
            guest.run(Guests.LOAD_MODULES);
            disks(guest);
            ports(guest, log);
            consoles(guest);
            shares(guest, shared, fixed);
            balloon(guest);
            // The beginning of the log went to the console.
            guest.run("dmesg | tail -n 25");
            KernelLog.assertHealthy(guest.output());
            guest.line("poweroff");
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
        assertThat(Files.readAllBytes(image)).as("only overlays were written").containsOnly(0);
        assertThat(overlay).isNotEmptyFile();
    }

    private static void disks(SerialSession guest) throws Exception {
        assertThat(guest.run("(cd /sys/block; cat vda/serial; echo; cat vda/size vdc/ro)"))
                .isEqualTo("data\n16384\n1\n");
        for (String disk : new String[] {"vda", "vdb"}) {
            guest.run("dd if=/bin/busybox of=/dev/%s bs=64k count=8; sync; echo 3 > /proc/sys/vm/drop_caches"
                    .formatted(disk));
            assertThat(guest.run("cmp -n 524288 /bin/busybox /dev/%s && echo same".formatted(disk)))
                    .isEqualTo("same\n");
        }
        assertThat(guest.run("echo no > /dev/vdc")).contains("not permitted");
    }

    private static void ports(SerialSession guest, Path log) throws Exception {
        guest.run("echo=/dev/$(basename $(dirname $(grep -lx org.example.echo /sys/class/virtio-ports/*/name)))");
        guest.run("log=/dev/$(basename $(dirname $(grep -lx log /sys/class/virtio-ports/*/name)))");
        try (ByteChannel channel = guest.machine().openPort("org.example.echo")) {
            assertThatThrownBy(() -> guest.machine().openPort("org.example.echo"))
                    .isInstanceOf(IllegalStateException.class);
            guest.run("(read line <&3; echo \"got $line\" >&3) 3<>$echo &");
            write(channel, "some words\n");
            assertThat(readLine(channel)).isEqualTo("got some words");
        }
        guest.run("echo recorded > $log");
        await("the port's file", () -> Files.readString(log).equals("recorded\n"));
    }

    private static void consoles(SerialSession guest) throws Exception {
        try (ByteChannel console = guest.machine().openPort("console")) {
            // Held open, as a terminal forgets its settings when nobody has it open.
            guest.run("exec 4<>/dev/hvc0; stty raw -echo <&4");
            write(console, "typed\n");
            assertThat(guest.run("read line <&4; echo \"$line\"")).isEqualTo("typed\n");
            guest.run("echo shown >&4");
            assertThat(readLine(console)).isEqualTo("shown");
            guest.machine().resizeConsoles(132, 43);
            await("the new size", () -> guest.run("stty size <&4").equals("43 132\n"));
        }
    }

    private static void shares(SerialSession guest, Path shared, Path fixed) throws Exception {
        guest.run("mkdir -p /mnt/w /mnt/f; mount -t virtiofs work /mnt/w; mount -t virtiofs fixed /mnt/f");
        assertThat(guest.run("cat /mnt/w/host.txt")).isEqualTo("from the host\n");
        guest.run("echo from the guest > /mnt/w/guest.txt; ln -s ../outside /mnt/w/link");
        assertThat(Files.readString(shared.resolve("guest.txt"))).isEqualTo("from the guest\n");
        assertThat(guest.run("cat /mnt/w/link")).contains("No such file");
        assertThat(guest.run("echo no > /mnt/f/file")).contains("Read-only file system");
        assertThat(fixed).isEmptyDirectory();
    }

    private static void balloon(SerialSession guest) throws Exception {
        MemoryBalloon balloon = guest.machine().balloon();
        assertThat(statistics(balloon).total()).isBetween(MEMORY.bytes() / 2, MEMORY.bytes());

        // What the guest has touched and freed it reports, and the host gets it back.
        guest.run("dd if=/dev/zero of=/tmp/much bs=1M count=200 2>/dev/null");
        long full = anonymousKibibytes();
        guest.run("rm /tmp/much");
        await("the host to have it back", () -> full - anonymousKibibytes() > 100 << 10);
        assertThat(balloon.returnedBytes()).isGreaterThan(100 << 20);

        long available = settledAvailable(balloon);
        balloon.setTarget(MemorySize.ofMebibytes(256));
        await("the balloon to fill", () -> balloon.size().bytes() == 256 << 20);
        assertThat(available - statistics(balloon).available()).isGreaterThan(200 << 20);
        balloon.setTarget(MEMORY);
        await("the balloon to empty", () -> balloon.size().equals(MEMORY));
        assertThat(available - statistics(balloon).available()).isLessThan(50 << 20);
    }

    private static GuestMemoryStatistics statistics(MemoryBalloon balloon) throws InterruptedException {
        return balloon.statistics(SOON).orElseThrow();
    }

    /** {@return what is available to the guest, once it no longer changes: pages that it is about to report are not, meanwhile} */
    private static long settledAvailable(MemoryBalloon balloon) throws Exception {
        long[] last = {statistics(balloon).available()};
        await("the guest's memory to settle", () -> {
            Thread.sleep(SETTLED.toMillis());
            long before = last[0];
            last[0] = statistics(balloon).available();
            return Math.abs(last[0] - before) < 1 << 20;
        });
        return last[0];
    }

    private static long anonymousKibibytes() throws IOException {
        return Files.readAllLines(MEMORY_ACCOUNT).stream()
                .filter(line -> line.startsWith("Anonymous:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    private static void write(ByteChannel channel, String text) throws IOException {
        channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
    }

    private static String readLine(ByteChannel channel) throws IOException {
        StringBuilder line = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        while (channel.read(one) > 0 && one.get(0) != '\n') {
            if (one.get(0) != '\r') {
                line.append((char) one.get(0));
            }
            one.clear();
        }
        return line.toString();
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + SOON.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime() - deadline)
                    .as("waited in vain for " + what)
                    .isNegative();
            Thread.sleep(50);
        }
    }
}
