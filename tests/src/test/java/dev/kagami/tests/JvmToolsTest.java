package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.Outcome;
import java.time.Duration;
import jdk.jfr.Configuration;
import jdk.jfr.Recording;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Looks at the JVM with its own tools while a guest runs: it neither dies nor disturbs the guest. */
@Timeout(300)
final class JvmToolsTest {
    private static final Duration LIMIT = Duration.ofSeconds(240);

    @Test
    void aGuestBootsUnderCollectionsStackDumpsAndAProfiler() throws Exception {
        LinuxBoot boot = StockKernelTest.quick(Guests.tiny());
        try (Recording recording = new Recording(Configuration.getConfiguration("profile"));
                SerialSession guest = SerialSession.start(c -> c.linux(boot).cpus(2))) {
            recording.enable("jdk.ExecutionSample").withPeriod(Duration.ofMillis(1));
            recording.enable("jdk.NativeMethodSample").withPeriod(Duration.ofMillis(1));
            recording.start();
            long deadline = System.nanoTime() + LIMIT.toNanos();
            int rounds = 0;
            while (guest.isRunning() && System.nanoTime() < deadline) {
                System.gc();
                assertThat(Thread.getAllStackTraces()).isNotEmpty();
                Thread.sleep(10);
                rounds++;
            }
            assertThat(guest.awaitOutcome(Duration.ofSeconds(10))).isEqualTo(new Outcome.PoweredOff());
            assertThat(rounds).isGreaterThan(10);
            KernelLog.assertHealthy(guest.output());
        }
    }
}
