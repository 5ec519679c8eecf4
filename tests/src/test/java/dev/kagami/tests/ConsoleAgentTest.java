package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.AgentChannel;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands over console ports, for guests without vsock; and what the Flight Recorder gets of a guest's drivers meanwhile. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class ConsoleAgentTest {
    private static final String KICK = "dev.kagami.VirtqueueKick";
    private static final String TRANSLATION = "dev.kagami.Translation";

    @Test
    void commandsRunOverConsolePortsAlsoInCopies(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("recording.jfr");
        boolean translates;
        try (Recording recording = new Recording();
                VirtualMachine machine = VirtualMachine.create(c -> c.linux(StockKernelTest.quick(Guests.cloud()))
                        .engine(SerialSession.ENGINE)
                        .agent(AgentChannel.CONSOLE))) {
            recording.enable(KICK);
            recording.enable(TRANSLATION).withoutThreshold();
            recording.start();
            machine.start();
            translates = machine.engine().startsWith("native");
            assertThat(machine.exec("echo 42; ls /sys/class/vsock 2>/dev/null").stdout())
                    .isEqualTo("42\n");
            // More than there are ports.
            List<Callable<String>> commands = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                String number = String.valueOf(i);
                commands.add(() -> machine.exec("sleep 0.1; echo " + number, o -> o.timeout(Duration.ofMinutes(1)))
                        .stdout()
                        .strip());
            }
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                List<String> answers = new ArrayList<>();
                for (Future<String> answer : threads.invokeAll(commands)) {
                    answers.add(answer.get());
                }
                assertThat(answers).containsExactly("0", "1", "2", "3", "4", "5", "6", "7");
            }
            try (Snapshot snapshot = machine.snapshot();
                    VirtualMachine copy = snapshot.branch()) {
                copy.resume();
                assertThat(copy.exec("echo copied", o -> o.timeout(Duration.ofMinutes(1)))
                                .stdout())
                        .isEqualTo("copied\n");
            }
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(events.stream()
                        .filter(e -> e.getEventType().getName().equals(KICK))
                        .map(e -> e.getString("device"))
                        .collect(Collectors.toSet()))
                .isNotEmpty()
                .doesNotContain("");
        assertThat(events.stream().anyMatch(e -> e.getEventType().getName().equals(TRANSLATION)))
                .isEqualTo(translates);
    }
}
