package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Outcome.Reason;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Small kernels, well-behaved and not, on every engine that can run here. */
@Timeout(60)
final class BareMetalTest {
    static final Iterable<String> ENGINES = VirtualMachine.engines().stream()
            .filter(EngineInfo::available)
            .map(EngineInfo::name)
            .toList();

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

    @TempDir
    private Path directory;

    private VirtualMachine machine(String engine, String... code) throws IOException {
        Path kernel = TestKernel.write(directory.resolve("kernel"), String.join("", code));
        return VirtualMachine.create(c -> c.linux(l -> l.kernel(kernel))
                .engine(engine)
                .memory(MemorySize.ofMebibytes(16))
                .debugExit(0xF4)
                .testDevice(true)
                .onReset(ResetPolicy.STOP)
                .serial(s -> s.output(printed)));
    }

    private Outcome outcomeOf(String engine, String... code) throws Exception {
        try (VirtualMachine machine = machine(engine, code)) {
            machine.start();
            return machine.awaitShutdown();
        }
    }

    private static Reason crash(Outcome outcome) {
        assertThat(outcome).isInstanceOf(Outcome.Crashed.class);
        return ((Outcome.Crashed) outcome).reason();
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void printsAndPowersOff(String engine) throws Exception {
        assertThat(outcomeOf(engine, TestKernel.PRINT_OK, TestKernel.POWER_OFF)).isEqualTo(new Outcome.PoweredOff());
        assertThat(printed.toString(StandardCharsets.US_ASCII)).isEqualTo("ok\n");
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void resets(String engine) throws Exception {
        assertThat(outcomeOf(engine, TestKernel.RESET)).isEqualTo(new Outcome.Reset());
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void exitsThroughTheDebugPort(String engine) throws Exception {
        assertThat(outcomeOf(engine, TestKernel.DEBUG_EXIT)).isEqualTo(new Outcome.DebugExit(0x21));
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void aTripleFaultEndsTheMachine(String engine) throws Exception {
        assertThat(crash(outcomeOf(engine, TestKernel.TRIPLE_FAULT))).isEqualTo(Reason.TRIPLE_FAULT);
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void aJumpToNothingEndsTheMachine(String engine) throws Exception {
        assertThat(crash(outcomeOf(engine, TestKernel.JUMP_TO_NOTHING))).isEqualTo(Reason.TRIPLE_FAULT);
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void aHaltThatNothingCanEndEndsTheMachine(String engine) throws Exception {
        assertThat(crash(outcomeOf(engine, TestKernel.HALT_FOR_GOOD))).isEqualTo(Reason.HALTED);
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void aGuestThatSpinsWithInterruptsOffCanBeStopped(String engine) throws Exception {
        try (VirtualMachine machine = machine(engine, TestKernel.SPIN)) {
            machine.start();
            assertThat(machine.awaitShutdown(Duration.ofMillis(200))).isEmpty();
            machine.stop();
            assertThat(machine.awaitShutdown(Duration.ofSeconds(10))).contains(new Outcome.Stopped());
            assertThat(machine.stats().instructions()).isPositive();
        }
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void writingToEveryPortEndsInAnOrderlyWay(String engine) throws Exception {
        // Somewhere on the way are a reset, the debug exit and the power button; which comes first is not the point.
        assertThat(outcomeOf(engine, TestKernel.WRITE_EVERY_PORT)).isNotInstanceOf(Outcome.Crashed.class);
    }

    @ParameterizedTest
    @FieldSource("ENGINES")
    void writingToEveryMmioPageLeavesTheMachineStoppable(String engine) throws Exception {
        try (VirtualMachine machine = machine(engine, TestKernel.WRITE_EVERY_MMIO_PAGE)) {
            machine.start();
            assertThat(machine.awaitShutdown(Duration.ofSeconds(1)).stream())
                    .noneMatch(outcome -> outcome instanceof Outcome.Crashed);
            machine.stop();
            assertThat(machine.awaitShutdown(Duration.ofSeconds(10))).isPresent();
        }
    }

    @Test
    void everyInstallationHasAnEngineThatRunsHere() {
        assertThat(Stream.of(ENGINES)).isNotEmpty();
        assertThat(ENGINES).contains("interpreter");
    }
}
