package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedShift;
import dev.kagami.cpu.x86.simd.PackedVariable;

/** Shifts and rotations of elements, and shifts of 128-bit lanes by bytes. */
final class EvexShifts {
    private static final int VPSRAQ = 0x1E3;

    private EvexShifts() {}

    private static long shift(int operation, long a, long count) {
        return operation == VPSRAQ
                ? a >> (Long.compareUnsigned(count, Long.SIZE) < 0 ? count : Long.SIZE - 1)
                : SimdLanes.shift(operation, a, count);
    }

    /** Shifts by the low quadword of ModRM.rm. */
    static final class ByOne extends EvexOp {
        private final int operation;

        ByOne(Instruction in) {
            super(in);
            operation = in.opcode == 0xE2 && in.w ? VPSRAQ : in.mapAndOpcode();
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long count = v[s];
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = shift(operation, v[first + i], count);
            }
            finish(cpu);
        }
    }

    /** Shifts by an immediate. */
    static final class ByImmediate extends EvexOp {
        private final int operation;
        private final int count;

        ByImmediate(Instruction in) {
            super(in);
            operation = in.opcode == 0x72 && in.group() == 4 && in.w
                    ? VPSRAQ
                    : SimdLanes.immediateShift(in.opcode, in.group());
            count = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = shift(operation, v[s + i], count);
            }
            finish(cpu);
        }
    }

    /** VPSLLDQ and VPSRLDQ. */
    static final class Bytes extends EvexOp {
        private final boolean left;
        private final int count;

        Bytes(Instruction in) {
            super(in);
            left = in.group() == 7;
            count = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i += 2) {
                long low = v[s + i];
                long high = v[s + i + 1];
                v[RESULT + i] = left ? PackedShift.pslldqLow(low, count) : PackedShift.psrldqLow(low, high, count);
                v[RESULT + i + 1] =
                        left ? PackedShift.pslldqHigh(low, high, count) : PackedShift.psrldqHigh(high, count);
            }
            finish(cpu);
        }
    }

    /** Shifts and rotations of each element by a count of its own, or by an immediate when {@link SimdLanes} has no such shift. */
    static final class Variable extends EvexOp {
        /** In place of the slot of an operand: that of ModRM.rm. */
        private static final int FROM_RM = -1;

        private final int operation;
        private final int bits;
        private final int value;
        private final int other;
        private final boolean immediate;
        private final long count;

        /**
         * Creates the op.
         *
         * @param in the instruction
         * @param operation one of the constants of {@link PackedVariable}
         */
        Variable(Instruction in, int operation) {
            super(in);
            this.operation = operation;
            bits = 8 * form.element;
            immediate = in.immediateSize != 0;
            boolean twice = operation >= PackedVariable.DOUBLE_RIGHT;
            // By an immediate, the operands are one place further in the encoding.
            value = immediate ? twice ? first : FROM_RM : twice ? destination : first;
            other = immediate ? FROM_RM : first;
            count = (in.immediate & 0xFF) * Long.divideUnsigned(-1, ones(bits));
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int a = value == FROM_RM ? s : value;
            int b = other == FROM_RM ? s : other;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = PackedVariable.shift(operation, bits, v[a + i], v[b + i], immediate ? count : v[s + i]);
            }
            finish(cpu);
        }
    }
}
