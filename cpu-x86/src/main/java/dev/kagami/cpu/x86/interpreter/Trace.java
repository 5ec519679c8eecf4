package dev.kagami.cpu.x86.interpreter;

/**
 * Blocks that ran one after the other, as one method of JVM bytecode, see {@link TraceCompiler}. Its code goes through them as long
 * as the guest takes the same way, and leaves where it takes another one.
 *
 * <p>Belongs to one CPU: where its state and RAM are is part of the code.
 */
abstract class Trace {
    private static final int POSITION_SHIFT = 8;

    /** The blocks in order. */
    final Block[] blocks;

    /** The instruction pointer at the start of each block. */
    final long[] starts;

    /** {@link CodeCache#epoch} when all blocks were found to be where they were; at first that of no cache. */
    private int epoch;

    Trace(Block[] blocks, long[] starts) {
        this.blocks = blocks;
        this.starts = starts;
    }

    /**
     * Runs the trace from its start, once or, if it is a loop, until something is pending. Registers, flags and the instruction
     * pointer are those of where it left, {@link Cpu#next} may name the next block, and {@link Cpu#retired} counts what has run. When
     * an instruction faults, {@link Cpu#position} tells which; registers and flags are those before it, and what was retired ends where
     * its block starts.
     *
     * @param cpu the CPU
     */
    abstract void run(Cpu cpu);

    /** {@return what {@link Cpu#position} is for an op of a block} */
    static int position(int block, int op) {
        return block << POSITION_SHIFT | op;
    }

    /** {@return the number of the block of a position} */
    static int block(int position) {
        return position >> POSITION_SHIFT;
    }

    /** {@return the number of the op in its block of a position} */
    static int op(int position) {
        return position & (1 << POSITION_SHIFT) - 1;
    }

    /** {@return whether the trace is what would run from the instruction pointer, at which its first block was found} */
    final boolean isCurrent(Cpu cpu) {
        return cpu.r[Cpu.RIP] == starts[0] && (epoch == cpu.code.epoch || find(cpu));
    }

    private boolean find(Cpu cpu) {
        for (int i = 0; i < blocks.length; i++) {
            if (!blocks[i].valid) {
                blocks[0].trace = null;
                return false;
            }
            if (!cpu.code.isKnownAt(blocks[i], starts[i])) {
                return false;
            }
        }
        epoch = cpu.code.epoch;
        return true;
    }
}
