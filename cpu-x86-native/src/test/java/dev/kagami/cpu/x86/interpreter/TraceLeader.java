package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;
import org.jspecify.annotations.Nullable;

/** The interpreter with traces of all code, or of what has run a few times. */
final class TraceLeader implements Leader {
    private final int runs;
    private final boolean ordering;
    private int left;

    /**
     * Creates a leader.
     *
     * @param runs how often a block must be met, until a trace that begins with it is made; with 0 it is one of that block alone, and
     *     runs at once, so that code is seen that runs only once
     * @param ordering whether to keep the order of memory accesses, as on hosts that don't
     */
    TraceLeader(int runs, boolean ordering) {
        this.runs = runs;
        this.ordering = ordering;
    }

    @Override
    public Vcpu drive(Cpu cpu) {
        return new InterpreterVcpu(cpu, null, ordering, new Recorder(cpu));
    }

    @Override
    public void leaveAfter(int count) {
        left = count;
    }

    /** Long, because traces are made meanwhile; loops tell by what they have retired. */
    @Override
    public long patience() {
        return 2_000_000_000;
    }

    @Override
    public void close() {}

    /** Asks for the CPU's attention in the midst of code, as other threads do. */
    private final class Recorder extends TraceRecorder {
        private final Cpu cpu;

        Recorder(Cpu cpu) {
            super(cpu, Mode.EAGER, ordering);
            this.cpu = cpu;
        }

        @Override
        @Nullable
        Trace find(Block block) {
            if (--left <= 0) {
                cpu.signal(Cpu.EVENT_KICK);
            }
            if (runs == 0 && block.trace == null && mayBegin(block)) {
                AtOnceRecorder.make(cpu, block, ordering);
            }
            return super.find(block);
        }

        @Override
        boolean isDue(Block block) {
            return block.samples == runs || ++block.samples == runs;
        }
    }
}
