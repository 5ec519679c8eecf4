package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs machines in the background as a user does, with small multiboot 1 kernels. */
@Timeout(300)
final class NamedMachineTest {
    /** Prints "ok", then sends back what comes; the byte 'q' switches the power off. */
    private static final String ECHO =
            "baf8030000 b06f ee b06b ee bafd030000 ec a801 74fb baf8030000 ec 3c71 7403 ee ebe9 ba04060000 66b80034 66ef ebfe";

    private static final String TRIPLE_FAULT = "0f0b";

    @TempDir
    private Path directory;

    private CommandProcess kagami;

    @BeforeEach
    void start() throws IOException {
        kagami = new CommandProcess(directory);
        Files.createDirectory(directory.resolve("XDG_RUNTIME_DIR"));
    }

    @AfterEach
    void endAll() throws Exception {
        for (String name : kagami.run("ps", "-q").out().lines().toList()) {
            kagami.run("stop", "--force", name);
        }
    }

    private String kernel(String code) throws IOException {
        byte[] instructions = HexFormat.of().parseHex(code.replace(" ", ""));
        int load = 0x10_0000;
        int size = 32 + instructions.length;
        ByteBuffer image = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0x1BAD_B002).putInt(1 << 16).putInt(-(0x1BAD_B002 + (1 << 16)));
        image.putInt(load).putInt(load).putInt(load + size).putInt(load + size).putInt(load + 32);
        return Files.write(
                        Files.createTempFile(directory, "kernel", null),
                        image.put(instructions).array())
                .toString();
    }

    private CommandProcess.Result runDetached(String code, String... more) throws Exception {
        String[] first = {"run", "-d", "--memory", "16M", "--kernel", kernel(code)};
        return kagami.run(Stream.of(first, more).flatMap(Stream::of).toArray(String[]::new));
    }

    private void must(CommandProcess.Result result) {
        assertThat(result.status()).as(result.err()).isZero();
    }

    private long pid(String name) throws Exception {
        return kagami.run("ps")
                .out()
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToLong(line -> Long.parseLong(line.split("\\s+")[2]))
                .findFirst()
                .orElseThrow();
    }

    private void awaitLog(String name, String text) throws Exception {
        while (!kagami.run("logs", name).out().contains(text)) {
            Thread.sleep(50);
        }
    }

    @Test
    void aMachineLivesInTheBackgroundAndIsFoundByItsName() throws Exception {
        assertThat(runDetached(ECHO, "--name", "foobar", "--network", "nat"))
                .isEqualTo(new CommandProcess.Result(0, "foobar\n", ""));
        assertThat(kagami.run("ps").out()).containsPattern("foobar +running +\\d+ .* 16M +\\S+");
        awaitLog("foobar", "ok");

        CommandProcess.Result second = runDetached(ECHO, "--name", "foobar");
        assertThat(second.status()).isEqualTo(1);
        assertThat(second.err()).contains("'foobar' runs already", "hint: ");

        String added = kagami.run("forward", "foobar", "add", "0:22").out().strip();
        assertThat(added).matches("\\d+:22");
        assertThat(kagami.run("forward", "foobar").out().strip()).isEqualTo(added);
        must(kagami.run("forward", "foobar", "remove", added));
        assertThat(kagami.run("forward", "foobar", "list").out()).isEmpty();

        must(kagami.run("pause", "foobar"));
        assertThat(kagami.run("pause", "foobar").err()).contains("RUNNING", "PAUSED");
        must(kagami.run("resume", "foobar"));
        assertThat(kagami.run("top", "-n", "1").out()).contains("foobar");

        // The guest knows no power button.
        CommandProcess.Result stopped = kagami.run("stop", "--timeout", "1", "foobar");
        must(stopped);
        assertThat(stopped.err()).contains("pulling the plug");
        assertThat(kagami.run("ps", "-q").out()).isEmpty();
        assertThat(kagami.run("ps", "-a").out()).contains("foobar", "stopped");
        CommandProcess.Result gone = kagami.run("console", "foobar");
        assertThat(gone.status()).isEqualTo(1);
        assertThat(gone.err()).contains("no machine with the name 'foobar' runs", "hint: ");
        must(kagami.run("rm", "foobar"));
        assertThat(kagami.run("ps", "-aq").out()).isEmpty();
    }

    @Test
    void theConsoleTakesWhatIsPipedInAndEndsWithTheMachine() throws Exception {
        assertThat(runDetached(ECHO).out()).isEqualTo("vm1\n");
        Path out = directory.resolve("console");
        Process console =
                kagami.builder("console", "vm1").redirectOutput(out.toFile()).start();
        console.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
        console.getOutputStream().flush();
        while (!Files.readString(out).equals("okhello")) {
            Thread.sleep(20);
            assertThat(console.isAlive()).isTrue();
        }
        console.getOutputStream().write("q".getBytes(StandardCharsets.US_ASCII));
        console.getOutputStream().close();
        assertThat(console.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(console.exitValue()).isZero();
        assertThat(kagami.run("logs", "-f", "vm1").out()).isEqualTo("okhello");
    }

    @Test
    void aSavedMachineGoesOnInAnotherProcess() throws Exception {
        String kernel = kernel(ECHO);
        String[] run = {"run", "-d", "--name", "a", "--memory", "16M", "--kernel", kernel};
        must(kagami.run(run));
        awaitLog("a", "ok");
        must(kagami.run("save", "a", "state"));
        must(kagami.run("stop", "-f", "a"));
        must(kagami.run(Stream.concat(
                        Stream.of(run),
                        Stream.of("--restore", directory.resolve("state").toString()))
                .toArray(String[]::new)));
        Process console = kagami.builder("console", "a").start();
        console.getOutputStream().write("restored".getBytes(StandardCharsets.US_ASCII));
        console.getOutputStream().flush();
        // It doesn't begin anew, which would print "ok".
        assertThat(console.getInputStream().readNBytes(8)).isEqualTo("restored".getBytes(StandardCharsets.US_ASCII));
        console.destroy();
    }

    @Test
    void aMachineThatDoesNotStartSaysWhy() throws Exception {
        CommandProcess.Result missing = kagami.run("run", "-d", "--name", "a", "--kernel", "/no/such/kernel");
        assertThat(missing.status()).isEqualTo(1);
        assertThat(missing.err()).contains("/no/such/kernel", "hint: ");
        Path letter = Files.writeString(directory.resolve("letter"), "This is a letter, not a kernel.");
        CommandProcess.Result none = kagami.run("run", "-d", "--name", "a", "--kernel", letter.toString());
        assertThat(none.status()).isEqualTo(1);
        assertThat(none.err()).contains("'a' did not start", "hint: ").doesNotContain("\tat ");
        assertThat(kagami.run("ps", "-q").out()).isEmpty();
    }

    @Test
    void aCrashIsInTheLog() throws Exception {
        runDetached(TRIPLE_FAULT, "--name", "a");
        awaitLog("a", "the machine crashed: triple fault");
    }

    @Test
    void aKilledProcessLeavesNothingInTheWay() throws Exception {
        must(runDetached(ECHO, "--name", "a"));
        long pid = pid("a");
        must(new CommandProcess.Result(
                new ProcessBuilder("kill", "-9", Long.toString(pid)).start().waitFor(), "", ""));
        while (ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)) {
            Thread.sleep(20);
        }
        assertThat(kagami.run("ps", "-q").out()).isEmpty();
        must(runDetached(ECHO, "--name", "a"));
    }

    @Test
    void theProcessIsInASessionOfItsOwnAndShowsNoPasswordItAskedFor() throws Exception {
        assumeTrue(Files.exists(Path.of("/proc/self/cmdline")), "looks at /proc");
        Process run =
                environment("run", "-d", "--name", "a", "--memory", "16M", "--kernel", kernel(ECHO), "--password");
        assertThat(run.waitFor(90, TimeUnit.SECONDS)).isTrue();
        assertThat(run.exitValue()).isZero();
        long pid = pid("a");
        assertThat(Files.readString(Path.of("/proc/%d/cmdline".formatted(pid)))).doesNotContain("s3cret");
        String[] stat =
                Files.readString(Path.of("/proc/%d/stat".formatted(pid))).split(" ");
        // Fields 6 and 7, proc_pid_stat(5): the session, and the terminal, which it doesn't have.
        assertThat(stat[5]).isEqualTo(Long.toString(pid));
        assertThat(stat[6]).isEqualTo("0");
    }

    private Process environment(String... arguments) throws IOException {
        ProcessBuilder builder = kagami.builder(arguments);
        builder.environment().put(CloudInitOptions.PASSWORD_VARIABLE, "s3cret");
        return builder.start();
    }

    @Test
    void aLogThatBecomesTooLongIsEmptiedAndKeptOnce() throws Exception {
        try (MachineLog log = MachineLog.open(directory, 100)) {
            for (int i = 0; i < 25; i++) {
                log.write("0123456789".getBytes(StandardCharsets.US_ASCII));
            }
        }
        assertThat(directory.resolve("log")).hasSize(50);
        assertThat(directory.resolve("log.1")).hasSize(100);
    }

    @Test
    void namesThatLeadElsewhereAreRefused() throws Exception {
        CommandProcess.Result result = kagami.run("run", "-d", "--name", "../a", "--kernel", kernel(ECHO));
        assertThat(result.status()).isEqualTo(1);
        assertThat(result.err()).contains("'../a' can't be the name of a machine", "hint: ");
    }
}
