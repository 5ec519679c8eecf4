package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Outcome;
import dev.kagami.vm.SaveOption;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachineConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Stock Linux guests that are saved and go on elsewhere. */
@Timeout(600)
final class SnapshotTest {
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    @TempDir
    private Path directory;

    @Test
    void aBootedGuestGoesOnFromAFileAsOftenAsAskedFor() throws Exception {
        Consumer<VirtualMachineConfig.Builder> description =
                c -> c.linux(Guests.cloud()).cpus(2);
        Path plain = directory.resolve("plain.snapshot");
        Path small = directory.resolve("small.snapshot");
        try (SerialSession session = SerialSession.start(description)) {
            session.await(SerialSession.PROMPT, PATIENCE);
            session.run("echo kept > /root/file; sleep 1000 &");
            session.machine().save(plain);
            assertThat(session.run("echo $((6 * 7))")).contains("42");
            session.machine().save(small, SaveOption.COMPRESS);
            double before = uptime(session);
            session.machine().pause();
            Thread.sleep(3000);
            session.machine().resume();
            // Nothing passes for the guest while it is paused, however busy the host is otherwise.
            assertThat(uptime(session) - before).isLessThan(60);
        }
        for (Path file : new Path[] {plain, small, plain}) {
            try (Snapshot snapshot = Snapshot.open(file);
                    SerialSession session = SerialSession.resume(snapshot, description)) {
                assertThat(session.run("cat /root/file; jobs")).contains("kept").contains("sleep 1000");
                assertThat(session.run("nproc")).contains("2");
                assertThat(seconds(session.run("time -p sleep 0.2 2>&1"))).isBetween(0.19, 10.0);
                // A clock that was read late, because the host was busy, is given up as well; that is not the clock's
                // fault.
                assertThat(session.run("dmesg | grep -E 'BUG:|Oops|stall|lockup|skew is too large'"))
                        .isEmpty();
                session.line("poweroff -f");
                assertThat(session.awaitOutcome(PATIENCE)).isEqualTo(new Outcome.PoweredOff());
            }
        }
    }

    /** {@return what {@code time -p} says of real time} */
    private static double seconds(String output) {
        return Double.parseDouble(output.lines()
                .filter(line -> line.startsWith("real "))
                .findFirst()
                .orElseThrow()
                .substring("real ".length()));
    }

    private static double uptime(SerialSession session) throws InterruptedException {
        return Double.parseDouble(session.run("cut -d' ' -f1 /proc/uptime").strip());
    }
}
