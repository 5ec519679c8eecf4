package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/** FMA with the elements that an opmask selects. */
final class EvexFused extends EvexFloatOp {
    private final FusedOperation operation;

    EvexFused(Instruction in) {
        super(in);
        operation = new FusedOperation(in);
    }

    @Override
    int rest() {
        return destination;
    }

    @Override
    long element(FloatContext c, int number, long left, long right, long old) {
        return operation.combine(c, number, old, left, right);
    }
}
