package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.control.CommandResult;
import dev.kagami.control.ControlClient;
import dev.kagami.control.ControlServer;
import dev.kagami.control.Machines;
import dev.kagami.control.SharedConsole;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.GuestTerminal;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.VirtualMachine;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Controls the default guest over its control socket. */
@Timeout(300)
final class ControlledGuestTest {
    @TempDir
    private Path directory;

    @Test
    void commandsRunInTheGuestAndTheScrollbackShowsItsStart() throws Exception {
        Machines machines = new Machines(directory.resolve("run"), directory.resolve("data"));
        try (Machines.Claim claim = machines.claim("foobar");
                SharedConsole console = new SharedConsole();
                VirtualMachine machine = VirtualMachine.create(c -> c.linux(Guests.cloud())
                        .memory(MemorySize.ofMebibytes(256))
                        .serial(s -> s.input(console.input()).output(console.output())))) {
            machine.start();
            try (ControlServer server = ControlServer.start(claim, machine, console);
                    ControlClient client = machines.connect("foobar")) {
                assertThat(server).isNotNull();
                CommandResult result = client.exec(
                        "cat; echo oops >&2; exit 3",
                        "in and out".getBytes(StandardCharsets.US_ASCII),
                        Duration.ofMinutes(4));
                assertThat(result.exitStatus()).isEqualTo(3);
                assertThat(result.stdout()).asString().isEqualTo("in and out");
                assertThat(result.stderr()).asString().isEqualTo("oops\n");
                assertThat(client.scrollback()).asString().contains("Linux version");
                streams(machines);
                terminal(machines);
            }
        }
    }

    private static void terminal(Machines machines) throws Exception {
        GuestTerminal terminal = new GuestTerminal("vt100", new GuestTerminal.Size(91, 33));
        PipedOutputStream typed = new PipedOutputStream();
        PipedInputStream input = new PipedInputStream(typed);
        PipedInputStream printed = new PipedInputStream();
        PipedOutputStream output = new PipedOutputStream(printed);
        AtomicInteger status = new AtomicInteger(-1);
        CountDownLatch started = new CountDownLatch(1);
        try (ControlClient client = machines.connect("foobar");
                BufferedReader lines = new BufferedReader(new InputStreamReader(printed))) {
            Thread talk = Thread.ofPlatform()
                    .start(() -> status.set(client.exec(
                            "stty -echo; trap 'stty size' WINCH; trap 'exit 9' INT; echo $TERM; stty size; echo up >&2;"
                                    + " while :; do sleep 0.1; done",
                            terminal,
                            input,
                            output,
                            started::countDown,
                            Duration.ofMinutes(1))));
            started.await();
            assertThat(lines.readLine()).isEqualTo("vt100");
            assertThat(lines.readLine()).isEqualTo("33 91");
            assertThat(lines.readLine()).isEqualTo("up");
            terminal.resize(new GuestTerminal.Size(120, 50));
            assertThat(lines.readLine()).isEqualTo("50 120");
            typed.write(3);
            typed.flush();
            talk.join();
            assertThat(status).hasValue(9);
        }
    }

    private static void streams(Machines machines) throws Exception {
        byte[] much = new byte[3_000_000];
        new Random(8).nextBytes(much);
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        try (ControlClient client = machines.connect("foobar")) {
            int status = client.exec(
                    "cat; echo oops >&2; exit 5", new ByteArrayInputStream(much), output, error, Duration.ofMinutes(1));
            assertThat(status).isEqualTo(5);
            assertThat(output.toByteArray()).isEqualTo(much);
            assertThat(error).hasToString("oops\n");
        }
        // Each line is there before the command has the next one.
        PipedOutputStream typed = new PipedOutputStream();
        PipedInputStream printed = new PipedInputStream();
        try (ControlClient client = machines.connect("foobar");
                BufferedReader lines = new BufferedReader(new InputStreamReader(printed))) {
            PipedInputStream input = new PipedInputStream(typed);
            PipedOutputStream answers = new PipedOutputStream(printed);
            Thread talk = Thread.ofPlatform()
                    .start(() -> client.exec(
                            "while read x; do echo \"<$x>\"; done", input, answers, answers, Duration.ofMinutes(1)));
            for (int i = 0; i < 3; i++) {
                typed.write((i + "\n").getBytes(StandardCharsets.US_ASCII));
                typed.flush();
                assertThat(lines.readLine()).isEqualTo("<" + i + ">");
            }
            typed.close();
            talk.join();
        }
        try (ControlClient client = machines.connect("foobar")) {
            assertThatThrownBy(() -> client.exec(
                            "sleep 60", InputStream.nullInputStream(), output, error, Duration.ofSeconds(1)))
                    .isInstanceOfSatisfying(
                            KagamiException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.COMMAND_TIMED_OUT));
        }
    }
}
