package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Emits SSE instructions: vector registers keep their numbers, general ones are renamed; see {@link VectorForm}. */
final class VectorCode {
    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    VectorCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /**
     * Emits the current instruction.
     *
     * @param form from {@link VectorForm}
     */
    void emit(int form) {
        boolean inMemory = in.isMemory();
        int general = VectorForm.GENERAL_REGISTER | VectorForm.GENERAL_OPERAND | VectorForm.WRITES_ECX;
        if ((form & general) != 0) {
            block.releaseScratch();
        }
        if (inMemory) {
            boolean aligned = (form & VectorForm.ALIGNED) != 0;
            memory.locate(
                    form & VectorForm.SIZE, (form & VectorForm.WRITES) != 0, aligned ? StateBlock.ALIGNMENT_MASK : 0);
        }
        int register = in.reg;
        boolean registerInState = false;
        if ((form & VectorForm.GENERAL_REGISTER) != 0) {
            register = Registers.HOST[in.reg];
            registerInState = register == Assembler.NONE;
            if (registerInState) {
                asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.reg);
                register = Registers.VALUE;
            }
        }
        int operand = inMemory ? Registers.POINTER : in.rm;
        boolean operandInState = false;
        if (!inMemory && (form & VectorForm.GENERAL_OPERAND) != 0) {
            operand = Registers.HOST[in.rm];
            operandInState = operand == Assembler.NONE;
            if (operandInState) {
                asm.loadState(Registers.POINTER, StateBlock.REGISTERS + 8 * in.rm);
                operand = Registers.POINTER;
            }
        }
        if (in.pp == Instruction.PP_66) {
            asm.emit(0x66);
        } else if (in.pp == Instruction.PP_F3) {
            asm.emit(0xF3);
        } else if (in.pp == Instruction.PP_F2) {
            asm.emit(0xF2);
        }
        boolean extension = (form & VectorForm.EXTENSION) != 0;
        int rex = (in.w ? 8 : 0) | (extension ? 0 : (register & 8) >> 1) | (operand & 8) >> 3;
        if (rex != 0) {
            asm.emit(0x40 | rex);
        }
        asm.emit(0x0F);
        if (in.map == Instruction.MAP_0F38) {
            asm.emit(0x38);
        } else if (in.map == Instruction.MAP_0F3A) {
            asm.emit(0x3A);
        }
        asm.emit(in.opcode);
        if (inMemory) {
            memory.operand(register);
        } else {
            asm.emit(0xC0 | (register & 7) << 3 | operand & 7);
        }
        block.immediateBytes();
        if (registerInState) {
            asm.storeState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.reg);
        }
        if (operandInState && (form & VectorForm.WRITES) != 0) {
            asm.storeState(Registers.POINTER, StateBlock.REGISTERS + 8 * in.rm);
        }
        if ((form & VectorForm.WRITES_ECX) != 0) {
            asm.move32(Registers.HOST[Registers.GUEST_RCX], Assembler.RCX);
        }
    }
}
