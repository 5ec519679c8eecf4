package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.ExitReason;
import dev.kagami.platform.device.AcpiPm;
import dev.kagami.vm.VirtualMachine.State;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class LifecycleTest {
    private static final int POWER_BUTTON = 0x100;

    @TempDir
    private Path directory;

    private Path kernel = Path.of("kernel");
    private final AtomicLong steps = new AtomicLong();
    private final AtomicInteger inside = new AtomicInteger();

    @BeforeEach
    void writeKernel() throws IOException {
        kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
    }

    private VirtualMachine machine(FakeEngine.Guest guest, Consumer<VirtualMachineConfig.Builder> more) {
        return VirtualMachine.create(
                VirtualMachineConfig.of(c -> {
                    c.linux(l -> l.kernel(kernel)).memory(MemorySize.ofMebibytes(16));
                    more.accept(c);
                }),
                new Engines(List.of(FakeEngine.running(guest))));
    }

    /** A guest that never stops doing something, as a CPU does between two kicks. */
    private ExitReason count(FakeEngine.FakeVcpu cpu) {
        inside.incrementAndGet();
        try {
            while (!cpu.kicked()) {
                steps.incrementAndGet();
            }
        } finally {
            inside.decrementAndGet();
        }
        return ExitReason.INTERRUPTED;
    }

    @Test
    void nothingRunsWhilePausedAndEverythingAfterwards() throws Exception {
        try (VirtualMachine machine = machine((cpu, bus) -> count(cpu), c -> c.cpus(4))) {
            machine.start();
            for (int i = 0; i < 50; i++) {
                long before = steps.get();
                while (steps.get() == before) {
                    Thread.onSpinWait();
                }
                machine.pause();
                assertThat(machine.state()).isEqualTo(State.PAUSED);
                assertThat(inside).hasValue(0);
                long paused = steps.get();
                Thread.sleep(1);
                assertThat(steps).hasValue(paused);
                machine.resume();
                assertThat(machine.state()).isEqualTo(State.RUNNING);
            }
        }
    }

    @Test
    void timeStandsStillWhilePaused() throws Exception {
        AtomicLong ticks = new AtomicLong();
        try (VirtualMachine machine = machine(
                (cpu, bus) -> {
                    ticks.set(bus.readPort(AcpiPm.PORT + AcpiPm.TIMER_OFFSET, 4) & 0xFFFF_FFFFL);
                    return ExitReason.INTERRUPTED;
                },
                c -> {})) {
            machine.start();
            while (ticks.get() == 0) {
                Thread.onSpinWait();
            }
            CountDownLatch again = new CountDownLatch(1);
            machine.addListener(event -> again.countDown());
            machine.pause();
            again.await();
            long before = ticks.get();
            Thread.sleep(1500);
            long resumed = System.nanoTime();
            machine.resume();
            while (ticks.get() == before) {
                Thread.onSpinWait();
            }
            long elapsed = System.nanoTime() - resumed;
            long guest = (ticks.get() - before) * 1_000_000_000L / AcpiPm.HERTZ;
            // However long the host makes us wait here, the pause doesn't count.
            assertThat(guest).isBetween(0L, elapsed + 1_000_000_000L);
        }
    }

    @Test
    void everyMisuseNamesTheStateAndTheOnesNeeded() throws Exception {
        Path file = directory.resolve("snapshot");
        Network.Forward forward = Network.Forward.tcp(0, 22);
        try (VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> {})) {
            refuses(machine::pause, "pause", State.CREATED, State.RUNNING);
            refuses(machine::resume, "resume", State.CREATED, State.PAUSED);
            refuses(machine::requestStop, "requestStop", State.CREATED, State.RUNNING);
            refuses(machine::reset, "reset", State.CREATED, State.RUNNING, State.PAUSED);
            refuses(machine::snapshot, "snapshot", State.CREATED, State.RUNNING, State.PAUSED);
            refuses(() -> machine.save(file), "save", State.CREATED, State.RUNNING, State.PAUSED);
            refuses(machine::stop, "stop", State.CREATED, State.RUNNING, State.PAUSED, State.STOPPED);
            refuses(machine::awaitShutdown, "awaitShutdown", State.CREATED, State.RUNNING, State.PAUSED, State.STOPPED);
            refuses(() -> machine.addForward(forward), "addForward", State.CREATED, State.RUNNING, State.PAUSED);
            refusesGuest(machine, State.CREATED);
            assertThat(List.of(machine.canStart(), machine.canPause(), machine.canResume(), machine.canStop()))
                    .containsExactly(true, false, false, false);
            machine.start();
            refuses(machine::start, "start", State.RUNNING, State.CREATED);
            refuses(machine::resume, "resume", State.RUNNING, State.PAUSED);
            machine.pause();
            refuses(machine::pause, "pause", State.PAUSED, State.RUNNING);
            refuses(machine::requestStop, "requestStop", State.PAUSED, State.RUNNING);
            refusesGuest(machine, State.PAUSED);
            assertThat(List.of(machine.canStart(), machine.canPause(), machine.canResume(), machine.canStop()))
                    .containsExactly(false, false, true, true);
            machine.stop();
            machine.awaitShutdown();
            refuses(machine::start, "start", State.STOPPED, State.CREATED);
            refuses(machine::pause, "pause", State.STOPPED, State.RUNNING);
            refuses(machine::resume, "resume", State.STOPPED, State.PAUSED);
            refuses(machine::reset, "reset", State.STOPPED, State.RUNNING, State.PAUSED);
            refuses(machine::requestStop, "requestStop", State.STOPPED, State.RUNNING);
            refuses(machine::snapshot, "snapshot", State.STOPPED, State.RUNNING, State.PAUSED);
            refuses(() -> machine.save(file), "save", State.STOPPED, State.RUNNING, State.PAUSED);
            refuses(() -> machine.addForward(forward), "addForward", State.STOPPED, State.RUNNING, State.PAUSED);
            refusesGuest(machine, State.STOPPED);
            assertThat(file).doesNotExist();
        }
    }

    @Test
    void aClosedMachineIsAStoppedOneWhetherItWasStartedOrNot() {
        for (boolean started : List.of(true, false)) {
            VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> {});
            if (started) {
                machine.start();
            }
            machine.close();
            machine.close();
            refuses(machine::start, "start", State.STOPPED, State.CREATED);
            refuses(machine::pause, "pause", State.STOPPED, State.RUNNING);
            refusesGuest(machine, State.STOPPED);
        }
    }

    /** What takes a guest that runs. */
    private static void refusesGuest(VirtualMachine machine, State actual) {
        refuses(() -> machine.exec("true"), "exec", actual, State.RUNNING);
        refuses(() -> machine.spawn("true", o -> {}), "spawn", actual, State.RUNNING);
        refuses(() -> machine.copyTo(Path.of("a"), "/a"), "copyTo", actual, State.RUNNING);
        refuses(() -> machine.copyFrom("/a", Path.of("a")), "copyFrom", actual, State.RUNNING);
        refuses(() -> machine.console().type("a"), "type", actual, State.RUNNING);
    }

    private static void refuses(ThrowingCallable call, String operation, State actual, State... required) {
        assertThatThrownBy(call).isInstanceOfSatisfying(MachineStateException.class, refused -> {
            assertThat(refused).hasMessageContaining(operation).hasMessageContaining(actual.name());
            for (State state : required) {
                assertThat(refused).hasMessageContaining(state.name());
            }
            assertThat(refused.actual()).isEqualTo(actual);
            assertThat(refused.required()).containsExactlyInAnyOrder(required);
        });
    }

    @Test
    void aPausedMachineCanBeStoppedAndClosed() throws Exception {
        try (VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> c.cpus(2))) {
            machine.start();
            machine.pause();
            machine.stop();
            assertThat(machine.awaitShutdown()).isEqualTo(new Outcome.Stopped());
        }
    }

    @Test
    void resetStartsOverWhateverThePolicy() throws Exception {
        AtomicInteger lives = new AtomicInteger();
        try (VirtualMachine machine = machine(
                (cpu, bus) -> {
                    lives.incrementAndGet();
                    return cpu.spin();
                },
                c -> c.onReset(ResetPolicy.STOP))) {
            machine.start();
            machine.pause();
            machine.reset();
            assertThat(machine.awaitState(State.RUNNING, Duration.ofSeconds(30)))
                    .isTrue();
            while (machine.stats().resets() == 0) {
                Thread.onSpinWait();
            }
            machine.pause();
            assertThat(machine.stats().resets()).isEqualTo(1);
        }
    }

    @Test
    void eventsComeInOrderAndEndWithTheOutcome() throws Exception {
        List<VirtualMachineEvent> heard = new java.util.concurrent.CopyOnWriteArrayList<>();
        CountDownLatch ended = new CountDownLatch(1);
        try (VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> {})) {
            machine.addListener(event -> {
                heard.add(event);
                if (event instanceof VirtualMachineEvent.Ended) {
                    ended.countDown();
                }
            });
            machine.start();
            machine.pause();
            machine.resume();
        }
        ended.await();
        assertThat(heard)
                .containsExactly(
                        new VirtualMachineEvent.StateChanged(State.CREATED, State.RUNNING),
                        new VirtualMachineEvent.StateChanged(State.RUNNING, State.PAUSED),
                        new VirtualMachineEvent.StateChanged(State.PAUSED, State.RUNNING),
                        new VirtualMachineEvent.StateChanged(State.RUNNING, State.STOPPED),
                        new VirtualMachineEvent.Ended(new Outcome.Stopped()));
    }

    @Test
    void requestStopPressesThePowerButton() throws Exception {
        CountDownLatch pressed = new CountDownLatch(1);
        try (VirtualMachine machine = machine(
                (cpu, bus) -> {
                    if ((bus.readPort(AcpiPm.PORT, 2) & POWER_BUTTON) != 0) {
                        pressed.countDown();
                    }
                    return ExitReason.INTERRUPTED;
                },
                c -> {})) {
            machine.start();
            machine.requestStop();
            assertThat(pressed.await(30, java.util.concurrent.TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void awaitStateTellsWhenAStateIsReachedOrNeverWillBe() throws Exception {
        try (VirtualMachine machine = machine((cpu, bus) -> cpu.spin(), c -> {})) {
            assertThat(machine.awaitState(State.RUNNING, Duration.ofMillis(1))).isFalse();
            machine.start();
            assertThat(machine.awaitState(State.RUNNING, Duration.ZERO)).isTrue();
            machine.stop();
            assertThat(machine.awaitState(State.STOPPED, Duration.ofDays(400_000)))
                    .isTrue();
            assertThat(machine.awaitState(State.RUNNING, Duration.ofDays(1))).isFalse();
        }
    }
}
