package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Ends its block, because what follows may be decoded or translated differently, and looks the next block up afresh: such
 * an instruction must not remember which block came next, as it may be another one next time.
 */
abstract class EndingOp extends BranchOp {
    EndingOp(Instruction in) {
        super(in);
    }

    @Override
    final void execute(Cpu cpu) {
        long next = cpu.r[Cpu.RIP] + offset + length;
        boolean wide = cpu.mode == 64;
        run(cpu);
        cpu.r[Cpu.RIP] = wide ? next : next & 0xFFFF_FFFFL;
    }

    /** Does what the instruction does, apart from going on to the next one. */
    abstract void run(Cpu cpu);
}
