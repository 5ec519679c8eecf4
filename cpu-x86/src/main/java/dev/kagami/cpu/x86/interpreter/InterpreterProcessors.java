package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.memory.GuestMemory;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The CPUs of one machine and the paths between their local APICs. */
public final class InterpreterProcessors implements Processors {
    /** Two time-stamp offsets that are nearer than this are meant to be equal: 1 s. */
    private static final long SAME_TIME_STAMP = 1_000_000_000L;

    private final List<Vcpu> vcpus = new ArrayList<>();
    private final List<Cpu> cpus = new ArrayList<>();
    private final int count;
    private final Rendezvous rendezvous;
    private final ProcessorFeatures features;

    /** What the time-stamp counters have over the host's monotonic clock. */
    private long timeStampOffset;

    /** The CPUs that only an INIT, start-up or non-maskable interrupt message can wake. */
    private final BitSet resting = new BitSet();

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

    /** Makes CPUs that another engine drives, and that may have everything; see the next constructor. */
    public InterpreterProcessors(
            ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers, Function<Cpu, Vcpu> drive) {
        this(config, memory, bus, timers, feature -> true, drive);
    }

    /**
     * Makes CPUs that another engine drives.
     *
     * @param config how many
     * @param memory RAM
     * @param bus everything else
     * @param timers where APIC timers run
     * @param has whether a feature, by the name that Linux has for it, may be among those of {@link CpuModel#MAX}
     * @param drive makes the virtual CPU that drives a CPU's state
     */
    public InterpreterProcessors(
            ProcessorConfig config,
            GuestMemory memory,
            Bus bus,
            Timers timers,
            Predicate<String> has,
            Function<Cpu, Vcpu> drive) {
        count = config.count();
        features = ProcessorFeatures.of(config.model(), has);
        rendezvous = new Rendezvous(cpus, count);
        timeStampOffset = -timers.nanoTime();
        for (int i = 0; i < count; i++) {
            Cpu cpu = new Cpu(i, memory, bus, timers, this);
            cpus.add(cpu);
            vcpus.add(drive.apply(cpu));
        }
    }

    /** {@return a CPU, for tests of its parts} */
    Cpu cpu(int index) {
        return cpus.get(index);
    }

    ProcessorFeatures features() {
        return features;
    }

    int count() {
        return count;
    }

    Rendezvous rendezvous() {
        return rendezvous;
    }

    // ---------------------------------------------------------------- time

    synchronized long timeStampOffset() {
        return timeStampOffset;
    }

    /**
     * Decides on the offset of a CPU whose time-stamp counter is restored. The boot processor's counts, and the others that were
     * in step with it go along: a kernel may be about to start them. Those of the others are restored one after the other, and
     * must not differ by the time between.
     */
    synchronized long commonTimeStampOffset(Cpu restored, long wanted) {
        if (restored.index != 0) {
            return Math.abs(wanted - timeStampOffset) < SAME_TIME_STAMP ? timeStampOffset : wanted;
        }
        for (Cpu cpu : cpus) {
            cpu.moveTimeStamp(timeStampOffset, wanted);
        }
        timeStampOffset = wanted;
        return wanted;
    }

    // ---------------------------------------------------------------- rest

    /**
     * Notes that a CPU can only be woken by a message for which it need not be ready.
     *
     * @param cpu the CPU, whose thread calls
     * @return whether that holds for every CPU, so that nobody is left to send such a message
     */
    synchronized boolean restsForGood(Cpu cpu) {
        resting.set(cpu.index);
        if (resting.cardinality() < count || cpus.stream().anyMatch(other -> other.apic.wakes(other))) {
            return false;
        }
        // The others find the same when they look again.
        for (Cpu other : cpus) {
            if (other != cpu) {
                other.signal(Cpu.EVENT_INTERRUPT);
            }
        }
        return true;
    }

    /** Notes that a CPU no longer rests. */
    synchronized void wakes(Cpu cpu) {
        resting.clear(cpu.index);
    }

    // ---------------------------------------------------------------- code

    /** Makes writes of all CPUs to a page visible to {@link Mmu}; the caller holds the rendezvous. */
    void trapWrites(int pageNumber) {
        for (Cpu cpu : cpus) {
            cpu.mmu.trapWrites(pageNumber);
        }
    }

    /** Announces a write by one CPU to the others. */
    void codeWritten(Cpu by, int pageNumber, int from, int bytes) {
        for (Cpu cpu : cpus) {
            if (cpu != by) {
                cpu.code.writtenElsewhere(pageNumber, from, bytes);
            }
        }
    }

    // ---------------------------------------------------------------- interrupts

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
