package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.control.CommandResult;
import dev.kagami.control.ControlClient;
import dev.kagami.control.ControlServer;
import dev.kagami.control.Machines;
import dev.kagami.control.SharedConsole;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.VirtualMachine;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
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
            }
        }
    }
}
