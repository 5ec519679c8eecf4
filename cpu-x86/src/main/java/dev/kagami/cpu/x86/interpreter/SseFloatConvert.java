package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.HostFloat;

/** All CVT instructions of SSE and SSE2 (SDM 1 10.4.3, 11.4.1.6). */
final class SseFloatConvert {
    private SseFloatConvert() {}

    /** {@return the rounding mode of a conversion to integers: its own or MXCSR's} */
    private static int rounding(FloatContext c, boolean truncate) {
        return truncate ? FloatContext.ROUND_ZERO : c.rounding;
    }

    /** CVTSI2SS and CVTSI2SD. */
    static final class FromGeneral extends SseFloatOp {
        private final int register;
        private final boolean wide;
        private final boolean toDouble;

        FromGeneral(Instruction in) {
            super(in, in.w ? 8 : 4);
            register = in.isMemory() ? -1 : in.rm;
            wide = in.w;
            toDouble = in.pp == Instruction.PP_F2;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long value;
            if (register >= 0) {
                value = wide ? cpu.r[register] : (int) cpu.r[register];
            } else {
                long address = address(cpu);
                value = wide ? cpu.readLong(address) : cpu.readInt(address);
            }
            long[] v = cpu.vec;
            long result = toDouble
                    ? HostFloat.fromInt64(c, value)
                    : replaceLow(v[destination], HostFloat.singleFromInt64(c, value));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    /** CVTSS2SI, CVTSD2SI and their truncating forms. */
    static final class ToGeneral extends SseFloatOp {
        private final int register;
        private final boolean wide;
        private final boolean fromDouble;
        private final boolean truncate;

        ToGeneral(Instruction in) {
            super(in, in.pp == Instruction.PP_F2 ? 8 : 4);
            register = in.reg;
            wide = in.w;
            fromDouble = in.pp == Instruction.PP_F2;
            truncate = in.opcode == SseFloatOps.CONVERT_TRUNCATED;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            int rounding = rounding(c, truncate);
            long result;
            if (fromDouble) {
                long a = second64(cpu);
                result = wide ? HostFloat.toInt64(c, a, rounding) : HostFloat.toInt32(c, a, rounding) & 0xFFFF_FFFFL;
            } else {
                int a = second32(cpu);
                result = wide ? HostFloat.toInt64(c, a, rounding) : HostFloat.toInt32(c, a, rounding) & 0xFFFF_FFFFL;
            }
            finish(cpu, c);
            cpu.r[register] = result;
        }
    }

    /** CVTSS2SD and CVTSD2SS. */
    static final class Scalar extends SseFloatOp {
        private final boolean toDouble;

        Scalar(Instruction in) {
            super(in, SseFloatOps.operandBytes(in.pp));
            toDouble = in.pp == Instruction.PP_F3;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long result = toDouble
                    ? HostFloat.toDouble(c, second32(cpu))
                    : replaceLow(v[destination], HostFloat.toSingle(c, second64(cpu)));
            finish(cpu, c);
            v[destination] = result;
        }
    }

    /** CVTPS2PD and CVTDQ2PD: two lanes grow to 64 bits each. */
    static final class Widen extends SseFloatOp {
        private final boolean fromInteger;

        Widen(Instruction in) {
            super(in, 8);
            fromInteger = in.opcode == SseFloatOps.CONVERT_DOUBLE_INTEGER;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long pair = second64(cpu);
            int first = (int) pair;
            int second = (int) (pair >>> 32);
            long low = fromInteger ? HostFloat.fromInt64(c, first) : HostFloat.toDouble(c, first);
            long high = fromInteger ? HostFloat.fromInt64(c, second) : HostFloat.toDouble(c, second);
            finish(cpu, c);
            cpu.vec[destination] = low;
            cpu.vec[destination + 1] = high;
        }
    }

    /** CVTPD2PS, CVTPD2DQ and CVTTPD2DQ: two lanes shrink to 32 bits each; the upper half of the result is zero. */
    static final class Narrow extends SseFloatOp {
        private final boolean toInteger;
        private final boolean truncate;

        Narrow(Instruction in) {
            super(in, 16);
            toInteger = in.opcode == SseFloatOps.CONVERT_DOUBLE_INTEGER;
            truncate = in.pp == Instruction.PP_66;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            int low;
            int high;
            if (toInteger) {
                int rounding = rounding(c, truncate);
                low = HostFloat.toInt32(c, cpu.low, rounding);
                high = HostFloat.toInt32(c, cpu.high, rounding);
            } else {
                low = HostFloat.toSingle(c, cpu.low);
                high = HostFloat.toSingle(c, cpu.high);
            }
            finish(cpu, c);
            cpu.vec[destination] = join(low, high);
            cpu.vec[destination + 1] = 0;
        }
    }

    /** CVTDQ2PS, CVTPS2DQ and CVTTPS2DQ: four lanes keep their size. */
    static final class SameSize extends SseFloatOp {
        private final boolean toInteger;
        private final boolean truncate;

        SameSize(Instruction in) {
            super(in, 16);
            toInteger = in.pp != Instruction.PP_NONE;
            truncate = in.pp == Instruction.PP_F3;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            long low = pair(c, cpu.low);
            long high = pair(c, cpu.high);
            finish(cpu, c);
            cpu.vec[destination] = low;
            cpu.vec[destination + 1] = high;
        }

        private long pair(FloatContext c, long quadword) {
            int first = (int) quadword;
            int second = (int) (quadword >>> 32);
            if (toInteger) {
                int rounding = rounding(c, truncate);
                return join(HostFloat.toInt32(c, first, rounding), HostFloat.toInt32(c, second, rounding));
            }
            return join(HostFloat.singleFromInt64(c, first), HostFloat.singleFromInt64(c, second));
        }
    }

    /** CVTPI2PS and CVTPI2PD: from an MMX register or memory. */
    static final class FromMmx extends SseFloatOp {
        private final int register;
        private final boolean toDouble;

        FromMmx(Instruction in) {
            super(in, 8);
            register = in.isMemory() ? -1 : in.rm & 7;
            toDouble = in.pp == Instruction.PP_66;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long pair;
            if (register >= 0) {
                cpu.x87.checkPending(cpu);
                pair = cpu.x87.significand[register];
            } else {
                pair = cpu.readLong(address(cpu));
            }
            int first = (int) pair;
            int second = (int) (pair >>> 32);
            long[] v = cpu.vec;
            long low;
            long high = v[destination + 1];
            if (toDouble) {
                low = HostFloat.fromInt64(c, first);
                high = HostFloat.fromInt64(c, second);
            } else {
                low = join(HostFloat.singleFromInt64(c, first), HostFloat.singleFromInt64(c, second));
            }
            if (register >= 0) {
                cpu.x87.enterMmx();
            }
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }
    }

    /** CVTPS2PI, CVTPD2PI and their truncating forms: to an MMX register. */
    static final class ToMmx extends SseFloatOp {
        private final int register;
        private final boolean fromDouble;
        private final boolean truncate;

        ToMmx(Instruction in) {
            super(in, in.pp == Instruction.PP_66 ? 16 : 8);
            register = in.reg & 7;
            fromDouble = in.pp == Instruction.PP_66;
            truncate = in.opcode == SseFloatOps.CONVERT_TRUNCATED;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            cpu.x87.checkPending(cpu);
            int rounding = rounding(c, truncate);
            long result;
            if (fromDouble) {
                second128(cpu);
                result = join(HostFloat.toInt32(c, cpu.low, rounding), HostFloat.toInt32(c, cpu.high, rounding));
            } else {
                long pair = second64(cpu);
                result = join(
                        HostFloat.toInt32(c, (int) pair, rounding),
                        HostFloat.toInt32(c, (int) (pair >>> 32), rounding));
            }
            // Processors have made the transition when the exception is delivered.
            cpu.x87.enterMmx();
            finish(cpu, c);
            cpu.x87.significand[register] = result;
            cpu.x87.signExponent[register] = (short) X87.MMX_SIGN_EXPONENT;
        }
    }
}
