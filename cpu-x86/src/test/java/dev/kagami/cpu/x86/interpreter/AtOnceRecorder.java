package dev.kagami.cpu.x86.interpreter;

import org.jspecify.annotations.Nullable;

/** Makes a trace of each block before it runs the first time. */
class AtOnceRecorder extends TraceRecorder {
    private final Cpu cpu;

    AtOnceRecorder(Cpu cpu) {
        super(cpu, Mode.OFF, false);
        this.cpu = cpu;
    }

    /** Makes a trace of a block that is about to run. */
    static void make(Cpu cpu, Block block, boolean ordering) {
        long[] starts = {cpu.r[Cpu.RIP]};
        TraceCompiler.compileNow(new TraceCompiler.Plan(cpu, new Block[] {block}, starts, false, ordering));
    }

    @Override
    @Nullable
    Trace find(Block block) {
        if (block.trace == null && mayBegin(block)) {
            make(cpu, block, false);
        }
        return super.find(block);
    }
}
