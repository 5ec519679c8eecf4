package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * One decoded guest instruction (or a fused pair), ready to run. Created once per occurrence in a block.
 *
 * <p>Rules for {@link #execute}: do all that can fault before changing any state; the last op of a block is a
 * {@link BranchOp} and sets where to go on; everything else leaves the instruction pointer alone.
 */
abstract class Op {
    // What runs is mostly limited by how many ops fit into the caches of the host, hence the small fields here and in
    // the
    // most frequent subclasses.

    /** Offset of the instruction from the start of its block in bytes. */
    short offset;

    /** Number of instructions in the block before this one. */
    byte ordinal;

    /** Length of the instruction in bytes. */
    final byte length;

    Op(Instruction in) {
        length = (byte) in.length;
    }

    Op(int length) {
        this.length = (byte) length;
    }

    /**
     * Tells the op where in its block it stands. Called once, before the first {@link #execute}.
     *
     * @param offset bytes from the start of the block
     * @param ordinal instructions from the start of the block
     */
    void place(int offset, int ordinal) {
        this.offset = (short) offset;
        this.ordinal = (byte) ordinal;
    }

    /**
     * Runs the instruction.
     *
     * @param cpu the CPU to run on
     */
    abstract void execute(Cpu cpu);

    /** {@return whether a block must end behind this instruction, because what follows may not be the next bytes or may run under other rules} */
    boolean endsBlock() {
        return false;
    }

    /** {@return whether a non-canonical address that the instruction accesses is a stack fault, not a general protection fault} */
    boolean usesStack() {
        return false;
    }

    /** {@return the number of guest instructions that this op stands for} */
    int instructions() {
        return 1;
    }
}
