package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** The address of a memory operand, for ops that can't be a {@link MemOp} themselves. */
final class AddressOperand extends MemOp {
    AddressOperand(Instruction in, int size, boolean write) {
        super(in, size, write);
    }

    @Override
    void execute(Cpu cpu) {
        throw new AssertionError("not an instruction");
    }
}
