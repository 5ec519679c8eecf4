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
        if (in.lock && !lockable(in)) {
            return null;
        }
        if (in.encoding != Instruction.ENCODING_LEGACY) {
            return BitOps.create(in);
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

    /** {@return whether LOCK is allowed: a read-modify-write of memory by one of the instructions that SDM 2A lists} */
    private static boolean lockable(Instruction in) {
        if (!in.isMemory()) {
            return false;
        }
        int opcode = in.opcode;
        return switch (in.map) {
            case Instruction.MAP_PRIMARY ->
                // ADD OR ADC SBB AND SUB XOR with a memory destination, XCHG, INC, DEC, NOT, NEG.
                opcode < 0x38 && (opcode & 7) < 2
                        || opcode >= 0x80 && opcode <= 0x83 && in.group() != 7
                        || opcode == 0x86
                        || opcode == 0x87
                        || (opcode == 0xF6 || opcode == 0xF7) && (in.group() == 2 || in.group() == 3)
                        || (opcode == 0xFE || opcode == 0xFF) && in.group() < 2;
            case Instruction.MAP_0F ->
                // BTS, BTR, BTC, CMPXCHG, XADD, CMPXCHG8B and CMPXCHG16B.
                opcode == 0xAB
                        || opcode == 0xB3
                        || opcode == 0xBB
                        || opcode == 0xBA && in.group() >= 5
                        || opcode == 0xB0
                        || opcode == 0xB1
                        || opcode == 0xC0
                        || opcode == 0xC1
                        || opcode == 0xC7 && in.group() == 1;
            default -> false;
        };
    }
}
