package dev.kagami.cpu.x86.interpreter;

import dev.kagami.boot.BootLoader;
import dev.kagami.boot.BootSource;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.memory.GuestMemory;
import dev.kagami.platform.MachineEvent;
import dev.kagami.platform.PcConfig;
import dev.kagami.platform.PcMachine;
import dev.kagami.platform.acpi.AcpiTables;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A PC with one CPU in which nothing depends on the host: its time is the number of instructions run, a nanosecond each, and
 * goes on, and timers expire, only when it is told so: in between, engines differ in when they count what they have run.
 */
final class LockstepPc implements AutoCloseable {
    final GuestMemory memory;
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final CountingTimers timers = new CountingTimers();
    private final PcMachine machine;
    private final InterpreterProcessors processors;
    final Cpu cpu;
    final InterpreterVcpu vcpu;

    LockstepPc(long size, BootSource source, Function<Cpu, Vcpu> drive) {
        memory = GuestMemory.allocate(size);
        InstantSource clock = () -> Instant.EPOCH;
        PcConfig config = new PcConfig(1, printed, clock, true, OptionalInt.empty(), false);
        machine = new PcMachine(config, memory, timers, event -> {});
        processors = new InterpreterProcessors(
                new ProcessorConfig(1, CpuModel.MAX, null), memory, machine.bus(), timers, drive);
        machine.connect(processors);
        cpu = processors.cpu(0);
        vcpu = (InterpreterVcpu) processors.vcpus().getFirst();
        vcpu.setState(BootLoader.load(memory, machine.memoryMap(), machine.writeTables(), source)
                .initialState(vcpu.state()));
        // Each machine has a generation ID of its own.
        memory.write(AcpiTables.GENERATION_ADDRESS, new byte[16]);
    }

    /** Lets the time go on up to now, and runs the timers that have expired. */
    void tick() {
        timers.tick(cpu.retired);
    }

    /** {@return what the guest has done to the machine, if anything} */
    @Nullable
    MachineEvent takeEvent() {
        return machine.takeEvent();
    }

    /** {@return what the guest has printed} */
    String output() {
        machine.uart().drain();
        return printed.toString(StandardCharsets.ISO_8859_1);
    }

    @Override
    public void close() {
        machine.close();
        processors.close();
        memory.close();
    }

    private static final class CountingTimers implements Timers {
        private long now;
        private final List<CountingTimer> all = new ArrayList<>();

        @Override
        public long nanoTime() {
            return now;
        }

        void tick(long time) {
            now = time;
            for (CountingTimer timer : all) {
                if (timer.armed && timer.deadline - now <= 0) {
                    timer.armed = false;
                    timer.action.run();
                }
            }
        }

        @Override
        public Timer create(Runnable action) {
            CountingTimer timer = new CountingTimer(action);
            all.add(timer);
            return timer;
        }
    }

    private static final class CountingTimer implements Timers.Timer {
        private final Runnable action;
        private long deadline;
        private boolean armed;

        CountingTimer(Runnable action) {
            this.action = action;
        }

        @Override
        public void arm(long newDeadline) {
            deadline = newDeadline;
            armed = true;
        }

        @Override
        public void disarm() {
            armed = false;
        }
    }
}
