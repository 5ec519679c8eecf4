package dev.kagami.tests;

import dev.kagami.boot.BootLoader;
import dev.kagami.boot.BootSource;
import dev.kagami.boot.LoadedKernel;
import dev.kagami.cpu.Availability;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.TimerThread;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import dev.kagami.platform.MachineEvent;
import dev.kagami.platform.PcConfig;
import dev.kagami.platform.PcMachine;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Comparator;
import java.util.Objects;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** A PC with one CPU, put together by hand: for boot protocols and CPU states that the public API doesn't offer. */
final class BareMachine implements AutoCloseable {
    /**
     * How a run ended.
     *
     * @param exit why the CPU stopped
     * @param event what the guest did to the machine, if anything
     * @param detail the engine's words
     */
    record End(ExitReason exit, @Nullable MachineEvent event, String detail) {}

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final TimerThread timers = new TimerThread();
    private final GuestMemory memory;
    private final PcMachine machine;
    private final Processors processors;
    private final Vcpu cpu;

    BareMachine(long memorySize) {
        memory = GuestMemory.allocate(memorySize);
        machine = new PcMachine(
                PcConfig.of(1, printed).withDebugExit(0xF4).withTestDevice(true), memory, timers, event -> {});
        processors = engine().createProcessors(new ProcessorConfig(1, null), memory, machine.bus(), timers);
        machine.connect(processors);
        cpu = processors.vcpus().getFirst();
    }

    private static Engine engine() {
        return ServiceLoader.load(Engine.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(engine -> SerialSession.ENGINE.equals("auto")
                        ? engine.availability() instanceof Availability.Available
                        : engine.name().equals(SerialSession.ENGINE))
                .max(Comparator.comparingInt(Engine::priority))
                .orElseThrow();
    }

    GuestMemory memory() {
        return memory;
    }

    X86State state() {
        return cpu.state();
    }

    void setState(X86State state) {
        cpu.setState(state);
    }

    /** Loads a kernel, which the next {@link #run} starts. */
    LoadedKernel load(BootSource source) {
        LoadedKernel kernel = BootLoader.load(memory, machine.memoryMap(), machine.writeTables(), source);
        cpu.setState(kernel.initialState(cpu.state()));
        return kernel;
    }

    /**
     * Runs to the machine's end.
     *
     * @param limit when to take the CPU away from the guest
     * @return how it ended; {@link ExitReason#INTERRUPTED} without an event when the time was up
     */
    End run(Duration limit) throws InterruptedException {
        End[] end = new End[1];
        Thread thread = Thread.ofPlatform().name("bare-cpu").start(() -> {
            while (true) {
                ExitReason exit = cpu.run();
                end[0] = new End(exit, machine.takeEvent(), cpu.exitDetail());
                if (exit != ExitReason.INTERRUPTED
                        || end[0].event != null
                        || Thread.currentThread().isInterrupted()) {
                    return;
                }
            }
        });
        thread.join(limit);
        thread.interrupt();
        cpu.kick();
        if (!thread.join(Duration.ofSeconds(10))) {
            throw new AssertionError("the CPU doesn't stop when it is told to");
        }
        return Objects.requireNonNull(end[0], "the CPU's thread died");
    }

    /** {@return what the guest has printed on the serial port} */
    String output() {
        machine.uart().drain();
        return printed.toString(StandardCharsets.ISO_8859_1);
    }

    @Override
    public void close() {
        machine.close();
        processors.close();
        timers.close();
        memory.close();
    }
}
