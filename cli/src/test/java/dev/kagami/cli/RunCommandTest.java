package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs the command as a process of its own, with small multiboot 1 kernels. */
@Timeout(120)
final class RunCommandTest {
    private static final String PRINT_OK = "baf8030000 b06f ee b06b ee b00a ee";
    private static final String POWER_OFF = "ba04060000 66b80034 66ef ebfe";
    private static final String DEBUG_EXIT = "b010 e6f4 ebfe";
    private static final String RESET = "baf90c0000 b006 ee ebfe";
    private static final String TRIPLE_FAULT = "0f0b";
    private static final String SPIN = "ebfe";
    /** Waits for a byte on COM1 (line status bit 0), prints it, and goes on. */
    private static final String ECHO_ONE = "bafd030000 ec a801 74fb baf8030000 ec ee";

    @TempDir
    private Path directory;

    private record Result(int status, String out, String err) {}

    private Path kernel(String... code) throws IOException {
        byte[] instructions = HexFormat.of().parseHex(String.join("", code).replace(" ", ""));
        int load = 0x10_0000;
        int magic = 0x1BAD_B002;
        int flags = 1 << 16;
        int size = 32 + instructions.length;
        ByteBuffer image = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(magic).putInt(flags).putInt(-(magic + flags));
        image.putInt(load).putInt(load).putInt(load + size).putInt(load + size).putInt(load + 32);
        return Files.write(directory.resolve("kernel"), image.put(instructions).array());
    }

    private static List<String> command(Path kernel, String... options) {
        List<String> command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--module-path",
                System.getProperty("jdk.module.path"),
                "--module",
                "dev.kagami.cli/dev.kagami.cli.Kagami",
                "run",
                "--memory",
                "16M",
                "--kernel",
                kernel.toString()));
        command.addAll(List.of(options));
        return command;
    }

    private Result run(String input, List<String> command) throws IOException, InterruptedException {
        Path out = directory.resolve("out");
        Path err = directory.resolve("err");
        Process process = new ProcessBuilder(command)
                .redirectOutput(Redirect.to(out.toFile()))
                .redirectError(Redirect.to(err.toFile()))
                .start();
        try {
            process.getOutputStream().write(input.getBytes(StandardCharsets.US_ASCII));
            process.getOutputStream().close();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    @Test
    void powerOffIsStatus0AndTheSerialPortIsStandardOutput() throws Exception {
        Result result = run("", command(kernel(PRINT_OK, POWER_OFF)));
        assertThat(result).isEqualTo(new Result(0, "ok\n", ""));
    }

    @Test
    void debugExitIsTheStatus() throws Exception {
        assertThat(run("", command(kernel(DEBUG_EXIT), "--debug-exit", "0xf4")).status())
                .isEqualTo(0x21);
    }

    @Test
    void resetIsStatus0WithNoReboot() throws Exception {
        assertThat(run("", command(kernel(RESET), "--no-reboot"))).isEqualTo(new Result(0, "", ""));
    }

    @Test
    void aTripleFaultIsStatus1AndNamed() throws Exception {
        Result result = run("", command(kernel(TRIPLE_FAULT)));
        assertThat(result.status()).isEqualTo(1);
        assertThat(result.err()).contains("kagami: the machine crashed: triple fault");
    }

    @Test
    void aMultibootKernelFindsItsModule() throws Exception {
        Path module = Files.writeString(directory.resolve("module"), "M");
        // The boot information is at EBX: mods_addr at 24; there, the first module's start (specification 0.6.96, 3.3).
        String printFirstByteOfModule = "8b4318 8b00 8a00 baf8030000 ee";
        Result result = run("", command(kernel(printFirstByteOfModule, POWER_OFF), "--module", module + " a b"));
        assertThat(result).isEqualTo(new Result(0, "M", ""));
    }

    @Test
    void standardInputReachesTheGuestAndItsEndIsNotTheEnd() throws Exception {
        Result result = run("hi", command(kernel(ECHO_ONE, ECHO_ONE, PRINT_OK, POWER_OFF)));
        assertThat(result).isEqualTo(new Result(0, "hiok\n", ""));
    }

    @Test
    void ctrlAIsAnOrdinaryByteWhenStandardInputIsNoTerminal() throws Exception {
        assertThat(run("\001x", command(kernel(ECHO_ONE, ECHO_ONE, POWER_OFF))).out())
                .isEqualTo("\001x");
    }

    @Test
    void statsNameWhatWasCounted() throws Exception {
        Result result = run("", command(kernel(PRINT_OK, POWER_OFF), "--stats"));
        assertThat(result.status()).isZero();
        assertThat(result.err())
                .contains("guest instructions", "MIPS", "port writes", "run without the VMM", "interpreter");
    }

    @Test
    void verboseTellsWhatWasChosen() throws Exception {
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        Result result = run(
                "",
                command(
                        kernel(PRINT_OK, POWER_OFF),
                        "-v",
                        "--append=words for the kernel",
                        "--disk=" + disk + ",readonly,serial=mine",
                        "--network=nat,mac=52:54:00:00:00:01",
                        "--forward=0:22",
                        "--share=" + directory + ":src:ro",
                        "--balloon"));
        assertThat(result.status()).isZero();
        assertThat(result.out()).isEqualTo("ok\n");
        assertThat(result.err().replaceAll(" +", " "))
                .containsPattern("(?m)^engine \\w+ \\(.+\\)$")
                .containsPattern("(?m)^processors 1, model v\\d$")
                .contains("memory 16M, with a balloon\n")
                .contains("kernel " + directory.resolve("kernel") + "\n")
                .contains("command line words for the kernel\n")
                .contains("disk 0 " + disk + ", raw, 1M, read-only, serial mine\n")
                .containsPattern("network 0 52:54:00:00:00:01, NAT, TCP port [1-9]\\d* of 127.0.0.1 to 22\\n")
                .contains("share src " + directory + ", read-only\n");
    }

    @Test
    void tracesTheExitsToAFile() throws Exception {
        Path trace = directory.resolve("trace");
        Result result =
                run("", command(kernel(PRINT_OK, POWER_OFF), "--trace=exits", "--trace-file", trace.toString()));
        assertThat(result).isEqualTo(new Result(0, "ok\n", ""));
        assertThat(Files.readAllLines(trace)).contains("port write 1 at 0x03f8 = 0x6f");
    }

    @Test
    void leavesTheTerminalAsItWas() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "script(1) gives the test a terminal");
        // A guest that spins, left with Ctrl-A x once the terminal's settings have been looked at from aside.
        Path commands = directory.resolve("commands");
        Files.writeString(commands, """
                cd '%s'
                stty -g > before
                (while [ ! -e look ]; do sleep 0.1; done; stty -g < /dev/tty > during.new; mv during.new during) &
                %s
                echo $? > status
                stty -g > after
                """.formatted(directory, String.join(" ", command(kernel(PRINT_OK, SPIN)))));
        Path out = directory.resolve("out");
        Process process = new ProcessBuilder("script", "-qec", "sh " + commands, "/dev/null")
                .redirectErrorStream(true)
                .redirectOutput(Redirect.to(out.toFile()))
                .start();
        try {
            awaitWhileAlive(process, () -> Files.readString(out).contains("ok"));
            Files.createFile(directory.resolve("look"));
            awaitWhileAlive(process, () -> Files.exists(directory.resolve("during")));
            process.getOutputStream().write(new byte[] {1, 'x'});
            process.getOutputStream().flush();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        String before = Files.readString(directory.resolve("before"));
        assertThat(Files.readString(directory.resolve("after"))).isEqualTo(before);
        assertThat(Files.readString(directory.resolve("during"))).isNotEqualTo(before);
        assertThat(Files.readString(directory.resolve("status"))).isEqualTo("0\n");
    }

    private static void awaitWhileAlive(Process process, Callable<Boolean> condition) throws Exception {
        while (!condition.call()) {
            assertThat(process.isAlive()).isTrue();
            Thread.sleep(20);
        }
    }
}
