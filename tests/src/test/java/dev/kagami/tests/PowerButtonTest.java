package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The default guest shuts down when it is asked to. */
@Timeout(300)
final class PowerButtonTest {
    private static final Duration SOON = Duration.ofMinutes(2);

    @Test
    void aPressEndsWhateverTheGuestDoes() throws Exception {
        try (SerialSession guest = SerialSession.start(
                c -> c.linux(StockKernelTest.quick(Guests.cloud())).memory(MemorySize.ofMebibytes(256)))) {
            guest.await(SerialSession.PROMPT, SOON);
            guest.line("sleep 1000");
            guest.machine().requestStop();
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }

    @Test
    void kagamiStopEndsAGuestThatIsStillStarting(@TempDir Path directory) throws Exception {
        Guests.cloud();
        assertThat(kagami(directory, "run", "-d", "--name", "early")).isEqualTo("early\n");
        assertThat(kagami(directory, "stop", "early")).isEmpty();
        assertThat(kagami(directory, "ps", "-q")).isEmpty();
    }

    private static String kagami(Path directory, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("env"));
        for (String variable : List.of("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")) {
            command.add(variable + "=" + directory.resolve(variable));
        }
        command.addAll(ChildGuest.program());
        command.addAll(List.of(arguments));
        return HostCommand.run(SOON, command).orFail();
    }
}
