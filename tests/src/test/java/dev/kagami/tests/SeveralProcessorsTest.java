package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stock kernels on machines with several CPUs. */
@Timeout(300)
final class SeveralProcessorsTest {
    private static final Duration BOOT = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(30);

    @ParameterizedTest(name = "{0} CPUs")
    @ValueSource(ints = {2, 4})
    void everyCpuIsStartedAndTakesPart(int count) throws Exception {
        LinuxBoot boot = StockKernelTest.quick(Guests.cloud());
        try (SerialSession guest =
                SerialSession.start(c -> c.linux(boot).cpus(count).memory(MemorySize.ofMebibytes(256)))) {
            guest.await(SerialSession.PROMPT, BOOT);
            assertThat(guest.run("grep -c ^processor /proc/cpuinfo").strip()).isEqualTo(String.valueOf(count));
            for (int i = 0; i < count; i++) {
                assertThat(guest.run("taskset %x sh -c 'seq 1 2000 | sha256sum'".formatted(1 << i)))
                        .as("on CPU %d", i)
                        .contains("6251e5743b6fd6a7d606130bdf7c15077ce85ebd3a0fdee284d15a46df199e38");
            }
            String all = guest.run("for i in 1 2 3 4 5 6 7 8; do seq 1 3000 | sha256sum & done; wait; echo");
            assertThat(all.lines()
                            .filter(line ->
                                    line.contains("2e57c67a8bbe706a08d6638ec67da02b67b3743ae7d35948cbcf8d1f45cae0a5")))
                    .as("eight at a time: %s", all)
                    .hasSize(8);
            KernelLog.assertHealthy(guest.run("dmesg"));
            guest.line("poweroff");
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }
}
