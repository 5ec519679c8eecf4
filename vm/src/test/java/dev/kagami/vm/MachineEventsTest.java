package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class MachineEventsTest {
    @Test
    void aRecordingHasStatesSnapshotsAndCounters(@TempDir Path directory) throws Exception {
        Path kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
        Path file = directory.resolve("recording.jfr");
        VirtualMachineConfig config = VirtualMachineConfig.of(
                c -> c.linux(new LinuxBoot(kernel, null, "")).memory(MemorySize.ofMebibytes(16)));
        try (Recording recording = new Recording()) {
            recording.enable("dev.kagami.StateChange");
            recording.enable("dev.kagami.Snapshot").withoutThreshold();
            recording.enable("dev.kagami.Statistics").withPeriod(Duration.ofMillis(10));
            recording.start();
            try (VirtualMachine machine = VirtualMachine.create(config)) {
                machine.start();
                while (machine.stats().instructions() == 0) {
                    Thread.sleep(5);
                }
                Thread.sleep(100);
                machine.save(directory.resolve("saved"));
            }
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(events.stream().filter(e -> e.getEventType().getName().equals("dev.kagami.StateChange")))
                .extracting(e -> e.getString("to"))
                .containsSubsequence("RUNNING", "PAUSED", "RUNNING", "STOPPED");
        assertThat(events.stream().filter(e -> e.getEventType().getName().equals("dev.kagami.Snapshot")))
                .extracting(e -> e.getString("operation"))
                .containsExactly("save");
        assertThat(events.stream().filter(e -> e.getEventType().getName().equals("dev.kagami.Statistics")))
                .anySatisfy(e -> assertThat(e.getLong("instructions")).isPositive());
    }

    @Test
    void metricsAreThoseOfTheMoment(@TempDir Path directory) throws Exception {
        Path kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
        VirtualMachineConfig config = VirtualMachineConfig.of(
                c -> c.linux(new LinuxBoot(kernel, null, "")).memory(MemorySize.ofMebibytes(16)));
        try (VirtualMachine machine = VirtualMachine.create(
                config, new Engines(List.of(FakeEngine.running((cpu, bus) -> ExitReason.INTERRUPTED))))) {
            assertThat(machine.metrics().state()).isEqualTo(VirtualMachine.State.CREATED);
            machine.start();
            VirtualMachineMetrics metrics = machine.metrics();
            assertThat(metrics.state()).isEqualTo(VirtualMachine.State.RUNNING);
            assertThat(metrics.memory()).isEqualTo(16 << 20);
            assertThat(metrics.exits()).containsOnlyKeys("port-read", "port-write", "mmio-read", "mmio-write", "halt");
        }
    }
}
