package dev.kagami.vm;

import dev.kagami.cpu.Availability;
import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.VcpuStats;
import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Semaphore;

/** An engine whose CPUs run a Java function in place of guest code. */
final class FakeEngine implements Engine {
    /** What a CPU does when it is run. */
    @FunctionalInterface
    interface Guest {
        ExitReason run(FakeVcpu cpu, Bus bus);
    }

    private final String name;
    private final int priority;
    private final Availability availability;
    private final Guest guest;

    FakeEngine(String name, int priority, Availability availability, Guest guest) {
        this.name = name;
        this.priority = priority;
        this.availability = availability;
        this.guest = guest;
    }

    static FakeEngine running(Guest guest) {
        return new FakeEngine("fake", 1, new Availability.Available(), guest);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String description() {
        return "runs " + name;
    }

    @Override
    public int priority() {
        return priority;
    }

    @Override
    public Availability availability() {
        return availability;
    }

    @Override
    public Availability supports(CpuModel model) {
        return model == CpuModel.V4 ? new Availability.Unavailable("nothing here is so new") : availability;
    }

    @Override
    public SortedSet<String> features(CpuModel model) {
        return new TreeSet<>(Set.of(model.label()));
    }

    @Override
    public CpuModel defaultModel() {
        return CpuModel.V3;
    }

    @Override
    public Processors createProcessors(ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers) {
        List<Vcpu> cpus = new ArrayList<>();
        for (int i = 0; i < config.count(); i++) {
            cpus.add(new FakeVcpu(i, bus, guest));
        }
        return new Processors() {
            @Override
            public List<Vcpu> vcpus() {
                return cpus;
            }

            @Override
            public void sendMessage(long address, int data) {}

            @Override
            public void setExternalInterrupt(boolean asserted) {}

            @Override
            public void close() {}
        };
    }

    /** A CPU of the fake engine. */
    static final class FakeVcpu implements Vcpu {
        private final int index;
        private final Bus bus;
        private final Guest guest;
        private final Semaphore kicks = new Semaphore(0);
        private volatile X86State state = resetState();

        FakeVcpu(int index, Bus bus, Guest guest) {
            this.index = index;
            this.bus = bus;
            this.guest = guest;
        }

        /** Does what a guest that spins does: nothing, until it is kicked. */
        ExitReason spin() {
            kicks.acquireUninterruptibly();
            return ExitReason.INTERRUPTED;
        }

        /** {@return whether the CPU has been kicked since it was last asked} */
        boolean kicked() {
            return kicks.tryAcquire();
        }

        @Override
        public int index() {
            return index;
        }

        @Override
        public ExitReason run() {
            return guest.run(this, bus);
        }

        @Override
        public void kick() {
            kicks.release();
        }

        @Override
        public String exitDetail() {
            return "detail of CPU " + index;
        }

        @Override
        public X86State state() {
            return state;
        }

        @Override
        public void setState(X86State state) {
            this.state = state;
        }

        @Override
        public VcpuStats stats() {
            return new VcpuStats(1000, 1, 2, 3, 4, 5, 6, 7);
        }

        private static X86State resetState() {
            X86State.Segment[] segments = new X86State.Segment[8];
            java.util.Arrays.fill(segments, new X86State.Segment(0, 0, 0xFFFF, 0x93));
            return new X86State(
                    new long[16],
                    0xFFF0,
                    2,
                    segments,
                    new X86State.Table(0, 0xFFFF),
                    new X86State.Table(0, 0xFFFF),
                    0x6000_0010,
                    0,
                    0,
                    0,
                    0,
                    1,
                    new long[8],
                    new X86State.Fpu(new long[8], new short[8], 0x40, 0, 0x5555, 0, 0, 0),
                    new long[256],
                    0x1F80,
                    new TreeMap<>(),
                    new int[64],
                    false,
                    false,
                    false,
                    X86State.Pending.NOTHING);
        }
    }
}
