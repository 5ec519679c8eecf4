package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;
import dev.kagami.cpu.x86.softfloat.FusedMultiplyAdd;

/** Which of the fused multiplications and additions an opcode stands for (SDM 1 14.5): the same for VEX and EVEX. */
final class FusedOperation {
    private static final int ALTERNATES_ADD_SUBTRACT = 6;
    private static final int ALTERNATES_SUBTRACT_ADD = 7;
    private static final int ORDER_132 = 9;
    private static final int ORDER_213 = 10;
    private static final int ORDER_231 = 11;

    private final FloatFormat format;
    private final int order;
    private final boolean negatesProduct;
    /** One bit each for even and odd elements. */
    private final int negatesAddend;

    FusedOperation(Instruction in) {
        format = in.w ? FloatFormat.BINARY64 : FloatFormat.BINARY32;
        order = in.opcode >> 4;
        int operation = in.opcode & 15;
        negatesProduct = operation >= 12;
        negatesAddend = switch (operation) {
            case ALTERNATES_ADD_SUBTRACT -> 1;
            case ALTERNATES_SUBTRACT_ADD -> 2;
            default -> (operation & 2) != 0 ? 3 : 0;
        };
    }

    /** {@return whether an opcode is that of one of them} */
    static boolean is(Instruction in) {
        int order = in.opcode >> 4;
        return in.map == Instruction.MAP_0F38
                && order >= ORDER_132
                && order <= ORDER_231
                && (in.opcode & 15) >= ALTERNATES_ADD_SUBTRACT;
    }

    /** {@return whether it is a scalar one} */
    static boolean isScalar(Instruction in) {
        int operation = in.opcode & 15;
        return operation >= 8 && (operation & 1) != 0;
    }

    /**
     * Computes an element.
     *
     * @param c rounding mode and flags
     * @param element its number
     * @param a element of the destination
     * @param b element of the register in VEX.vvvv
     * @param third element of what ModRM.rm names
     * @return the rounded result
     */
    long combine(FloatContext c, int element, long a, long b, long third) {
        int subtract = negatesAddend >> (element & 1) & 1;
        return switch (order) {
            case ORDER_132 -> FusedMultiplyAdd.combine(c, format, a, third, b, negatesProduct, subtract);
            case ORDER_213 -> FusedMultiplyAdd.combine(c, format, b, a, third, negatesProduct, subtract);
            default -> FusedMultiplyAdd.combine(c, format, b, third, a, negatesProduct, subtract);
        };
    }
}
