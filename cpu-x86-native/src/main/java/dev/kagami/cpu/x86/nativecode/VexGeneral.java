package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Tells which VEX-encoded instructions on general registers (BMI) run on the host as they are, and which operands they have. */
final class VexGeneral {
    /** Not such an instruction. */
    static final int NO = -1;

    /** ModRM.reg names a register; otherwise it is an opcode extension. */
    static final int REGISTER = 1;

    /** VEX.vvvv names a register. */
    static final int SECOND = 1 << 1;

    /** The register of VEX.vvvv is a result, and no source. */
    static final int WRITES_SECOND = 1 << 2;

    private VexGeneral() {}

    /** {@return the operands of an instruction, or {@link #NO}} */
    static int classify(Instruction in) {
        if (in.mode != 64 || in.addressSize < 4 || in.vectorLength != 0) {
            return NO;
        }
        return switch (in.mapAndOpcode()) {
            case 0x2F2 -> in.pp == Instruction.PP_NONE ? REGISTER | SECOND : NO;
            case 0x2F3 ->
                in.pp == Instruction.PP_NONE && in.group() >= 1 && in.group() <= 3 ? SECOND | WRITES_SECOND : NO;
            case 0x2F5 -> in.pp == Instruction.PP_66 ? NO : REGISTER | SECOND;
            case 0x2F6 -> in.pp == Instruction.PP_F2 ? REGISTER | SECOND | WRITES_SECOND : NO;
            case 0x2F7 -> REGISTER | SECOND;
            case 0x3F0 -> in.pp == Instruction.PP_F2 && in.vvvv == 0 ? REGISTER : NO;
            default -> NO;
        };
    }
}
