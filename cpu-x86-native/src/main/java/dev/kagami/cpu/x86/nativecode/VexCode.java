package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;

/** Emits VEX- and EVEX-encoded instructions: vector and opmask registers keep their numbers, general ones are renamed. */
final class VexCode {
    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    VexCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /** Emits the instruction with its operands replaced. */
    private void encode(boolean wide, int reg, int vvvv, int rm) {
        EvexForm form = in.evex;
        if (form == null) {
            asm.vex(in.map, in.pp, in.w, wide, reg, vvvv, rm);
        } else {
            int last = (in.zeroing ? 0x80 : 0) | in.vectorLength << 5 | (in.broadcast ? 0x10 : 0) | in.opmask;
            asm.evex(in.map, in.pp, in.w, reg, vvvv, rm, last);
        }
        asm.emit(in.opcode);
        if (!in.isMemory()) {
            asm.emit(0xC0 | (reg & 7) << 3 | rm & 7);
        } else if (form == null) {
            memory.operand(reg);
        } else {
            asm.scaledMemory(reg, rm, memory.displacement(), form.displacementScale(in));
        }
        block.immediateBytes();
    }

    /** {@return the host register of a general register, loaded into a scratch register when it is in the state block} */
    private int general(int guest, int scratch) {
        int host = Registers.HOST[guest];
        if (host != Assembler.NONE) {
            return host;
        }
        asm.loadState(scratch, StateBlock.REGISTERS + 8 * guest);
        return scratch;
    }

    private static int alignmentMask(int size) {
        return switch (size) {
            case 16 -> StateBlock.ALIGNMENT_MASK;
            case 32 -> StateBlock.WIDE_ALIGNMENT_MASK;
            default -> StateBlock.WIDEST_ALIGNMENT_MASK;
        };
    }

    private void storeBack(int guest, int host) {
        if (Registers.HOST[guest] == Assembler.NONE) {
            asm.storeState(host, StateBlock.REGISTERS + 8 * guest);
        }
    }

    /**
     * Emits an instruction on general registers.
     *
     * @param form from {@link VexGeneral}
     */
    void emitGeneral(int form) {
        boolean hasRegister = (form & VexGeneral.REGISTER) != 0;
        boolean hasSecond = (form & VexGeneral.SECOND) != 0;
        boolean writesSecond = (form & VexGeneral.WRITES_SECOND) != 0;
        ScratchCache scratch = block.scratch;
        int operand = Registers.POINTER;
        if (in.isMemory()) {
            memory.locate(in.operandSize, false, 0);
        } else {
            int held = scratch.find(in.rm);
            if (held == Assembler.NONE) {
                operand = general(in.rm, Registers.POINTER);
            } else {
                asm.move(operand, held);
            }
        }
        int second = hasSecond ? scratch.use(in.vvvv, !writesSecond, writesSecond) : 0;
        int register = hasRegister ? scratch.use(in.reg, false, true) : in.group();
        encode(false, register, second, operand);
    }

    /**
     * Emits an instruction on vector registers.
     *
     * @param form from {@link VexForm} or {@link WideForm}
     */
    void emit(int form) {
        boolean wide = in.vectorLength != 0 && (form & VexForm.ANY_LENGTH) == 0;
        if ((form & VexForm.NO_MODRM) != 0) {
            asm.vex(in.map, in.pp, false, wide, 0, 0, 0);
            asm.emit(in.opcode);
            return;
        }
        if ((form & (VectorForm.GENERAL_REGISTER | VectorForm.GENERAL_OPERAND | VectorForm.WRITES_ECX)) != 0) {
            block.releaseScratch();
        }
        boolean writes = (form & VectorForm.WRITES) != 0;
        boolean generalRegister = (form & VectorForm.GENERAL_REGISTER) != 0;
        boolean generalOperand = (form & VectorForm.GENERAL_OPERAND) != 0 && !in.isMemory();
        int operand = Registers.POINTER;
        if (in.isMemory()) {
            int size = form & VectorForm.SIZE;
            memory.locate(size, writes, (form & VectorForm.ALIGNED) != 0 ? alignmentMask(size) : 0);
        } else {
            operand = generalOperand ? general(in.rm, Registers.POINTER) : in.rm;
        }
        int register = generalRegister
                ? general(in.reg, Registers.VALUE)
                : (form & VectorForm.EXTENSION) != 0 ? in.group() : in.reg;
        encode(wide, register, in.vvvv, operand);
        if (generalRegister) {
            storeBack(in.reg, register);
        }
        if (generalOperand && writes) {
            storeBack(in.rm, operand);
        }
        if ((form & VectorForm.WRITES_ECX) != 0) {
            asm.move32(Registers.HOST[Registers.GUEST_RCX], Assembler.RCX);
        }
    }
}
