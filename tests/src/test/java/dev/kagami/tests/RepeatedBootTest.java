package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.Outcome;
import java.time.Duration;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Boots that all end the same; {@code -Dkagami.boots=N} makes more of them, {@code -Dkagami.cpus=N} gives them CPUs. */
@Timeout(3600)
final class RepeatedBootTest {
    private static final int BOOTS = Integer.getInteger("kagami.boots", 3);
    private static final int CPUS = Integer.getInteger("kagami.cpus", 1);
    private static final Pattern UP = Pattern.compile("tiny boot is up");

    @Test
    void everyBootEndsTheSame() throws Exception {
        LinuxBoot boot = Guests.tiny();
        for (int i = 1; i <= BOOTS; i++) {
            try (SerialSession guest = SerialSession.start(c -> c.linux(boot).cpus(CPUS))) {
                assertThat(guest.awaitOutcome(Duration.ofSeconds(240)))
                        .as("boot %d", i)
                        .isEqualTo(new Outcome.PoweredOff());
                assertThat(UP.matcher(guest.output()).results())
                        .as("boot %d", i)
                        .hasSize(1);
                KernelLog.assertHealthy(guest.output());
            }
        }
    }
}
