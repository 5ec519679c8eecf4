package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Tells which VEX-encoded vector instructions run on the host as they are: properties as {@link VectorForm} has them. An
 * encoding that doesn't exist would end the JVM, so everything that VEX adds (VEX.vvvv, W and L) is checked here. Gathers,
 * masked moves and approximations are left to the interpreter.
 */
final class VexForm {
    private static final int XMM = 16;

    /** Not of the properties that are handed out: VEX.L is ignored by the instruction. */
    static final int ANY_LENGTH = 1 << 14;

    /** There is no ModRM byte. */
    static final int NO_MODRM = 1 << 15;

    private VexForm() {}

    /** {@return the properties of an instruction, or {@link VectorForm#NO}} */
    static int classify(Instruction in) {
        if (in.mode != 64 || in.addressSize < 4) {
            return VectorForm.NO;
        }
        int form = switch (in.map) {
            case Instruction.MAP_0F -> first(in);
            case Instruction.MAP_0F38 -> in.pp == Instruction.PP_66 ? second(in) : VectorForm.NO;
            case Instruction.MAP_0F3A -> in.pp == Instruction.PP_66 ? third(in) : VectorForm.NO;
            default -> VectorForm.NO;
        };
        return form == VectorForm.NO || (form & VectorForm.SIZE) == 0 && in.isMemory() ? VectorForm.NO : form;
    }

    private static int vectorBytes(Instruction in) {
        return XMM << in.vectorLength;
    }

    private static int unless(boolean bad, int form) {
        return bad ? VectorForm.NO : form;
    }

    /** {@return properties with another operand size, and no alignment} */
    private static int sized(int form, int bytes) {
        return form & ~(VectorForm.SIZE | VectorForm.ALIGNED) | bytes;
    }

    /** Makes the properties of a VEX form out of those of the SSE form with a full vector as its memory operand. */
    private static int packed(Instruction in, int form) {
        return (form & VectorForm.SIZE) == XMM ? sized(form, vectorBytes(in)) : form;
    }

    private static int first(Instruction in) {
        int opcode = in.opcode;
        int pp = in.pp;
        boolean second = in.vvvv != 0;
        boolean wide = in.vectorLength != 0;
        boolean memory = in.isMemory();
        boolean scalar = pp == Instruction.PP_F3 || pp == Instruction.PP_F2;
        if (opcode == 0x77) {
            return unless(pp != Instruction.PP_NONE || second, NO_MODRM);
        }
        int form = VectorForm.table(in);
        if (form == VectorForm.NO) {
            return form;
        }
        int vector = packed(in, form);
        return switch (opcode) {
            case 0x10, 0x11 -> scalar ? unless(memory && second, form | ANY_LENGTH) : unless(second, vector);
            case 0x12 ->
                switch (pp) {
                    case Instruction.PP_F3 -> unless(second, vector);
                    case Instruction.PP_F2 -> unless(second, sized(form, wide ? 2 * XMM : 8));
                    default -> unless(wide, form);
                };
            case 0x16 -> pp == Instruction.PP_F3 ? unless(second, vector) : unless(wide, form);
            case 0x13, 0x17, 0x6E, 0x7E, 0xC5, 0xD6 -> unless(second || wide, form);
            case 0x28, 0x29, 0x2B, 0xE7 -> unless(second, vector | VectorForm.ALIGNED);
            case 0x6F, 0x7F -> unless(second, pp == Instruction.PP_66 ? vector | VectorForm.ALIGNED : vector);
            case 0xF0, 0x70, 0x5B, 0x50, 0xD7 -> unless(second, vector);
            case 0x2A -> form | ANY_LENGTH;
            case 0x2C, 0x2D, 0x2E, 0x2F -> unless(second, form | ANY_LENGTH);
            case 0x51 -> scalar ? form | ANY_LENGTH : unless(second, vector);
            case 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0xC2 -> scalar ? form | ANY_LENGTH : vector;
            case 0x5A ->
                switch (pp) {
                    case Instruction.PP_NONE -> unless(second, sized(form, vectorBytes(in) / 2));
                    case Instruction.PP_66 -> unless(second, vector);
                    default -> form | ANY_LENGTH;
                };
            case 0xE6 -> unless(second, pp == Instruction.PP_F3 ? sized(form, vectorBytes(in) / 2) : vector);
            case 0xC4 -> unless(wide, form);
            case 0xD1, 0xD2, 0xD3, 0xE1, 0xE2, 0xF1, 0xF2, 0xF3 -> sized(form, XMM);
            default -> vector;
        };
    }

    private static int second(Instruction in) {
        int opcode = in.opcode;
        boolean second = in.vvvv != 0;
        boolean wide = in.vectorLength != 0;
        boolean memory = in.isMemory();
        int bytes = vectorBytes(in);
        if (opcode >= 0x96 && opcode <= 0xBF) {
            int operation = opcode & 15;
            return operation < 6
                    ? VectorForm.NO
                    : operation >= 8 && (operation & 1) != 0 ? (in.w ? 8 : 4) | ANY_LENGTH : bytes;
        }
        return switch (opcode) {
            case 0x0C, 0x0D, 0x46 -> unless(in.w, bytes);
            case 0x0E, 0x0F -> unless(in.w || second, bytes);
            case 0x13 -> unless(in.w || second, bytes / 2);
            case 0x16, 0x36 -> unless(in.w || !wide, bytes);
            case 0x18, 0x58 -> unless(in.w || second, 4);
            case 0x19 -> unless(in.w || second || !wide, 8);
            case 0x1A, 0x5A -> unless(in.w || second || !wide || !memory, XMM);
            case 0x59 -> unless(in.w || second, 8);
            case 0x78 -> unless(in.w || second, 1);
            case 0x79 -> unless(in.w || second, 2);
            case 0x45, 0x47 -> bytes;
            case 0x1C, 0x1D, 0x1E, 0x17 -> unless(second, bytes);
            case 0x20, 0x23, 0x25, 0x30, 0x33, 0x35 -> unless(second, bytes / 2);
            case 0x21, 0x24, 0x31, 0x34 -> unless(second, bytes / 4);
            case 0x22, 0x32 -> unless(second, bytes / 8);
            case 0x2A -> unless(second || !memory, bytes | VectorForm.ALIGNED);
            case 0x41, 0xDB -> unless(second || wide, XMM);
            case 0xCF -> unless(in.w || !HostFeatures.GFNI, bytes);
            case 0xDC, 0xDD, 0xDE, 0xDF -> unless(wide && !HostFeatures.VAES, bytes);
            case 0x28, 0x29, 0x2B -> bytes;
            default -> unless(opcode > 0x0B && (opcode < 0x37 || opcode > 0x40), bytes);
        };
    }

    private static int third(Instruction in) {
        boolean second = in.vvvv != 0;
        boolean wide = in.vectorLength != 0;
        int bytes = vectorBytes(in);
        return switch (in.opcode) {
            case 0x00, 0x01 -> unless(!in.w || !wide || second, bytes);
            case 0x02, 0x4A, 0x4B, 0x4C -> unless(in.w, bytes);
            case 0x04, 0x05 -> unless(in.w || second, bytes);
            case 0x06, 0x46 -> unless(in.w || !wide, bytes);
            case 0x08, 0x09 -> unless(second, bytes);
            case 0x0A -> 4 | ANY_LENGTH;
            case 0x0B -> 8 | ANY_LENGTH;
            case 0x0C, 0x0D, 0x0E, 0x0F, 0x40, 0x42 -> bytes;
            case 0x14, 0x15, 0x16, 0x17 -> unless(second || wide, VectorForm.table(in));
            case 0x18, 0x38 -> unless(in.w || !wide, XMM);
            case 0x19, 0x39 -> unless(in.w || !wide || second, XMM | VectorForm.WRITES);
            case 0x1D -> unless(in.w || second, bytes / 2 | VectorForm.WRITES);
            case 0x20, 0x21, 0x22 -> unless(wide, VectorForm.table(in));
            case 0x41 -> unless(wide, bytes);
            case 0x44 -> unless(wide && !HostFeatures.VPCLMULQDQ, bytes);
            case 0x60, 0x61, 0x62, 0x63 -> unless(second || wide, VectorForm.table(in));
            case 0xCE, 0xCF -> unless(!in.w || !HostFeatures.GFNI, bytes);
            case 0xDF -> unless(second || wide, XMM);
            default -> VectorForm.NO;
        };
    }
}
