package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.EngineInfo;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.VirtualMachine;
import java.time.Duration;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Boots with rare events forced to happen often in translated code: a guest must not see a difference. */
@Timeout(300)
final class ParanoidBootTest {
    private static final String ENGINE = "native:paranoid";

    @ParameterizedTest(name = "{0} CPUs")
    @ValueSource(ints = {1, 2})
    void aDisturbedBootIsAnOrdinaryBoot(int count) throws Exception {
        EngineInfo engine = VirtualMachine.engines().stream()
                .filter(info -> info.name().equals(ENGINE))
                .findFirst()
                .orElseThrow();
        Assumptions.assumeTrue(engine.available(), engine.reason());
        LinuxBoot boot = StockKernelTest.quick(Guests.tiny());
        try (SerialSession guest =
                SerialSession.start(c -> c.engine(ENGINE).linux(boot).cpus(count))) {
            assertThat(guest.awaitOutcome(Duration.ofSeconds(240))).isEqualTo(new Outcome.PoweredOff());
            assertThat(guest.output()).contains("tiny boot is up");
            KernelLog.assertHealthy(guest.output());
        }
    }
}
