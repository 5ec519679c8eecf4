package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedShift;
import org.jspecify.annotations.Nullable;

/** Packed operations on XMM registers which are less frequent than those of {@link SimdPlain}: one class for each group. */
final class SimdPacked {
    private SimdPacked() {}

    /** Creates the op of an instruction with prefix 66, or returns null when it is none of these. */
    static @Nullable Op create(Instruction in) {
        int operation = in.mapAndOpcode();
        switch (SimdLanes.group(operation)) {
            case SimdLanes.GROUP_PLAIN:
                return new Plain(in);
            case SimdLanes.GROUP_SATURATING:
                return new Saturating(in);
            case SimdLanes.GROUP_COMPARING:
                return new Comparing(in);
            case SimdLanes.GROUP_COMPARING_LATER:
                return new ComparingLater(in);
            case SimdLanes.GROUP_MULTIPLYING:
                return new Multiplying(in);
            case SimdLanes.GROUP_SIGNS:
                return new Signs(in);
            default:
                break;
        }
        if (SimdLanes.isPair(operation)) {
            return new Pair(in);
        }
        if (SimdLanes.isShift(operation)) {
            return new Shift(in);
        }
        return switch (operation) {
            case 0x168, 0x169, 0x16A -> new InterleaveHigh(in);
            case 0x16D -> new InterleaveHighQuadwords(in);
            case 0x171, 0x172, 0x173 -> shiftByImmediate(in);
            case 0x220, 0x221, 0x222, 0x223, 0x224, 0x225, 0x230, 0x231, 0x232, 0x233, 0x234, 0x235 -> new Widen(in);
            default -> null;
        };
    }

    /** {@return UNPCKHPS or UNPCKHPD} */
    static Op interleaveHigh(Instruction in) {
        return in.pp == Instruction.PP_NONE ? new InterleaveHigh(in) : new InterleaveHighQuadwords(in);
    }

    private static @Nullable Op shiftByImmediate(Instruction in) {
        if (in.isMemory()) {
            return null;
        }
        if (in.opcode == 0x73 && (in.group() == 3 || in.group() == 7)) {
            return new ShiftBytes(in);
        }
        int operation = SimdLanes.immediateShift(in.opcode, in.group());
        return operation == 0 ? null : new ShiftByImmediate(in, operation);
    }

    private abstract static class Grouped extends SimdOp {
        final int operation;

        Grouped(Instruction in) {
            this(in, BYTES);
        }

        Grouped(Instruction in, int bytes) {
            super(in, bytes, false);
            operation = in.mapAndOpcode();
        }
    }

    /** Subtraction of words, and what MMX has in this group. */
    private static final class Plain extends Grouped {
        Plain(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.plain(operation, v[destination], v[s]);
            v[destination + 1] = SimdLanes.plain(operation, v[destination + 1], v[s + 1]);
        }
    }

    /** Saturating sums and differences, averages. */
    private static final class Saturating extends Grouped {
        Saturating(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.saturating(operation, v[destination], v[s]);
            v[destination + 1] = SimdLanes.saturating(operation, v[destination + 1], v[s + 1]);
        }
    }

    /** Comparison, minimum and maximum of SSE2. */
    private static final class Comparing extends Grouped {
        Comparing(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.comparing(operation, v[destination], v[s]);
            v[destination + 1] = SimdLanes.comparing(operation, v[destination + 1], v[s + 1]);
        }
    }

    /** Comparison, minimum and maximum of SSE4. */
    private static final class ComparingLater extends Grouped {
        ComparingLater(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.comparingLater(operation, v[destination], v[s]);
            v[destination + 1] = SimdLanes.comparingLater(operation, v[destination + 1], v[s + 1]);
        }
    }

    /** Products, and sums of absolute differences. */
    private static final class Multiplying extends Grouped {
        Multiplying(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.multiplying(operation, v[destination], v[s]);
            v[destination + 1] = SimdLanes.multiplying(operation, v[destination + 1], v[s + 1]);
        }
    }

    /** Signs, magnitudes and products in GF(2^8). */
    private static final class Signs extends Grouped {
        Signs(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.signs(operation, v[destination], v[s]);
            v[destination + 1] = SimdLanes.signs(operation, v[destination + 1], v[s + 1]);
        }
    }

    /** Packs and horizontal sums: the low quadword of the result comes from the first, the high one from the second operand. */
    private static final class Pair extends Grouped {
        Pair(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long high = SimdLanes.pair(operation, v[s], v[s + 1]);
            v[destination] = SimdLanes.pair(operation, v[destination], v[destination + 1]);
            v[destination + 1] = high;
        }
    }

    /** PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ and UNPCKHPS. */
    private static final class InterleaveHigh extends SimdOp {
        private final int operation;

        InterleaveHigh(Instruction in) {
            super(in);
            operation = in.opcode == 0x15 ? 2 : in.opcode & 3;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long a = v[destination + 1];
            long b = v[s + 1];
            v[destination] = SimdLanes.interleaveLow(operation, a, b);
            v[destination + 1] = SimdLanes.interleaveHigh(operation, a, b);
        }
    }

    /** PUNPCKHQDQ and UNPCKHPD. */
    private static final class InterleaveHighQuadwords extends SimdOp {
        InterleaveHighQuadwords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long high = v[s + 1];
            v[destination] = v[destination + 1];
            v[destination + 1] = high;
        }
    }

    /** Shifts by the low quadword of the second operand. */
    private static final class Shift extends Grouped {
        Shift(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long count = v[s];
            v[destination] = SimdLanes.shift(operation, v[destination], count);
            v[destination + 1] = SimdLanes.shift(operation, v[destination + 1], count);
        }
    }

    /** Shifts by an immediate; the register is the one of ModRM.rm. */
    private static final class ShiftByImmediate extends SimdOp {
        private final int operation;
        private final int count;

        ShiftByImmediate(Instruction in, int operation) {
            super(in);
            this.operation = operation;
            count = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            v[source] = SimdLanes.shift(operation, v[source], count);
            v[source + 1] = SimdLanes.shift(operation, v[source + 1], count);
        }
    }

    /** PSLLDQ and PSRLDQ. */
    private static final class ShiftBytes extends SimdOp {
        private final boolean left;
        private final int count;

        ShiftBytes(Instruction in) {
            super(in);
            left = in.group() == 7;
            count = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            long low = v[source];
            long high = v[source + 1];
            v[source] = left ? PackedShift.pslldqLow(low, count) : PackedShift.psrldqLow(low, high, count);
            v[source + 1] = left ? PackedShift.pslldqHigh(low, high, count) : PackedShift.psrldqHigh(high, count);
        }
    }

    /** PMOVSX and PMOVZX. */
    private static final class Widen extends Grouped {
        /** Bytes of one operand that widen to 64 bits. */
        private final int half;

        Widen(Instruction in) {
            super(in, 2 * bytes(in.opcode));
            half = bytes(in.opcode);
        }

        private static int bytes(int opcode) {
            return switch (opcode & 7) {
                case 0, 3, 5 -> 4;
                case 1, 4 -> 2;
                default -> 1;
            };
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long elements = source >= 0 ? cpu.vec[source] : cpu.read(address(cpu), 2 * half);
            long[] v = cpu.vec;
            v[destination] = SimdLanes.widen(operation, elements);
            v[destination + 1] = SimdLanes.widen(operation, elements >>> (half << 3));
        }
    }
}
