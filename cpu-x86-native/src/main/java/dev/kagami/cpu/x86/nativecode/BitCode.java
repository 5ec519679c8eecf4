package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Emits bit tests in strings of bits in memory, and CMPXCHG8B and CMPXCHG16B. */
final class BitCode {
    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    BitCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /** Emits the current instruction, if it is one of these. */
    Outcome emit() {
        boolean usual = in.encoding == Instruction.ENCODING_LEGACY
                && in.map == Instruction.MAP_0F
                && in.isMemory()
                && in.addressSize == 8
                && (!in.lock || in.mayLock());
        if (!usual) {
            return Outcome.REFUSED;
        }
        boolean prefixed = in.rep || in.repne || in.operandPrefix;
        return switch (in.opcode) {
            case 0xA3, 0xAB, 0xB3, 0xBB -> prefixed || in.operandSize == 2 ? Outcome.REFUSED : bitString();
            case 0xC7 -> prefixed || in.group() != 1 ? Outcome.REFUSED : compareExchange();
            default -> Outcome.REFUSED;
        };
    }

    /** BT, BTS, BTR and BTC of a bit by number, which may be anywhere: finds its word, then its place in that. */
    private Outcome bitString() {
        boolean wide = in.operandSize == 8;
        memory.begin();
        int number = Registers.HOST[in.reg];
        if (number == Assembler.NONE) {
            asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.reg);
            number = Registers.VALUE;
        }
        asm.constant(Assembler.RCX, wide ? 6 : 5);
        asm.shiftRight(Registers.VALUE, number, Assembler.RCX, wide);
        if (!wide) {
            asm.signExtend(Registers.VALUE, Registers.VALUE);
        }
        memory.address();
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.VALUE, wide ? 3 : 2, 0);
        memory.check(in.operandSize, in.opcode != 0xA3);
        number = Registers.HOST[in.reg];
        if (number == Assembler.NONE) {
            asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.reg);
            number = Registers.VALUE;
        }
        asm.extractByState(Assembler.RCX, number, StateBlock.BIT_MASKS + (wide ? 8 : 0));
        if (in.lock) {
            asm.emit(0xF0);
        }
        if (wide) {
            asm.emit(0x48);
        }
        asm.emit(0x0F);
        asm.emit(in.opcode);
        asm.memory(Assembler.RCX, Registers.POINTER, Assembler.NONE, 0, 0);
        return Outcome.GOES_ON;
    }

    /** CMPXCHG8B and CMPXCHG16B: rax, rbx and rdx are in place. */
    private Outcome compareExchange() {
        boolean wide = in.operandSize == 8;
        memory.address();
        if (wide) {
            memory.aligned(StateBlock.ALIGNMENT_MASK);
        }
        memory.check(wide ? 16 : 8, true);
        asm.move(Assembler.RCX, Registers.HOST[Registers.GUEST_RCX]);
        if (in.lock) {
            asm.emit(0xF0);
        }
        if (wide) {
            asm.emit(0x48);
        }
        asm.emit(0x0F);
        asm.emit(0xC7);
        asm.memory(1, Registers.POINTER, Assembler.NONE, 0, 0);
        return Outcome.GOES_ON;
    }
}
