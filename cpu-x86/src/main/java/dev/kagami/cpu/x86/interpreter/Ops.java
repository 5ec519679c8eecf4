package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Turns decoded instructions into ops by asking each instruction group. */
final class Ops {
    private Ops() {}

    /**
     * Makes the op of an instruction.
     *
     * @param in the instruction
     * @return the op, or null when no instruction has this encoding (#UD)
     */
    static @Nullable Op create(Instruction in) {
        if (in.lock && !in.mayLock()) {
            return null;
        }
        if (in.encoding != Instruction.ENCODING_LEGACY) {
            if (in.encoding == Instruction.ENCODING_EVEX) {
                return EvexOps.create(in);
            }
            Op op = BitOps.create(in);
            return op == null ? VexOps.create(in) : op;
        }
        Op op = LockedOps.create(in);
        if (op != null) {
            return op;
        }
        op = MoveOps.create(in);
        if (op == null) {
            op = AluOps.create(in);
        }
        if (op == null) {
            op = ControlOps.create(in);
        }
        if (op == null) {
            op = StackOps.create(in);
        }
        if (op == null) {
            op = ShiftOps.create(in);
        }
        if (op == null) {
            op = BitTestOps.create(in);
        }
        if (op == null) {
            op = StringOps.create(in);
        }
        if (op == null) {
            op = MulDivOps.create(in);
        }
        if (op == null) {
            op = AtomicOps.create(in);
        }
        if (op == null) {
            op = DecimalOps.create(in);
        }
        if (op == null) {
            op = BitOps.create(in);
        }
        if (op == null) {
            op = SimdOps.create(in);
        }
        if (op == null) {
            op = SseFloatOps.create(in);
        }
        if (op == null) {
            op = X87Ops.create(in);
        }
        if (op == null) {
            op = RandomOps.create(in);
        }
        if (op == null) {
            op = FlagOps.create(in);
        }
        if (op == null) {
            op = SegmentOps.create(in);
        }
        if (op == null) {
            op = SystemOps.create(in);
        }
        if (op == null) {
            op = SystemCallOps.create(in);
        }
        if (op == null) {
            op = FarOps.create(in);
        }
        return op;
    }
}
