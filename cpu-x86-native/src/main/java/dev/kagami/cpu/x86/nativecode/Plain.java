package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Tells which instructions may run on the host as they are, with registers renamed and the memory operand replaced, and
 * what their operands are. Everything else is translated in a way of its own or interpreted.
 */
final class Plain {
    /** Not such an instruction. */
    static final int NO = -1;

    /** ModRM.reg names a register; otherwise it is an opcode extension. */
    static final int REGISTER = 1;

    /** The register of ModRM.reg is a byte register. */
    static final int REGISTER_BYTE = 1 << 1;

    /** The operand of ModRM.rm is a byte. */
    static final int OPERAND_BYTE = 1 << 2;

    /** A memory operand is written, perhaps after it was read. */
    static final int WRITES = 1 << 3;

    /** The count is in cl. */
    static final int COUNT_IN_CL = 1 << 4;

    /** There is no ModRM byte and no register but rax and rdx. */
    static final int NO_MODRM = 1 << 5;

    /** The low three bits of the opcode name a register. */
    static final int REGISTER_IN_OPCODE = 1 << 6;

    /** The operands are bytes named by the low three bits of the opcode. */
    static final int BYTE_IN_OPCODE = 1 << 7;

    /** Divides: the operands must be checked first. */
    static final int DIVIDES = 1 << 8;

    /** A memory operand has half the operand size or less: 16 bits. */
    static final int OPERAND_WORD = 1 << 9;

    /** A memory operand has 32 bits. */
    static final int OPERAND_DOUBLE = 1 << 10;

    private Plain() {}

    /** {@return the properties of an instruction, or {@link #NO}} */
    static int classify(Instruction in) {
        if (in.encoding != Instruction.ENCODING_LEGACY || in.mode != 64 || in.addressSize < 4) {
            return NO;
        }
        if (in.lock && !in.mayLock()) {
            // The decoder accepts LOCK anywhere; on the host it would be an illegal instruction.
            return NO;
        }
        return switch (in.map) {
            case Instruction.MAP_PRIMARY -> primary(in);
            case Instruction.MAP_0F -> secondary(in);
            case Instruction.MAP_0F38 -> third(in);
            default -> NO;
        };
    }

    private static int primary(Instruction in) {
        int opcode = in.opcode;
        if (in.rep || in.repne) {
            return NO;
        }
        if (opcode < 0x40) {
            boolean compare = opcode >= 0x38;
            return switch (opcode & 7) {
                case 0 -> REGISTER | REGISTER_BYTE | OPERAND_BYTE | (compare ? 0 : WRITES);
                case 1 -> REGISTER | (compare ? 0 : WRITES);
                case 2 -> REGISTER | REGISTER_BYTE | OPERAND_BYTE | lockless(in);
                case 3 -> REGISTER | lockless(in);
                case 4, 5 -> NO_MODRM | lockless(in);
                default -> NO;
            };
        }
        int group = in.group();
        return switch (opcode) {
            case 0x63 -> REGISTER | OPERAND_DOUBLE;
            case 0x69, 0x6B, 0x8B -> REGISTER;
            case 0x80 -> OPERAND_BYTE | (group == 7 ? 0 : WRITES);
            case 0x81, 0x83 -> group == 7 ? 0 : WRITES;
            case 0x84 -> REGISTER | REGISTER_BYTE | OPERAND_BYTE;
            case 0x85 -> REGISTER;
            case 0x86, 0x88 -> REGISTER | REGISTER_BYTE | OPERAND_BYTE | WRITES;
            case 0x87, 0x89 -> REGISTER | WRITES;
            case 0x8A -> REGISTER | REGISTER_BYTE | OPERAND_BYTE;
            // PAUSE is the interpreter's, which lets other threads run: the CPU that is waited for may need the core.
            case 0x90 -> in.rexB() == 0 && !in.rep ? NO_MODRM : NO;
            case 0x98, 0x99, 0xA8, 0xA9, 0xF5, 0xF8, 0xF9, 0x9E, 0x9F -> NO_MODRM;
            case 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7 -> BYTE_IN_OPCODE;
            case 0xB8, 0xB9, 0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF -> REGISTER_IN_OPCODE;
            case 0xC0, 0xD0 -> OPERAND_BYTE | WRITES;
            case 0xC1, 0xD1 -> WRITES;
            case 0xD2 -> OPERAND_BYTE | WRITES | COUNT_IN_CL;
            case 0xD3 -> WRITES | COUNT_IN_CL;
            case 0xC6 -> group == 0 ? OPERAND_BYTE | WRITES : NO;
            case 0xC7 -> group == 0 ? WRITES : NO;
            case 0xF6 ->
                switch (group) {
                    case 2, 3 -> OPERAND_BYTE | WRITES;
                    case 0, 1, 4, 5 -> OPERAND_BYTE;
                    default -> NO;
                };
            case 0xF7 ->
                switch (group) {
                    case 2, 3 -> WRITES;
                    case 0, 1, 4, 5 -> 0;
                    default -> in.operandSize >= 4 ? DIVIDES : NO;
                };
            case 0xFE -> group < 2 ? OPERAND_BYTE | WRITES : NO;
            case 0xFF -> group < 2 ? WRITES : NO;
            default -> NO;
        };
    }

    /** The decoder accepts LOCK anywhere; instructions that can't have it are left to the interpreter, which raises #UD. */
    private static int lockless(Instruction in) {
        return in.lock ? NO : 0;
    }

    private static int secondary(Instruction in) {
        int opcode = in.opcode;
        if (in.rep || in.repne) {
            return in.rep && (opcode == 0xB8 || opcode == 0xBC || opcode == 0xBD) ? REGISTER | lockless(in) : NO;
        }
        if (opcode >= 0x40 && opcode <= 0x4F) {
            return REGISTER | lockless(in);
        }
        if (opcode >= 0x90 && opcode <= 0x9F) {
            return OPERAND_BYTE | WRITES | lockless(in);
        }
        if (opcode >= 0xC8 && opcode <= 0xCF) {
            // With 16 bits the result is undefined and processors differ.
            return in.operandSize >= 4 ? REGISTER_IN_OPCODE : NO;
        }
        return switch (opcode) {
            // Bit strings in memory reach beyond the operand.
            case 0xA3 -> in.isMemory() ? NO : REGISTER;
            case 0xAB, 0xB3, 0xBB -> in.isMemory() ? NO : REGISTER | WRITES;
            case 0xBA -> in.group() < 4 ? NO : in.group() == 4 ? lockless(in) : WRITES;
            case 0xA4, 0xAC -> REGISTER | WRITES | lockless(in);
            case 0xA5, 0xAD -> REGISTER | WRITES | COUNT_IN_CL | lockless(in);
            case 0xAF, 0xBC, 0xBD -> REGISTER | lockless(in);
            case 0xB0, 0xC0 -> REGISTER | REGISTER_BYTE | OPERAND_BYTE | WRITES;
            case 0xB1, 0xC1 -> REGISTER | WRITES;
            case 0xB6, 0xBE -> REGISTER | OPERAND_BYTE | lockless(in);
            case 0xB7, 0xBF -> REGISTER | OPERAND_WORD | lockless(in);
            case 0xC3 -> in.isMemory() && !in.operandPrefix ? REGISTER | WRITES | lockless(in) : NO;
            default -> NO;
        };
    }

    private static int third(Instruction in) {
        return switch (in.opcode) {
            case 0xF0 ->
                in.repne
                        ? REGISTER | OPERAND_BYTE | lockless(in)
                        : in.isMemory() && !in.rep ? REGISTER | lockless(in) : NO;
            case 0xF1 ->
                in.repne ? REGISTER | lockless(in) : in.isMemory() && !in.rep ? REGISTER | WRITES | lockless(in) : NO;
            case 0xF6 ->
                // ADCX and ADOX
                !in.repne && (in.rep || in.operandPrefix) && !(in.rep && in.operandPrefix)
                        ? REGISTER | lockless(in)
                        : NO;
            default -> NO;
        };
    }

    /** {@return whether an instruction with a register in ModRM.reg may write that} */
    static boolean writesRegister(Instruction in) {
        int opcode = in.opcode;
        return switch (in.map) {
            case Instruction.MAP_PRIMARY ->
                opcode < 0x40
                        ? (opcode & 7) >= 2 && opcode < 0x38
                        : opcode != 0x84 && opcode != 0x85 && opcode != 0x88 && opcode != 0x89;
            case Instruction.MAP_0F ->
                switch (opcode) {
                    case 0xA3, 0xA4, 0xA5, 0xAB, 0xAC, 0xAD, 0xB1, 0xB3, 0xBB, 0xC3 -> false;
                    default -> true;
                };
            default -> true;
        };
    }

    /** {@return whether an instruction with a register in ModRM.reg may need its value} */
    static boolean readsRegister(Instruction in) {
        if (in.operandSize < 4) {
            return true;
        }
        return switch (in.map) {
            case Instruction.MAP_PRIMARY ->
                switch (in.opcode) {
                    case 0x63, 0x69, 0x6B, 0x8B -> false;
                    default -> true;
                };
            case Instruction.MAP_0F ->
                switch (in.opcode) {
                    case 0xB6, 0xB7, 0xBE, 0xBF -> false;
                    default -> true;
                };
            default -> true;
        };
    }

    /** {@return whether an instruction may need the value of its operand ModRM.rm, a register} */
    static boolean readsOperand(Instruction in) {
        return in.operandSize < 4 || in.map != Instruction.MAP_PRIMARY || in.opcode != 0x89 && in.opcode != 0xC7;
    }

    /** {@return the bytes that a memory operand has} */
    static int operandBytes(Instruction in, int properties) {
        if ((properties & OPERAND_BYTE) != 0) {
            return 1;
        }
        if ((properties & OPERAND_WORD) != 0) {
            return 2;
        }
        return (properties & OPERAND_DOUBLE) != 0 ? 4 : in.operandSize;
    }
}
