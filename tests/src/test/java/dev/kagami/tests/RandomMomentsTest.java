package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.kagami.vm.CpuModel;
import dev.kagami.vm.Disk;
import dev.kagami.vm.EngineInfo;
import dev.kagami.vm.Network;
import dev.kagami.vm.SaveOption;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Guests with two CPUs that are saved at random moments, and go on: the same machine, or a restored one on whatever engine.
 * {@code -Dkagami.tests.moments=200} for more of them, {@code -Dkagami.seed} for those of a failure, as far as a guest that
 * runs in real time repeats anything.
 */
@Timeout(value = 3600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class RandomMomentsTest {
    private static final int MOMENTS = Integer.getInteger("kagami.tests.moments", 8);
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final String WORKERS = "timer1 timer2 processor1 processor2 vda vdb network";
    private static final int LONGEST_LEG_MILLIS = 600;
    private static final List<String> ENGINES = VirtualMachine.engines().stream()
            .filter(EngineInfo::available)
            .map(EngineInfo::name)
            .filter(name -> !name.contains(":"))
            .toList();

    @TempDir
    private Path directory;

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

    /** What every engine of this host can do, and with the most state. */
    private static CpuModel commonModel() {
        return Stream.of(CpuModel.V4, CpuModel.V3)
                .filter(model -> ENGINES.stream()
                        .allMatch(engine ->
                                VirtualMachineConfig.of(c -> c.engine(engine).cpuModel(model)).validate().stream()
                                        .noneMatch(problem -> problem.path().contains("cpu"))))
                .findFirst()
                .orElse(CpuModel.V2);
    }

    /** One guest, on one machine after the other. */
    private final class Journey implements AutoCloseable {
        private final SplittableRandom random;
        private final Consumer<VirtualMachineConfig.Builder> description;
        private final Path file = directory.resolve("machine.snapshot");
        VirtualMachine machine;
        int moments;

        Journey(SplittableRandom random, Consumer<VirtualMachineConfig.Builder> description) {
            this.random = random;
            CpuModel model = commonModel();
            this.description =
                    description.andThen(c -> c.cpus(2).cpuModel(model).serial(s -> s.output(printed)));
            machine = VirtualMachine.create(this.description.andThen(c -> c.engine(anyEngine())));
            machine.start();
        }

        private String anyEngine() {
            return ENGINES.get(random.nextInt(ENGINES.size()));
        }

        /** Lets the guest run for a moment, saves it, and goes on in some way. */
        void go() throws InterruptedException {
            Thread.sleep(random.nextInt(LONGEST_LEG_MILLIS));
            moments++;
            if (random.nextInt(4) == 0) {
                machine.pause();
            }
            boolean goOn = random.nextInt(4) == 0;
            if (!goOn && machine.canPause()) {
                // What it did after the save would be lost but for its disks.
                machine.pause();
            }
            machine.save(file, random.nextInt(8) == 0 ? new SaveOption[] {SaveOption.COMPRESS} : new SaveOption[0]);
            if (!goOn) {
                machine.close();
                String engine = anyEngine();
                machine = VirtualMachine.restore(file, description.andThen(c -> c.engine(engine)));
            }
            if (machine.canResume()) {
                machine.resume();
            }
        }

        String run(String command) throws InterruptedException {
            return machine.exec(command, o -> o.timeout(PATIENCE)).stdout();
        }

        @Override
        public void close() {
            machine.close();
        }
    }

    private String transcript() {
        return printed.toString(StandardCharsets.ISO_8859_1);
    }

    private void assertHealthy(String log) {
        KernelLog.assertHealthy(transcript());
        KernelLog.assertHealthy("Linux version \n" + log);
        assertThat(transcript().split("Linux version ", -1)).as("one boot").hasSize(2);
    }

    @Test
    void aBootGoesOnFromAnyMoment() throws Exception {
        Seeds.run("boots", Seeds.seeds().nextLong(), random -> {
            int moments = 0;
            while (moments < MOMENTS) {
                printed.reset();
                try (Journey guest = new Journey(
                        random,
                        c -> c.linux(StockKernelTest.quick(Guests.cloud())).network(Network.nat()))) {
                    while (!transcript().contains(SerialSession.PROMPT)) {
                        guest.go();
                        assertThat(guest.moments)
                                .as("moments of " + transcript())
                                .isLessThan(1000);
                    }
                    moments += guest.moments;
                    assertThat(guest.run("nproc; sleep 0.1; echo 300 > /tmp/x; cat /tmp/x"))
                            .isEqualTo("2\n300\n");
                    // An answer of the DHCP server may have been lost; it is asked again.
                    guest.run("until ip -4 address show eth0 | grep inet; do sleep 0.1; done");
                    assertHealthy(guest.run("dmesg"));
                }
            }
        });
    }

    @Test
    void aLoadedGuestGoesOnFromAnyMoment() throws Exception {
        HostCommand.require("e2fsprogs", "mke2fs", "e2fsck");
        Path kept = fileSystem("kept.raw");
        Path temporary = fileSystem("temporary.raw");
        byte[] page = new byte[300_000];
        new java.util.Random(7).nextBytes(page);
        try (PageServer server = new PageServer(page)) {
            Seeds.run("load", Seeds.seeds().nextLong(), random -> {
                try (Journey guest = new Journey(
                        random,
                        c -> c.linux(StockKernelTest.quick(Guests.cloud()))
                                .disk(Disk.of(kept))
                                .disk(Disk.temporary(temporary))
                                .network(Network.nat()))) {
                    start(guest, server.port(), page);
                    Map<String, Long> before = progress(guest);
                    while (guest.moments < MOMENTS) {
                        guest.go();
                        before = awaitProgress(guest, before);
                    }
                    assertThat(guest.run("touch /tmp/stop; until [ -e /tmp/stopped ]; do sleep 0.1; done"))
                            .isEmpty();
                    assertThat(guest.run("cat /tmp/failures")).isEmpty();
                    System.out.println("work done: " + before);
                    assertHealthy(guest.run("dmesg"));
                    Path copy = directory.resolve("temporary.copy");
                    try (OutputStream output = Files.newOutputStream(copy)) {
                        guest.machine.exec("cat /dev/vdb", o -> o.stdout(output));
                    }
                    assertClean(copy);
                }
                assertClean(kept);
            });
        }
    }

    private static void start(Journey guest, int port, byte[] page) throws Exception {
        String script = new String(
                Objects.requireNonNull(RandomMomentsTest.class.getResourceAsStream("/guest/load.sh"))
                        .readAllBytes(),
                StandardCharsets.US_ASCII);
        byte[] text = new byte[512 << 10];
        Arrays.fill(text, (byte) 'x');
        guest.machine.exec("cat > /tmp/load", o -> o.stdin(script));
        String gateway =
                guest.run("until ip route | grep default; do sleep 0.1; done").replaceAll("(?s).*via (\\S+) .*", "$1");
        assertThat(guest.run("sh /tmp/load http://%s:%d/ %s %s >/tmp/failures 2>&1 </dev/null &"
                        .formatted(gateway, port, digest("MD5", page), digest("SHA-256", text))))
                .isEmpty();
    }

    private static String digest(String algorithm, byte[] bytes) throws NoSuchAlgorithmException {
        return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(bytes));
    }

    private static Map<String, Long> progress(Journey guest) throws InterruptedException {
        assertThat(guest.run("cat /tmp/failures")).as("moment " + guest.moments).isEmpty();
        Map<String, Long> progress = new TreeMap<>();
        guest.run("cd /tmp; for w in %s; do echo $w $(cat progress.$w || echo 0); done".formatted(WORKERS))
                .lines()
                .map(line -> line.split(" "))
                .forEach(words -> progress.put(words[0], Long.parseLong(words[1])));
        return progress;
    }

    /** Waits until everybody has got something done. */
    private static Map<String, Long> awaitProgress(Journey guest, Map<String, Long> before)
            throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            Map<String, Long> now = progress(guest);
            if (before.entrySet().stream().allMatch(each -> now.get(each.getKey()) > each.getValue())) {
                return now;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError("moment %d: from %s to %s; %s"
                        .formatted(
                                guest.moments,
                                before,
                                now,
                                guest.run("cat /tmp/network.log; ip addr; ip route; netstat -tn; cat /proc/interrupts;"
                                        + " ps -o pid,stat,args; dmesg | tail -n 30")));
            }
            Thread.sleep(20);
        }
    }

    private Path fileSystem(String name) throws Exception {
        Path image = directory.resolve(name);
        HostCommand.run(PATIENCE, "mke2fs", "-q", "-t", "ext4", image.toString(), "48M")
                .orFail();
        return image;
    }

    private static void assertClean(Path image) throws Exception {
        HostCommand.run(PATIENCE, "e2fsck", "-f", "-n", image.toString()).orFail();
    }

    /** Serves one page. */
    private static final class PageServer implements AutoCloseable {
        private final HttpServer server;

        PageServer(byte[] page) throws IOException {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
            server.createContext("/", exchange -> {
                exchange.sendResponseHeaders(200, page.length);
                try (OutputStream body = exchange.getResponseBody()) {
                    body.write(page);
                }
            });
            server.start();
        }

        int port() {
            return server.getAddress().getPort();
        }

        @Override
        public void close() {
            server.stop(0);
        }
    }
}
