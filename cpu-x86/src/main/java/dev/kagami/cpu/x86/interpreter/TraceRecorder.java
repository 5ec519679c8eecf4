package dev.kagami.cpu.x86.interpreter;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds the code of a CPU that is worth a {@link Trace}, and notes what runs there.
 *
 * <p>Whichever block ends when so many instructions have run is looked at. A block that is met often enough within some time becomes
 * the start of a trace: when it runs again, it and the blocks behind it are noted, one by one, until they are back at the start or
 * enough. They run as decoded instructions meanwhile, even where there are traces: traces that began where others happen to end
 * would be short.
 */
class TraceRecorder {
    /** When to make traces. */
    enum Mode {
        /** Never. */
        OFF,
        /** Of what runs often, made by another thread. */
        HOT,
        /** Of all that runs, at once: for tests. */
        EAGER
    }

    /** log2 of the instructions between two samples. */
    private static final int SAMPLE_SHIFT = 14;

    /** log2 of the instructions after which what was sampled is forgotten. */
    private static final int WINDOW_SHIFT = 28;

    /**
     * Samples of a block in a window that make it the start of a trace. Until the JVM has compiled it, a trace costs about as much as it
     * gains in as many runs.
     */
    private static final int THRESHOLD = 64;

    private static final int MAX_BLOCKS = 32;

    /** More would often be too large, see {@link TraceCompiler#MAX_BYTES}. */
    private static final int MAX_INSTRUCTIONS = 60;

    /** A start that isn't reached within so many blocks is given up. */
    private static final int PATIENCE = 1 << 16;

    private final Cpu cpu;
    private final Mode mode;
    private final boolean ordering;
    private final List<Block> blocks = new ArrayList<>();
    private final List<Long> starts = new ArrayList<>();
    private int instructions;
    private int patience;

    /** The block that the trace begins with, or null when none is looked for. */
    private @Nullable Block first;

    /**
     * Creates a recorder.
     *
     * @param cpu the CPU
     * @param mode when to make traces
     * @param ordering whether traces keep the order of memory accesses, see {@link InterpreterVcpu#fence}
     */
    TraceRecorder(Cpu cpu, Mode mode, boolean ordering) {
        this.cpu = cpu;
        this.mode = mode;
        this.ordering = ordering;
    }

    /** {@return what to run in place of a block that is due, or null for the block itself} */
    @Nullable
    Trace find(Block block) {
        if (first != null || mode == Mode.EAGER) {
            follow(block);
            if (!blocks.isEmpty()) {
                return null;
            }
        }
        Trace trace = block.trace;
        return trace != null && trace.isCurrent(cpu) ? trace : null;
    }

    /**
     * Counts what a block has retired.
     *
     * @param block the block, which has run by itself
     */
    void ran(Block block) {
        long before = cpu.retired;
        long now = before + block.instructions;
        cpu.retired = now;
        if ((now ^ before) >>> SAMPLE_SHIFT != 0) {
            sample(block, now);
        }
    }

    private void sample(Block block, long now) {
        if (mode != Mode.HOT || first != null || !mayBegin(block)) {
            return;
        }
        byte window = (byte) (now >>> WINDOW_SHIFT);
        if (block.sampledIn != window) {
            block.sampledIn = window;
            block.samples = 0;
        }
        if (++block.samples == THRESHOLD) {
            block.samples = 0;
            first = block;
            patience = PATIENCE;
        }
    }

    /** The single-step rules and other modes' segments are not for traces. */
    final boolean mayBegin(Block block) {
        return cpu.mode == 64 && block.secondPage < 0 && block.valid;
    }

    /** {@return whether a block that is about to run and has no trace is to begin one, with {@link Mode#EAGER}} */
    boolean isDue(Block block) {
        return true;
    }

    /** A block is about to run. */
    private void follow(Block block) {
        long rip = cpu.r[Cpu.RIP];
        if (!blocks.isEmpty()) {
            if (block == first && rip == starts.getFirst()) {
                end(true);
                return;
            }
            if (!mayBegin(block)
                    || block.mode != blocks.getFirst().mode
                    || blocks.size() == MAX_BLOCKS
                    || instructions + block.instructions > MAX_INSTRUCTIONS) {
                end(false);
                return;
            }
        } else if (mode == Mode.EAGER) {
            if (block.trace != null || !mayBegin(block) || !isDue(block)) {
                return;
            }
            first = block;
        } else if (block != first) {
            if (--patience == 0) {
                first = null;
            }
            return;
        }
        blocks.add(block);
        starts.add(rip);
        instructions += block.instructions;
    }

    /**
     * What runs next may have nothing to do with what ran last. Must be called when that is so, be it that the last block has not run to
     * its end.
     */
    void interrupt() {
        if (!blocks.isEmpty()) {
            if (blocks.size() > 1) {
                blocks.removeLast();
                starts.removeLast();
            }
            end(false);
        }
    }

    private void end(boolean loops) {
        TraceCompiler.Plan plan = new TraceCompiler.Plan(
                cpu,
                blocks.toArray(new Block[0]),
                starts.stream().mapToLong(Long::longValue).toArray(),
                loops,
                ordering);
        blocks.clear();
        starts.clear();
        instructions = 0;
        first = null;
        if (mode == Mode.EAGER) {
            TraceCompiler.compileNow(plan);
        } else {
            TraceCompiler.compile(plan);
        }
    }
}
