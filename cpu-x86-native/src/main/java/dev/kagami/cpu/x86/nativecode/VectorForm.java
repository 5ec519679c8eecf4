package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Tells which SSE instructions run on the host as they are, and what their operands are. MMX forms, the approximations
 * (whose tables differ between processors) and the masked moves are left to the interpreter.
 */
final class VectorForm {
    /** Not such an instruction. */
    static final int NO = -1;

    /** Bits 0-7: bytes of a memory operand. */
    static final int SIZE = 0xFF;

    /** A memory operand must be aligned to 16 bytes. */
    static final int ALIGNED = 1 << 8;

    /** A memory operand is written. */
    static final int WRITES = 1 << 9;

    /** ModRM.reg names a general register. */
    static final int GENERAL_REGISTER = 1 << 10;

    /** ModRM.rm names a general register when it isn't memory. */
    static final int GENERAL_OPERAND = 1 << 11;

    /** ModRM.reg is an opcode extension. */
    static final int EXTENSION = 1 << 12;

    /** The result goes to ecx. */
    static final int WRITES_ECX = 1 << 13;

    private static final int PACKED = 16 | ALIGNED;

    private VectorForm() {}

    /** {@return the properties of an instruction, or {@link #NO}} */
    static int classify(Instruction in) {
        if (in.encoding != Instruction.ENCODING_LEGACY || in.lock || in.mode != 64 || in.addressSize < 4) {
            return NO;
        }
        int form = table(in);
        // With both 66 and F2 or F3, or a form that exists for registers only, it is not what the tables are for.
        boolean mixed = in.operandPrefix && in.pp != Instruction.PP_66;
        return form == NO || mixed || (form & SIZE) == 0 && in.isMemory() ? NO : form;
    }

    /** {@return the properties of an instruction by its map, opcode and mandatory prefix alone} */
    static int table(Instruction in) {
        return switch (in.map) {
            case Instruction.MAP_0F -> first(in);
            case Instruction.MAP_0F38 -> second(in);
            case Instruction.MAP_0F3A -> third(in);
            default -> NO;
        };
    }

    private static int first(Instruction in) {
        int opcode = in.opcode;
        int pp = in.pp;
        boolean packed = pp == Instruction.PP_NONE || pp == Instruction.PP_66;
        boolean integer = pp == Instruction.PP_66;
        int scalar = pp == Instruction.PP_F3 ? 4 : 8;
        int general = in.w ? 8 : 4;
        return switch (opcode) {
            case 0x10 -> packed ? 16 : scalar;
            case 0x11 -> (packed ? 16 : scalar) | WRITES;
            case 0x12 -> pp == Instruction.PP_F3 ? PACKED : integer && !in.isMemory() ? NO : 8;
            case 0x16 ->
                pp == Instruction.PP_F3 ? PACKED : pp == Instruction.PP_F2 || integer && !in.isMemory() ? NO : 8;
            case 0x13, 0x17 -> packed && in.isMemory() ? 8 | WRITES : NO;
            case 0x14, 0x15, 0x54, 0x55, 0x56, 0x57, 0x28, 0xC6 -> packed ? PACKED : NO;
            case 0x29 -> packed ? PACKED | WRITES : NO;
            case 0x2B -> packed && in.isMemory() ? PACKED | WRITES : NO;
            case 0x2A -> packed ? NO : general | GENERAL_OPERAND;
            case 0x2C, 0x2D -> packed ? NO : scalar | GENERAL_REGISTER;
            case 0x2E, 0x2F -> packed ? (integer ? 8 : 4) : NO;
            case 0x50 -> packed ? GENERAL_REGISTER : NO;
            case 0x51, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0xC2 -> packed ? PACKED : scalar;
            case 0x5A -> pp == Instruction.PP_NONE ? 8 : integer ? PACKED : scalar;
            case 0x5B -> pp == Instruction.PP_F2 ? NO : PACKED;
            case 0x6E -> integer ? general | GENERAL_OPERAND : NO;
            case 0x6F -> integer ? PACKED : pp == Instruction.PP_F3 ? 16 : NO;
            case 0x70 -> pp == Instruction.PP_NONE ? NO : PACKED;
            case 0x71, 0x72, 0x73 -> integer && shiftGroup(opcode, in.group()) ? EXTENSION : NO;
            case 0x7C, 0x7D, 0xD0 -> integer || pp == Instruction.PP_F2 ? PACKED : NO;
            case 0x7E -> integer ? general | GENERAL_OPERAND | WRITES : pp == Instruction.PP_F3 ? 8 : NO;
            case 0x7F -> integer ? PACKED | WRITES : pp == Instruction.PP_F3 ? 16 | WRITES : NO;
            case 0xC4 -> integer ? 2 | GENERAL_OPERAND : NO;
            case 0xC5, 0xD7 -> integer ? GENERAL_REGISTER : NO;
            case 0xD6 -> integer ? 8 | WRITES : NO;
            case 0xE6 -> pp == Instruction.PP_F3 ? 8 : pp == Instruction.PP_NONE ? NO : PACKED;
            case 0xE7 -> integer && in.isMemory() ? PACKED | WRITES : NO;
            case 0xF0 -> pp == Instruction.PP_F2 && in.isMemory() ? 16 : NO;
            case 0xF7, 0xFF -> NO;
            default -> {
                boolean arithmetic =
                        opcode >= 0x60 && opcode <= 0x6D || opcode >= 0x74 && opcode <= 0x76 || opcode >= 0xD1;
                yield integer && arithmetic ? PACKED : NO;
            }
        };
    }

    private static boolean shiftGroup(int opcode, int group) {
        return switch (group) {
            case 2, 6 -> true;
            case 4 -> opcode != 0x73;
            case 3, 7 -> opcode == 0x73;
            default -> false;
        };
    }

    private static int second(Instruction in) {
        int opcode = in.opcode;
        if (opcode >= 0xC8 && opcode <= 0xCD) {
            return in.pp == Instruction.PP_NONE && HostFeatures.SHA ? PACKED : NO;
        }
        if (in.pp != Instruction.PP_66 || opcode == 0xCF && !HostFeatures.GFNI) {
            return NO;
        }
        return switch (opcode) {
            case 0x20, 0x23, 0x25, 0x30, 0x33, 0x35 -> 8;
            case 0x21, 0x24, 0x31, 0x34 -> 4;
            case 0x22, 0x32 -> 2;
            case 0x2A -> in.isMemory() ? PACKED : NO;
            case 0x10, 0x14, 0x15, 0x17, 0x1C, 0x1D, 0x1E, 0x28, 0x29, 0x2B, 0xCF -> PACKED;
            default ->
                opcode <= 0x0B || opcode >= 0x37 && opcode <= 0x41 || opcode >= 0xDB && opcode <= 0xDF ? PACKED : NO;
        };
    }

    private static int third(Instruction in) {
        int opcode = in.opcode;
        if (opcode == 0xCC) {
            return in.pp == Instruction.PP_NONE && HostFeatures.SHA ? PACKED : NO;
        }
        if (in.pp != Instruction.PP_66 || (opcode == 0xCE || opcode == 0xCF) && !HostFeatures.GFNI) {
            return NO;
        }
        int general = in.w ? 8 : 4;
        return switch (opcode) {
            case 0x08, 0x09, 0x0C, 0x0D, 0x0E, 0x0F, 0x40, 0x41, 0x42, 0x44, 0xCE, 0xCF, 0xDF -> PACKED;
            case 0x0A, 0x21 -> 4;
            case 0x0B -> 8;
            case 0x14 -> 1 | GENERAL_OPERAND | WRITES;
            case 0x15 -> 2 | GENERAL_OPERAND | WRITES;
            case 0x16 -> general | GENERAL_OPERAND | WRITES;
            case 0x17 -> 4 | GENERAL_OPERAND | WRITES;
            case 0x20 -> 1 | GENERAL_OPERAND;
            case 0x22 -> general | GENERAL_OPERAND;
            case 0x60, 0x62 -> 16;
            case 0x61, 0x63 -> 16 | WRITES_ECX;
            default -> NO;
        };
    }
}
