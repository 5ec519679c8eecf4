package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/**
 * An x87 instruction that is not one of the unit's control instructions: it delivers a pending exception first, and leaves
 * its opcode and the addresses of itself and its operand behind.
 */
abstract class X87Op extends MemOp {
    private final int lastOpcode;
    private final boolean memory;
    private final int segment;

    /**
     * Creates the op.
     *
     * @param in the instruction
     * @param bytes size of a memory operand
     * @param write whether it is written
     */
    X87Op(Instruction in, int bytes, boolean write) {
        super(in, bytes, write);
        memory = in.isMemory();
        segment = in.segment();
        // SDM 1 8.1.9: the low three bits of the first opcode byte, then ModRM.
        lastOpcode = (in.opcode & 7) << 8 | in.mod << 6 | in.group() << 3 | in.rm & 7;
    }

    /** Creates an op on registers. */
    X87Op(Instruction in) {
        this(in, 0, false);
    }

    /** Checks that the instruction may run and prepares the context. */
    final FloatContext begin(Cpu cpu) {
        return cpu.x87.begin(cpu);
    }

    /** Records opcode and pointers; called when the instruction can't fault any more. */
    final void record(Cpu cpu) {
        X87 x87 = cpu.x87;
        x87.opcode = lastOpcode;
        x87.instructionPointer = cpu.r[Cpu.RIP] + offset;
        x87.instructionSelector = cpu.selector[Cpu.CS];
        if (memory) {
            x87.dataPointer = effectiveOffset(cpu);
            x87.dataSelector = cpu.selector[segment];
        }
    }
}
