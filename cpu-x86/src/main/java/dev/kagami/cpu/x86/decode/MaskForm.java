package dev.kagami.cpu.x86.decode;

/** The instructions on opmask registers, which are encoded with VEX (SDM 2B, KADDW to KXORW). */
public final class MaskForm {
    private static final int REGISTERS = 8;

    private MaskForm() {}

    /** {@return how many bits of the registers an instruction is on: 8, 16, 32 or 64; or 0 when it isn't one of these} */
    public static int bits(Instruction in) {
        boolean exists = switch (in.encoding == Instruction.ENCODING_VEX ? in.map : 0) {
            case Instruction.MAP_0F -> first(in);
            case Instruction.MAP_0F3A ->
                in.opcode >= 0x30 && in.opcode <= 0x33 && in.pp == Instruction.PP_66 && between(in, false);
            default -> false;
        };
        if (!exists) {
            return 0;
        }
        if (in.map == Instruction.MAP_0F3A) {
            boolean wide = (in.opcode & 1) != 0;
            return wide ? in.w ? 64 : 32 : in.w ? 16 : 8;
        }
        if (in.pp == Instruction.PP_F2) {
            return in.w ? 64 : 32;
        }
        boolean prefix = in.pp == Instruction.PP_66;
        return in.w ? prefix ? 32 : 64 : prefix ? 8 : 16;
    }

    private static boolean first(Instruction in) {
        boolean usual = in.pp == Instruction.PP_NONE || in.pp == Instruction.PP_66;
        return switch (in.opcode) {
            case 0x41, 0x42, 0x45, 0x46, 0x47, 0x4A -> usual && between(in, true);
            case 0x4B -> usual && between(in, true) && !(in.w && in.pp == Instruction.PP_66);
            case 0x44, 0x98, 0x99 -> usual && between(in, false);
            case 0x90 -> usual && narrow(in) && in.reg < REGISTERS && (in.isMemory() || in.rm < REGISTERS);
            case 0x91 -> usual && narrow(in) && in.reg < REGISTERS && in.isMemory();
            case 0x92 -> general(in) && in.reg < REGISTERS;
            case 0x93 -> general(in) && in.rm < REGISTERS;
            default -> false;
        };
    }

    private static boolean narrow(Instruction in) {
        return in.vectorLength == 0 && in.vvvv == 0;
    }

    /** {@return whether the operands are two, or three, opmask registers} */
    private static boolean between(Instruction in, boolean three) {
        return !in.isMemory()
                && in.reg < REGISTERS
                && in.rm < REGISTERS
                && (three ? in.vectorLength == 1 && in.vvvv < REGISTERS : narrow(in));
    }

    /** {@return whether it moves between an opmask and a general register} */
    private static boolean general(Instruction in) {
        boolean size = switch (in.pp) {
            case Instruction.PP_NONE, Instruction.PP_66 -> !in.w;
            case Instruction.PP_F2 -> !in.w || in.mode == 64;
            default -> false;
        };
        return size && !in.isMemory() && narrow(in);
    }
}
