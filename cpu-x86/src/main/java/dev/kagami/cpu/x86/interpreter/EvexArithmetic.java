package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/** VADDPS, VSUBPS, VMULPS, VDIVPS, VMINPS, VMAXPS, VSQRTPS, and their pd, ss and sd forms. */
final class EvexArithmetic extends EvexFloatOp {
    private final int operation;
    private final boolean doubles;

    EvexArithmetic(Instruction in) {
        super(in);
        operation = in.opcode;
        doubles = in.w;
    }

    static boolean is(Instruction in) {
        return in.map == Instruction.MAP_0F && SseFloatLanes.isArithmetic(in.opcode);
    }

    @Override
    long element(FloatContext c, int number, long left, long right, long old) {
        return doubles
                ? SseFloatLanes.applyDouble(operation, c, left, right)
                : SseFloatLanes.applySingle(operation, c, (int) left, (int) right);
    }
}
