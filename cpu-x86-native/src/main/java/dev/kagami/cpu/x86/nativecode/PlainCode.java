package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Emits instructions of the general registers that run as they are, with registers renamed; see {@link Plain}. */
final class PlainCode {
    /** Host register of the guest's rcx, of which ch is a part that has no name there. */
    private static final int CH_OWNER = Registers.HOST[Registers.GUEST_RCX];

    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    PlainCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /**
     * Emits the current instruction.
     *
     * @param properties from {@link Plain}
     * @return false when that isn't possible
     */
    boolean emit(int properties) {
        if ((properties & Plain.NO_MODRM) != 0) {
            for (int i = 0; i < in.length; i++) {
                asm.emit(block.code[block.start + i]);
            }
            return true;
        }
        if ((properties & (Plain.REGISTER_IN_OPCODE | Plain.BYTE_IN_OPCODE)) != 0) {
            return registerInOpcode((properties & Plain.BYTE_IN_OPCODE) != 0);
        }
        boolean inMemory = in.isMemory();
        boolean highRegister = (properties & Plain.REGISTER_BYTE) != 0 && !in.rex && in.reg >= 4;
        boolean highOperand = (properties & Plain.OPERAND_BYTE) != 0 && !inMemory && !in.rex && in.rm >= 4;
        boolean ownScratch = (properties & (Plain.COUNT_IN_CL | Plain.DIVIDES)) != 0 || highRegister || highOperand;
        if (ownScratch) {
            block.releaseScratch();
        }
        if ((properties & Plain.DIVIDES) != 0) {
            block.islands.immediate(true);
        }
        if (inMemory) {
            memory.locate(Plain.operandBytes(in, properties), (properties & Plain.WRITES) != 0, 0);
        }
        if (!ownScratch) {
            usual(properties);
            return true;
        }
        boolean usesCh = highRegister && in.reg == Registers.HIGH_RCX || highOperand && in.rm == Registers.HIGH_RCX;
        int register = in.reg;
        boolean registerInState = false;
        if ((properties & Plain.REGISTER) != 0) {
            register = byteRegister(in.reg, highRegister);
            registerInState = register == Assembler.NONE;
            if (registerInState) {
                asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.reg);
                register = Registers.VALUE;
            }
        }
        int operand = Registers.POINTER;
        boolean operandInState = false;
        if (!inMemory) {
            operand = byteRegister(in.rm, highOperand);
            operandInState = operand == Assembler.NONE;
            if (operandInState) {
                if (registerInState && in.rm == in.reg) {
                    operand = Registers.VALUE;
                } else {
                    asm.loadState(Registers.POINTER, StateBlock.REGISTERS + 8 * in.rm);
                    operand = Registers.POINTER;
                }
            }
        }
        if ((properties & Plain.COUNT_IN_CL) != 0) {
            asm.move(Assembler.RCX, Registers.HOST[Registers.GUEST_RCX]);
        }
        if ((properties & Plain.DIVIDES) != 0) {
            divide(inMemory, operand);
            block.islands.immediate(false);
            return true;
        }
        boolean high = highRegister || highOperand;
        boolean bytes = (properties & (Plain.REGISTER_BYTE | Plain.OPERAND_BYTE)) != 0;
        // ah to bh can't be named together with a register that needs REX: rcx stands in for that, and for the guest's.
        int replaced = usesCh ? CH_OWNER : Assembler.NONE;
        if (high) {
            boolean registerRex = (properties & Plain.REGISTER) != 0
                    && needsRex(register, highRegister, properties & Plain.REGISTER_BYTE);
            boolean operandRex = !inMemory && needsRex(operand, highOperand, properties & Plain.OPERAND_BYTE);
            if (registerRex || operandRex) {
                int other = registerRex ? register : operand;
                if (usesCh && other != CH_OWNER) {
                    return false;
                }
                replaced = other;
                register = registerRex ? Assembler.RCX : register;
                operand = operandRex ? Assembler.RCX : operand;
            }
            if (in.w) {
                return false;
            }
        }
        if (replaced != Assembler.NONE) {
            asm.move(Assembler.RCX, replaced);
        }
        encode(register, operand, bytes && !high);
        if (replaced != Assembler.NONE) {
            asm.move(replaced, Assembler.RCX);
        }
        if (registerInState) {
            asm.storeState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.reg);
        }
        if (operandInState && operand == Registers.POINTER) {
            asm.storeState(Registers.POINTER, StateBlock.REGISTERS + 8 * in.rm);
        }
        return true;
    }

    /** Emits an instruction that needs no scratch register but for its operands. */
    private void usual(int properties) {
        boolean inMemory = in.isMemory();
        boolean hasRegister = (properties & Plain.REGISTER) != 0;
        boolean writes = (properties & Plain.WRITES) != 0;
        int register = in.reg;
        int operand = Registers.POINTER;
        if (hasRegister && Plain.readsRegister(in)) {
            register = block.scratch.use(in.reg, true, Plain.writesRegister(in));
        }
        if (!inMemory) {
            operand = block.scratch.use(in.rm, Plain.readsOperand(in), writes);
        }
        if (hasRegister && !Plain.readsRegister(in)) {
            register = block.scratch.use(in.reg, false, true);
        }
        encode(register, operand, (properties & (Plain.REGISTER_BYTE | Plain.OPERAND_BYTE)) != 0);
    }

    /** Emits the current instruction with other registers; {@code withRex} when one of them is a byte register that needs it. */
    private void encode(int register, int operand, boolean withRex) {
        int rex = (in.w ? 8 : 0) | (register & 8) >> 1 | (operand & 8) >> 3;
        block.prefixes();
        if (rex != 0 || withRex) {
            asm.emit(0x40 | rex);
        }
        block.opcode();
        if (in.isMemory()) {
            memory.operand(register);
        } else {
            asm.emit(0xC0 | (register & 7) << 3 | operand & 7);
        }
        block.immediateBytes();
    }

    /** {@return whether a register that is not ah to bh needs REX: r8 and up do, as bytes all but al to bl} */
    private static boolean needsRex(int register, boolean high, int byteProperty) {
        return !high && (register >= 8 || byteProperty != 0 && register >= 4);
    }

    /** {@return the host number of a register operand, as encoded; {@link Assembler#NONE} when it is in the state block} */
    private static int byteRegister(int guest, boolean high) {
        if (!high) {
            return Registers.HOST[guest];
        }
        // ah, dh and bh stay where they are.
        return guest;
    }

    private boolean registerInOpcode(boolean bytes) {
        int guest = in.opcode & 7 | in.rexB();
        boolean high = bytes && !in.rex && guest >= 4;
        boolean usesCh = high && guest == Registers.HIGH_RCX;
        if (usesCh) {
            block.releaseScratch();
            asm.move(Assembler.RCX, CH_OWNER);
        }
        boolean constant = in.map == Instruction.MAP_PRIMARY && !bytes && in.operandSize >= 4;
        int host = high ? guest : block.scratch.use(guest, !constant, true);
        block.prefixes();
        int rex = (in.w ? 8 : 0) | (host & 8) >> 3;
        if (rex != 0 || bytes && !high) {
            asm.emit(0x40 | rex);
        }
        if (in.map == Instruction.MAP_0F) {
            asm.emit(0x0F);
        }
        asm.emit(in.opcode & ~7 | host & 7);
        block.immediateBytes();
        if (usesCh) {
            asm.move(CH_OWNER, Assembler.RCX);
        }
        return true;
    }

    /**
     * Divides after checking that the host won't trap. What is not surely harmless goes to the interpreter, with the flags
     * as they were.
     */
    private void divide(boolean inMemory, int operand) {
        boolean wide = in.w;
        if (inMemory) {
            if (wide) {
                asm.load(Registers.VALUE, Registers.POINTER, memory.displacement());
            } else {
                asm.load32(Registers.VALUE, Registers.POINTER, memory.displacement());
            }
        } else {
            move(Registers.VALUE, operand, wide);
        }
        if (in.group() == 6) {
            divideUnsigned(wide);
        } else {
            divideSigned(wide);
        }
    }

    /** Divides rdx and rax by {@link Registers#VALUE}. Without a high half, any divisor but 0 will do. */
    private void divideUnsigned(boolean wide) {
        move(Assembler.RCX, Assembler.RDX, wide);
        int low = asm.jumpIfRcxZero();
        int full = asm.jump();
        asm.landShort(low);
        asm.move(Assembler.RCX, Registers.VALUE);
        int zero = asm.jumpIfRcxZero();
        int divide = asm.position();
        quotient(wide);
        int done = asm.jump();
        asm.land(full);
        asm.pushFlags();
        // No overflow if the high half is below the divisor; that also means that the divisor isn't 0.
        asm.compare(Assembler.RDX, Registers.VALUE, wide);
        int notBelow = asm.jumpIf(3);
        asm.reserve(-Long.BYTES);
        asm.jumpBack(divide);
        asm.land(notBelow);
        asm.pushed(Long.BYTES);
        asm.popFlags();
        asm.landShort(zero);
        block.interpret(asm.jump());
        asm.land(done);
    }

    /** The same with signs. The dividend must be a sign-extended rax, and the divisor neither 0 nor -1. */
    private void divideSigned(boolean wide) {
        asm.constant(Registers.POINTER, wide ? 63 : 31);
        asm.shiftRight(Assembler.RCX, Assembler.RAX, Registers.POINTER, wide);
        asm.move(Registers.POINTER, Assembler.RDX);
        asm.not(Registers.POINTER);
        sum(Registers.POINTER, 1, wide);
        int extended = asm.jumpIfRcxZero();
        int refused = asm.jump();
        asm.landShort(extended);
        asm.lea(Assembler.RCX, Registers.VALUE, Assembler.NONE, 0, 1);
        if (!wide) {
            asm.move32(Assembler.RCX, Assembler.RCX);
        }
        int minusOne = asm.jumpIfRcxZero();
        asm.move(Assembler.RCX, Registers.VALUE);
        int zero = asm.jumpIfRcxZero();
        quotient(wide);
        int done = asm.jump();
        asm.land(refused);
        asm.landShort(minusOne);
        asm.landShort(zero);
        block.interpret(asm.jump());
        asm.land(done);
    }

    /** rcx += register + constant. */
    private void sum(int register, int constant, boolean wide) {
        if (wide) {
            asm.lea(Assembler.RCX, Assembler.RCX, register, 0, constant);
        } else {
            asm.lea32(Assembler.RCX, Assembler.RCX, register, 0, constant);
        }
    }

    private void move(int to, int from, boolean wide) {
        if (wide) {
            asm.move(to, from);
        } else {
            asm.move32(to, from);
        }
    }

    private void quotient(boolean wide) {
        if (wide) {
            asm.emit(0x48);
        }
        asm.emit(0xF7);
        asm.emit(0xC0 | (in.reg & 7) << 3 | Registers.VALUE);
    }
}
