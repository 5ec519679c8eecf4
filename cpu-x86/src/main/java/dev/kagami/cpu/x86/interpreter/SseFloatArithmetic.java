package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.HostFloat;

/** ADD, SUB, MUL, DIV, MIN, MAX, SQRT, RCP, RSQRT and CMP in their ps, pd, ss and sd forms. */
final class SseFloatArithmetic {
    private SseFloatArithmetic() {}

    /** {@return the scalar binary64 op; the four that programs are full of have a class of their own} */
    static Op scalarDouble(Instruction in) {
        return switch (in.opcode) {
            case SseFloatLanes.ADD -> new AddDouble(in);
            case SseFloatLanes.SUBTRACT -> new SubtractDouble(in);
            case SseFloatLanes.MULTIPLY -> new MultiplyDouble(in);
            case SseFloatLanes.DIVIDE -> new DivideDouble(in);
            default -> new ScalarDouble(in);
        };
    }

    /** {@return the scalar binary32 op} */
    static Op scalarSingle(Instruction in) {
        return switch (in.opcode) {
            case SseFloatLanes.ADD -> new AddSingle(in);
            case SseFloatLanes.SUBTRACT -> new SubtractSingle(in);
            case SseFloatLanes.MULTIPLY -> new MultiplySingle(in);
            default -> new ScalarSingle(in);
        };
    }

    private static final class AddDouble extends SseFloatOp {
        AddDouble(Instruction in) {
            super(in, 8);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long result = HostFloat.add(c, v[destination], second64(cpu));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    private static final class SubtractDouble extends SseFloatOp {
        SubtractDouble(Instruction in) {
            super(in, 8);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long result = HostFloat.subtract(c, v[destination], second64(cpu));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    private static final class MultiplyDouble extends SseFloatOp {
        MultiplyDouble(Instruction in) {
            super(in, 8);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long result = HostFloat.multiply(c, v[destination], second64(cpu));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    private static final class DivideDouble extends SseFloatOp {
        DivideDouble(Instruction in) {
            super(in, 8);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long result = HostFloat.divide(c, v[destination], second64(cpu));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    private static final class ScalarDouble extends SseFloatOp {
        private final int operation;

        ScalarDouble(Instruction in) {
            super(in, 8);
            operation = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long result = SseFloatLanes.applyDouble(operation, c, v[destination], second64(cpu));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    private static final class AddSingle extends SseFloatOp {
        AddSingle(Instruction in) {
            super(in, 4);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            int result = HostFloat.add(c, (int) v[destination], second32(cpu));
            finish(cpu, c);
            v[destination] = replaceLow(v[destination], result);
        }
    }

    private static final class SubtractSingle extends SseFloatOp {
        SubtractSingle(Instruction in) {
            super(in, 4);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            int result = HostFloat.subtract(c, (int) v[destination], second32(cpu));
            finish(cpu, c);
            v[destination] = replaceLow(v[destination], result);
        }
    }

    private static final class MultiplySingle extends SseFloatOp {
        MultiplySingle(Instruction in) {
            super(in, 4);
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            int result = HostFloat.multiply(c, (int) v[destination], second32(cpu));
            finish(cpu, c);
            v[destination] = replaceLow(v[destination], result);
        }
    }

    private static final class ScalarSingle extends SseFloatOp {
        private final int operation;

        ScalarSingle(Instruction in) {
            super(in, 4);
            operation = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            int result = SseFloatLanes.applySingle(operation, c, (int) v[destination], second32(cpu));
            finish(cpu, c);
            v[destination] = replaceLow(v[destination], result);
        }
    }

    static final class PackedDouble extends SseFloatOp {
        private final int operation;

        PackedDouble(Instruction in) {
            super(in, 16);
            operation = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            long[] v = cpu.vec;
            long low = SseFloatLanes.applyDouble(operation, c, v[destination], cpu.low);
            long high = SseFloatLanes.applyDouble(operation, c, v[destination + 1], cpu.high);
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }
    }

    static final class PackedSingle extends SseFloatOp {
        private final int operation;

        PackedSingle(Instruction in) {
            super(in, 16);
            operation = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            long[] v = cpu.vec;
            long low = SseFloatLanes.applyPair(operation, c, v[destination], cpu.low);
            long high = SseFloatLanes.applyPair(operation, c, v[destination + 1], cpu.high);
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }
    }

    /** CMPPS, CMPPD, CMPSS and CMPSD: all ones or zeros per lane. */
    static final class Compare extends SseFloatOp {
        private final int form;
        private final int predicate;

        Compare(Instruction in) {
            super(in, SseFloatOps.operandBytes(in.pp));
            form = in.pp;
            // Bits 3 to 7 of the legacy encoding's immediate are reserved and ignored.
            predicate = (int) in.immediate & 7;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            switch (form) {
                case Instruction.PP_F2 -> low = SseFloatLanes.compareDouble(c, predicate, low, second64(cpu));
                case Instruction.PP_F3 ->
                    low = replaceLow(low, SseFloatLanes.compareSingle(c, predicate, (int) low, second32(cpu)));
                case Instruction.PP_66 -> {
                    second128(cpu);
                    low = SseFloatLanes.compareDouble(c, predicate, low, cpu.low);
                    high = SseFloatLanes.compareDouble(c, predicate, high, cpu.high);
                }
                default -> {
                    second128(cpu);
                    low = SseFloatLanes.comparePair(c, predicate, low, cpu.low);
                    high = SseFloatLanes.comparePair(c, predicate, high, cpu.high);
                }
            }
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }
    }

    /** COMISS, COMISD, UCOMISS and UCOMISD: the comparison in ZF, PF and CF. */
    static final class CompareToFlags extends SseFloatOp {
        private final boolean isDouble;
        private final boolean quietIsInvalid;

        CompareToFlags(Instruction in) {
            super(in, in.pp == Instruction.PP_66 ? 8 : 4);
            isDouble = in.pp == Instruction.PP_66;
            quietIsInvalid = in.opcode == SseFloatOps.COMIS;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long a = cpu.vec[destination];
            int relation = isDouble
                    ? HostFloat.compare(c, a, second64(cpu), quietIsInvalid)
                    : HostFloat.compare(c, (int) a, second32(cpu), quietIsInvalid);
            finish(cpu, c);
            cpu.setArithmeticFlags(SseFloatOps.relationFlags(relation));
        }
    }
}
