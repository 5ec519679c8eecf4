package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.ExecResult;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.VirtualMachine;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Runs commands in the default guest and copies files, by its agent. One machine for all tests. */
@Timeout(300)
@Execution(ExecutionMode.SAME_THREAD)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class GuestControlTest {
    private static VirtualMachine machine;

    @TempDir
    private Path directory;

    @BeforeAll
    static void start() {
        machine = VirtualMachine.create(c -> c.linux(Guests.cloud()).memory(MemorySize.ofMebibytes(256)));
        machine.start();
    }

    @AfterAll
    static void stop() {
        if (machine != null) {
            machine.close();
        }
    }

    @Test
    void aCommandIsRunAndToldAbout() throws Exception {
        assertThat(machine.exec("echo 42").stdout()).isEqualTo("42\n");
        ExecResult result = machine.exec(
                "cat; echo \"$KEY\" >&2; pwd; exit 3",
                o -> o.stdin("in\n").environment("KEY", "it's").directory("/tmp"));
        assertThat(result.exitStatus()).isEqualTo(3);
        assertThat(result.stdout()).isEqualTo("in\n/tmp\n");
        assertThat(result.stderr()).isEqualTo("it's\n");
    }

    @Test
    void megabytesOfAnythingGoInAndOut() throws Exception {
        byte[] bytes = new byte[3_000_001];
        new Random(5).nextBytes(bytes);
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        assertThat(machine.exec(
                                "cat",
                                o -> o.stdin(new ByteArrayInputStream(bytes)).stdout(output))
                        .exitStatus())
                .isZero();
        assertThat(output.toByteArray()).isEqualTo(bytes);
    }

    @Test
    void commandsRunAtTheSameTime() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<String>> tasks = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                String number = String.valueOf(i);
                tasks.add(
                        () -> machine.exec("sleep 0.2; echo " + number).stdout().strip());
            }
            List<String> results = new ArrayList<>();
            for (Future<String> future : threads.invokeAll(tasks)) {
                results.add(future.get());
            }
            for (int i = 0; i < 20; i++) {
                assertThat(results.get(i)).isEqualTo(String.valueOf(i));
            }
        }
    }

    @Test
    void aCommandThatTakesTooLongIsKilled() throws Exception {
        // The guest is up then.
        machine.exec("true");
        assertThatThrownBy(() -> machine.exec("echo begun; sleep 1234", o -> o.timeout(Duration.ofSeconds(2))))
                .isInstanceOfSatisfying(
                        KagamiException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.COMMAND_TIMED_OUT))
                .hasMessageContaining("begun");
        assertThat(machine.exec("for i in $(seq 50); do ps -o args | grep -q 'sleep 123[4]' || exit 0; sleep 0.1; done;"
                                + " exit 1")
                        .exitStatus())
                .isZero();
    }

    @Test
    void aProcessStreams() throws Exception {
        Process process = machine.spawn("while read x; do echo \"<$x>\"; done; exit 4", o -> {});
        try (var writer = process.outputWriter();
                var reader = process.inputReader()) {
            for (int i = 0; i < 5; i++) {
                writer.write(i + "\n");
                writer.flush();
                assertThat(reader.readLine()).isEqualTo("<" + i + ">");
            }
        }
        assertThat(process.waitFor()).isEqualTo(4);
    }

    @Test
    void treesAreCopiedBothWaysWithTheirModes() throws Exception {
        Path tree = Files.createDirectories(directory.resolve("tree"));
        Files.createDirectories(tree.resolve("a/" + "long".repeat(30)));
        Files.writeString(tree.resolve("a/run"), "#!/bin/sh\necho ran \"$@\"\n");
        Files.setPosixFilePermissions(tree.resolve("a/run"), PosixFilePermissions.fromString("rwxr-x---"));
        byte[] bytes = new byte[200_000];
        new Random(6).nextBytes(bytes);
        Files.write(tree.resolve("a/" + "long".repeat(30) + "/bytes"), bytes);
        Files.createSymbolicLink(tree.resolve("link"), Path.of("a/run"));

        machine.copyTo(tree, "/tmp/deep/er");
        assertThat(machine.exec("/tmp/deep/er/link it; stat -c '%a %u' /tmp/deep/er/a/run")
                        .stdout())
                .isEqualTo("ran it\n750 0\n");
        machine.copyFrom("/tmp/deep/er", directory.resolve("back"));
        Path back = directory.resolve("back");
        assertThat(back.resolve("a/" + "long".repeat(30) + "/bytes")).hasBinaryContent(bytes);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(back.resolve("a/run"))))
                .isEqualTo("rwxr-x---");
        assertThat(Files.readSymbolicLink(back.resolve("link"))).isEqualTo(Path.of("a/run"));

        Path one = Files.writeString(directory.resolve("one"), "1\n");
        machine.copyTo(one, "/tmp/into/");
        assertThat(machine.exec("cat /tmp/into/one").stdout()).isEqualTo("1\n");
        machine.copyFrom("/etc/hostname", directory.resolve("name"));
        assertThat(directory.resolve("name")).hasContent("kagami\n");
    }

    @Test
    void copiesThatCanNotBeSayWhy() {
        assertThatThrownBy(() -> machine.copyFrom("/no/such/file", directory.resolve("x")))
                .isInstanceOfSatisfying(
                        KagamiException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.COPY_FAILED))
                .hasMessageContaining("/no/such/file");
        assertThatThrownBy(() -> machine.copyTo(directory.resolve("nothing"), "/tmp/x"))
                .isInstanceOf(KagamiException.class)
                .hasMessageContaining("no such file");
        assertThatThrownBy(() -> machine.copyTo(directory, "/proc/x")).isInstanceOf(KagamiException.class);
    }

    @Test
    void theConsoleCanBeReadAndTypedTo() throws Exception {
        machine.console().awaitText("~# ", Duration.ofSeconds(100));
        machine.console().type("echo $((6 * 7))\n");
        assertThat(machine.console().awaitText("\n42\r\n", Duration.ofSeconds(30)))
                .contains("echo $((6 * 7))");
        assertThat(machine.console().transcript()).contains("Linux version", "Type poweroff to leave.");
        machine.console().awaitText("~# ", Duration.ofSeconds(30));
        // Not what the terminal shows of what is typed.
        machine.console().type("clear; echo on t''op\n").awaitText("on top\r\n", Duration.ofSeconds(30));
        machine.console().awaitText("~# ", Duration.ofSeconds(30));
        assertThat(machine.console().screen()).startsWith("on top\n").endsWith("~#");
        assertThatThrownBy(() -> machine.console().awaitText("never", Duration.ofMillis(50)))
                .isInstanceOfSatisfying(
                        KagamiException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CONSOLE_TIMED_OUT))
                .hasMessageContaining("on top");
    }

    @Test
    @Order(Integer.MAX_VALUE - 1)
    void anAgentThatWasKilledComesBack() throws Exception {
        String agents = "ps -o pid,args | grep '/[k]agami-agent' | sed 's/^ *//; s/ .*//' | sort -n | head -n 1";
        String first = machine.exec(agents).stdout();
        assertThat(first).matches("\\d+\n");
        assertThat(machine.exec("kill " + first.strip()).exitStatus()).isZero();
        assertThat(machine.exec(agents).stdout()).matches("\\d+\n").isNotEqualTo(first);
    }

    @Test
    @Order(Integer.MAX_VALUE)
    void theAgentIsThereAgainAfterAReboot() throws Exception {
        machine.exec("touch /tmp/before; reboot");
        while (machine.stats().resets() == 0) {
            Thread.sleep(50);
        }
        assertThat(machine.exec("ls /tmp").stdout()).doesNotContain("before");
    }
}
