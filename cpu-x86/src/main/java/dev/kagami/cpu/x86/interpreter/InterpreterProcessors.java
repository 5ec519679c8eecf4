package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.memory.GuestMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The CPUs of one machine and the paths between their local APICs. */
public final class InterpreterProcessors implements Processors {
    private final List<Vcpu> vcpus = new ArrayList<>();
    private final List<Cpu> cpus = new ArrayList<>();

    /**
     * Makes CPUs in the state after reset.
     *
     * @param config how many, and whether to trace
     * @param memory RAM
     * @param bus everything else
     * @param timers where APIC timers run
     */
    public InterpreterProcessors(ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers) {
        this(config, memory, bus, timers, cpu -> new InterpreterVcpu(cpu, config.trace()));
    }

    /**
     * Makes CPUs that another engine drives.
     *
     * @param config how many
     * @param memory RAM
     * @param bus everything else
     * @param timers where APIC timers run
     * @param drive makes the virtual CPU that drives a CPU's state
     */
    public InterpreterProcessors(
            ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers, Function<Cpu, Vcpu> drive) {
        for (int i = 0; i < config.count(); i++) {
            Cpu cpu = new Cpu(i, memory, bus, timers, this);
            cpus.add(cpu);
            vcpus.add(drive.apply(cpu));
        }
    }

    /** {@return a CPU, for tests of its parts} */
    Cpu cpu(int index) {
        return cpus.get(index);
    }

    int count() {
        return cpus.size();
    }

    @Override
    public List<Vcpu> vcpus() {
        return List.copyOf(vcpus);
    }

    @Override
    public void sendMessage(long address, int data) {
        int destination = (int) (address >>> 12) & 0xFF;
        boolean logical = (address & 4) != 0;
        route(destination, logical, data >> 8 & 7, data & 0xFF, (data & 1 << 15) != 0, null);
    }

    @Override
    public void setExternalInterrupt(boolean asserted) {
        cpus.getFirst().apic.setExternalInterrupt(asserted);
    }

    /** Delivers to every APIC that the destination names, or to the least busy one for lowest priority. */
    void route(int destination, boolean logical, int mode, int vector, boolean level, @Nullable Cpu except) {
        Cpu lowest = null;
        for (Cpu cpu : cpus) {
            if (cpu == except || !cpu.apic.matches(destination, logical)) {
                continue;
            }
            if (mode != LocalApic.LOWEST_PRIORITY) {
                cpu.apic.deliver(mode, vector, level);
            } else if (lowest == null || cpu.apic.priority() < lowest.apic.priority()) {
                lowest = cpu;
            }
        }
        if (lowest != null) {
            lowest.apic.deliver(mode, vector, level);
        }
    }

    /** Delivers to one APIC by its CPU's number. */
    void deliver(int index, int mode, int vector) {
        cpus.get(index).apic.deliver(mode, vector, false);
    }

    @Override
    public void close() {
        for (Cpu cpu : cpus) {
            cpu.apic.close();
            cpu.code.close();
        }
    }
}
