package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code kagami run} as a process with the default guest. What the command does with small kernels is the cli module's. */
@Timeout(240)
final class CommandTest {
    private static final Duration BOOT = Duration.ofSeconds(150);
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir
    private Path directory;

    @Test
    void runsWhatIsPipedIn() throws Exception {
        try (ChildGuest child =
                new ChildGuest(directory, StockKernelTest.quick(Guests.cloud()), "--stats", "--memory", "256M")) {
            child.type("uname -s; echo $((40 + 2)); poweroff\n");
            child.closeInput();
            assertThat(child.awaitExit(BOOT)).isZero();
            assertThat(child.output()).contains("Linux\r\n42\r\n", "guest instructions", "run without the VMM");
        }
    }

    @Test
    void isTheGuestsTerminal() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "script(1) gives the test a terminal");
        Guests.cloud();
        Path out = directory.resolve("out");
        String command = String.join(" ", ChildGuest.command(List.of("--memory", "256M")))
                .replace("$", "\\$");
        Process process = new ProcessBuilder(
                        "script", "-qec", "stty columns 99 rows 33; " + command + "; echo status=$?", "/dev/null")
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        try {
            await(process, out, SerialSession.PROMPT, BOOT);
            // The size reaches the guest, and so do the keys that would end a command outside.
            type(process, "stty size; sleep 99\n");
            await(process, out, "33 99", SOON);
            Thread.sleep(500);
            type(process, "\003");
            type(process, "echo again=$?\n");
            await(process, out, "again=130", SOON);
            type(process, "\001x");
            assertThat(process.waitFor(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(Files.readString(out, StandardCharsets.ISO_8859_1)).contains("status=0");
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void aCommandOnATerminalGetsKeysAndSizesAndTheTerminalItsSettingsBack() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "script(1) gives the test a terminal");
        Guests.cloud();
        Path out = directory.resolve("out");
        String kagami = String.join(" ", ChildGuest.program()).replace("$", "\\$");
        Path script = Files.writeString(directory.resolve("script"), """
                stty columns 99 rows 33
                KAGAMI run -d --name t --memory 256M || exit
                stty -g >before
                KAGAMI exec -t t 'stty size; sh; exit 7'; echo status=$?
                stty -g >after
                (until [ -e resize ]; do sleep 0.1; done; stty columns 120 rows 50 </dev/tty) &
                KAGAMI exec -t t 'trap "stty size" WINCH; echo second; while :; do sleep 0.1; done'; echo killed=$?
                stty -g >killed
                KAGAMI stop --force t; echo end
                """.replace("KAGAMI", kagami));
        ProcessBuilder builder = new ProcessBuilder("script", "-qec", "sh " + script, "/dev/null");
        builder.environment().put("XDG_RUNTIME_DIR", directory.toString());
        builder.environment().put("XDG_DATA_HOME", directory.resolve("data").toString());
        Process process = builder.directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        try {
            await(process, out, "33 99", BOOT);
            type(process, "sleep 99\n");
            Thread.sleep(500);
            type(process, "\003");
            type(process, "echo again=$?\n");
            await(process, out, "again=130", SOON);
            type(process, "exit\n");
            await(process, out, "status=7", SOON);
            await(process, out, "second", SOON);
            Files.createFile(directory.resolve("resize"));
            await(process, out, "50 120", SOON);
            process.descendants()
                    .filter(child -> child.info().commandLine().orElse("").contains(" exec -t t"))
                    .filter(child -> child.children().findAny().isEmpty())
                    .forEach(ProcessHandle::destroy);
            await(process, out, "end", SOON);
            assertThat(Files.readString(out)).contains("killed=143");
            String before = Files.readString(directory.resolve("before"));
            assertThat(directory.resolve("after")).hasContent(before);
            assertThat(directory.resolve("killed")).hasContent(before);
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            List<String> stop = ChildGuest.program();
            stop.addAll(List.of("stop", "--force", "t"));
            // It has a session of its own, and is there still when something went wrong.
            builder.command(stop)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
        }
    }

    private static void type(Process process, String keys) throws Exception {
        process.getOutputStream().write(keys.getBytes(StandardCharsets.US_ASCII));
        process.getOutputStream().flush();
    }

    private static void await(Process process, Path out, String text, Duration timeout) throws Exception {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (!Files.readString(out, StandardCharsets.ISO_8859_1).contains(text)) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new AssertionError(
                        "no '" + text + "' but:\n" + Files.readString(out, StandardCharsets.ISO_8859_1));
            }
            Thread.sleep(100);
        }
    }
}
