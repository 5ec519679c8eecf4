package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.ExitReason;
import dev.kagami.platform.device.AcpiPm;
import dev.kagami.platform.device.PanicPort;
import dev.kagami.platform.device.ResetPorts;
import dev.kagami.platform.device.Uart16550;
import dev.kagami.vm.Outcome.Reason;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class VirtualMachineTest {
    private static final int DEBUG_EXIT = 0xF4;
    private static final int LSR_DATA_READY = 1;

    @TempDir
    private Path directory;

    private Path kernel = Path.of("kernel");

    @BeforeEach
    void writeKernel() throws IOException {
        // The smallest multiboot 1 kernel: a header with addresses, and a place to enter (specification 0.6.96, 3.1).
        int load = 0x10_0000;
        int magic = 0x1BAD_B002;
        int flags = 1 << 16;
        ByteBuffer image = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(magic).putInt(flags).putInt(-(magic + flags));
        image.putInt(load).putInt(load).putInt(load + 64).putInt(load + 64).putInt(load + 32);
        kernel = Files.write(directory.resolve("kernel"), image.array());
    }

    private VirtualMachine machine(FakeEngine.Guest guest, Consumer<VirtualMachineConfig.Builder> more) {
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> {
            c.linux(l -> l.kernel(kernel)).memory(MemorySize.ofMebibytes(16)).debugExit(DEBUG_EXIT);
            more.accept(c);
        });
        return VirtualMachine.create(config, new Engines(List.of(FakeEngine.running(guest))));
    }

    private Outcome outcomeOf(FakeEngine.Guest guest, Consumer<VirtualMachineConfig.Builder> more)
            throws InterruptedException {
        try (VirtualMachine machine = machine(guest, more)) {
            machine.start();
            return machine.awaitShutdown();
        }
    }

    private static ExitReason powerOff(Bus bus) {
        int sleepEnable = 1 << 13;
        bus.writePort(AcpiPm.PORT + AcpiPm.CONTROL_OFFSET, 2, AcpiPm.SLEEP_TYPE_S5 << 10 | sleepEnable);
        return ExitReason.INTERRUPTED;
    }

    private static ExitReason reset(Bus bus) {
        bus.writePort(ResetPorts.RESET_PORT, 1, ResetPorts.RESET_VALUE);
        return ExitReason.INTERRUPTED;
    }

    @Test
    void powerOffIsAnOutcome() throws Exception {
        assertThat(outcomeOf((cpu, bus) -> powerOff(bus), c -> {})).isEqualTo(new Outcome.PoweredOff());
    }

    @Test
    void debugExitCarriesItsStatus() throws Exception {
        Outcome outcome = outcomeOf(
                (cpu, bus) -> {
                    bus.writePort(DEBUG_EXIT, 4, 0x10);
                    return ExitReason.INTERRUPTED;
                },
                c -> {});
        assertThat(outcome).isEqualTo(new Outcome.DebugExit(0x21));
    }

    @Test
    void tripleFaultIsACrashWithItsDetail() throws Exception {
        assertThat(outcomeOf((cpu, bus) -> ExitReason.SHUTDOWN, c -> {}))
                .isEqualTo(new Outcome.Crashed(Reason.TRIPLE_FAULT, "detail of CPU 0"));
    }

    @Test
    void anInternalErrorIsACrashWithItsDetail() throws Exception {
        assertThat(outcomeOf((cpu, bus) -> ExitReason.INTERNAL_ERROR, c -> {}))
                .isEqualTo(new Outcome.Crashed(Reason.ENGINE_ERROR, "detail of CPU 0"));
    }

    @Test
    void aPanicIsACrashWithTheGuestsLastWords() throws Exception {
        Outcome outcome = outcomeOf(
                (cpu, bus) -> {
                    for (byte letter :
                            "[ 1.0] Kernel panic - not syncing: no init\n".getBytes(StandardCharsets.US_ASCII)) {
                        bus.writePort(Uart16550.COM1_PORT, 1, letter);
                    }
                    bus.writePort(PanicPort.PORT, 1, bus.readPort(PanicPort.PORT, 1));
                    return ExitReason.INTERRUPTED;
                },
                c -> {});
        assertThat(outcome).isEqualTo(new Outcome.Crashed(Reason.GUEST_PANIC, "Kernel panic - not syncing: no init"));
    }

    @Test
    void anExceptionOfTheEngineIsACrashAndNothingElse() throws Exception {
        Outcome outcome = outcomeOf(
                (cpu, bus) -> {
                    throw new ArrayIndexOutOfBoundsException("index 7");
                },
                c -> {});
        assertThat(outcome).isInstanceOfSatisfying(Outcome.Crashed.class, crash -> {
            assertThat(crash.reason()).isEqualTo(Reason.ENGINE_ERROR);
            assertThat(crash.detail()).contains("index 7").contains("VirtualMachineTest");
        });
    }

    @Test
    void aMachineIsHaltedWhenItsLastCpuIs() throws Exception {
        AtomicInteger halted = new AtomicInteger();
        Outcome outcome = outcomeOf(
                (cpu, bus) -> {
                    halted.incrementAndGet();
                    return ExitReason.HALTED;
                },
                c -> c.cpus(3));
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        Outcome.Crashed.class,
                        crash -> assertThat(crash.reason()).isEqualTo(Reason.HALTED));
        assertThat(halted).hasValue(3);
    }

    @Test
    void resetStartsOverFromTheBootLoader() throws Exception {
        AtomicInteger lives = new AtomicInteger();
        try (VirtualMachine machine = machine(
                (cpu, bus) -> {
                    assertThat(cpu.state().rip()).isEqualTo(0x10_0020);
                    return lives.incrementAndGet() < 3 ? reset(bus) : powerOff(bus);
                },
                c -> {})) {
            machine.start();
            assertThat(machine.awaitShutdown()).isEqualTo(new Outcome.PoweredOff());
            assertThat(machine.stats().resets()).isEqualTo(2);
            assertThat(machine.stats().instructions()).isEqualTo(3000);
        }
    }

    @Test
    void resetIsTheEndWhenAskedFor() throws Exception {
        assertThat(outcomeOf((cpu, bus) -> reset(bus), c -> c.onReset(ResetPolicy.STOP)))
                .isEqualTo(new Outcome.Reset());
    }

    @Test
    void stopEndsAGuestThatSpins() throws Exception {
        try (VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> c.cpus(2))) {
            machine.start();
            assertThat(machine.awaitShutdown(Duration.ofMillis(20))).isEmpty();
            machine.stop();
            assertThat(machine.awaitShutdown()).isEqualTo(new Outcome.Stopped());
            assertThat(machine.state()).isEqualTo(VirtualMachine.State.STOPPED);
        }
    }

    @Test
    void closeStopsAGuestThatRebootsForEver() throws Exception {
        VirtualMachine machine = machine((cpu, bus) -> reset(bus), c -> {});
        machine.start();
        machine.close();
        machine.close();
        assertThat(machine.awaitShutdown()).isInstanceOfAny(Outcome.Stopped.class, Outcome.Reset.class);
    }

    @Test
    void carriesTheSerialPortBothWays() throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        Outcome outcome = outcomeOf(
                (cpu, bus) -> {
                    for (int i = 0; i < 5; ) {
                        if ((bus.readPort(Uart16550.COM1_PORT + 5, 1) & LSR_DATA_READY) != 0) {
                            bus.writePort(Uart16550.COM1_PORT, 1, bus.readPort(Uart16550.COM1_PORT, 1) + 1);
                            i++;
                        }
                    }
                    return powerOff(bus);
                },
                c -> c.serial(s -> s.input(new ByteArrayInputStream("HAL 9".getBytes(StandardCharsets.US_ASCII)))
                        .output(printed)));
        assertThat(outcome).isEqualTo(new Outcome.PoweredOff());
        assertThat(printed.toString(StandardCharsets.US_ASCII)).isEqualTo("IBM!:");
    }

    @Test
    void refusesAKernelThatIsNoneAndCannotBeUsedAfterwards() throws Exception {
        Files.writeString(kernel, "not a kernel");
        try (VirtualMachine machine = machine((cpu, bus) -> powerOff(bus), c -> {})) {
            Refusals.refused(ErrorCode.KERNEL_UNUSABLE, machine::start, kernel);
            assertThatThrownBy(machine::start)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("CREATED")
                    .hasMessageContaining("STOPPED");
        }
    }

    @Test
    void aKernelThatIsGoneAtAResetIsACrash() throws Exception {
        Outcome outcome = outcomeOf(
                (cpu, bus) -> {
                    try {
                        Files.delete(kernel);
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                    return reset(bus);
                },
                c -> {});
        assertThat(outcome).isInstanceOfSatisfying(Outcome.Crashed.class, crash -> {
            assertThat(crash.reason()).isEqualTo(Reason.RESTART_FAILED);
            assertThat(crash.detail()).contains(kernel.toString());
        });
    }

    @Test
    void misuseNamesBothStates() throws Exception {
        try (VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> {})) {
            assertThatThrownBy(machine::stop)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("RUNNING")
                    .hasMessageContaining("CREATED");
            assertThatThrownBy(machine::awaitShutdown).isInstanceOf(IllegalStateException.class);
            machine.start();
            assertThatThrownBy(machine::start)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("CREATED")
                    .hasMessageContaining("RUNNING");
        }
    }

    @Test
    void leavesNoThreadBehind() throws Exception {
        Set<Thread> before = threads();
        for (int i = 0; i < 5; i++) {
            outcomeOf((cpu, bus) -> powerOff(bus), c -> c.cpus(4));
        }
        Set<Thread> after = threads();
        after.removeAll(before);
        for (Thread thread : after) {
            // The input's thread and the one that published the outcome end on their own, just after.
            thread.join(Duration.ofSeconds(10));
        }
        assertThat(after).noneMatch(Thread::isAlive);
    }

    private static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("kagami-"))
                .collect(Collectors.toSet());
    }
}
