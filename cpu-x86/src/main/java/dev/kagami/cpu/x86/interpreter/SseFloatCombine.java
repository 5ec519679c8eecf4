package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;
import dev.kagami.cpu.x86.softfloat.HostFloat;

/** SSE3's horizontal and alternating instructions, SSE4.1's rounding and dot products. */
final class SseFloatCombine {
    private SseFloatCombine() {}

    /** HADDPD, HSUBPD and ADDSUBPD. */
    static final class Doubles extends SseFloatOp {
        private final int opcode;

        Doubles(Instruction in) {
            super(in, 16);
            opcode = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            long[] v = cpu.vec;
            long a0 = v[destination];
            long a1 = v[destination + 1];
            long low;
            long high;
            switch (opcode) {
                case SseFloatOps.HORIZONTAL_ADD -> {
                    low = HostFloat.add(c, a0, a1);
                    high = HostFloat.add(c, cpu.low, cpu.high);
                }
                case SseFloatOps.HORIZONTAL_SUBTRACT -> {
                    low = HostFloat.subtract(c, a0, a1);
                    high = HostFloat.subtract(c, cpu.low, cpu.high);
                }
                default -> {
                    low = HostFloat.subtract(c, a0, cpu.low);
                    high = HostFloat.add(c, a1, cpu.high);
                }
            }
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }
    }

    /** HADDPS, HSUBPS and ADDSUBPS. */
    static final class Singles extends SseFloatOp {
        private final int opcode;

        Singles(Instruction in) {
            super(in, 16);
            opcode = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            long[] v = cpu.vec;
            long low;
            long high;
            if (opcode == SseFloatOps.ADD_SUBTRACT) {
                low = alternate(c, v[destination], cpu.low);
                high = alternate(c, v[destination + 1], cpu.high);
            } else {
                low = join(across(c, v[destination]), across(c, v[destination + 1]));
                high = join(across(c, cpu.low), across(c, cpu.high));
            }
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }

        private int across(FloatContext c, long pair) {
            int first = (int) pair;
            int second = (int) (pair >>> 32);
            return opcode == SseFloatOps.HORIZONTAL_ADD
                    ? HostFloat.add(c, first, second)
                    : HostFloat.subtract(c, first, second);
        }

        private static long alternate(FloatContext c, long a, long b) {
            int low = HostFloat.subtract(c, (int) a, (int) b);
            return join(low, HostFloat.add(c, (int) (a >>> 32), (int) (b >>> 32)));
        }
    }

    /** ROUNDPS, ROUNDPD, ROUNDSS and ROUNDSD. */
    static final class Round extends SseFloatOp {
        private static final int USE_MXCSR = 4;
        private static final int SUPPRESS_INEXACT = 8;

        private final int opcode;
        private final int control;

        Round(Instruction in) {
            super(in, in.opcode == SseFloatOps.ROUND_SS ? 4 : in.opcode == SseFloatOps.ROUND_SD ? 8 : 16);
            opcode = in.opcode;
            control = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long low;
            long high = v[destination + 1];
            switch (opcode) {
                case SseFloatOps.ROUND_SS -> low = replaceLow(v[destination], single(c, second32(cpu)));
                case SseFloatOps.ROUND_SD -> low = lane(c, FloatFormat.BINARY64, second64(cpu));
                case SseFloatOps.ROUND_PD -> {
                    second128(cpu);
                    low = lane(c, FloatFormat.BINARY64, cpu.low);
                    high = lane(c, FloatFormat.BINARY64, cpu.high);
                }
                default -> {
                    second128(cpu);
                    low = join(single(c, (int) cpu.low), single(c, (int) (cpu.low >>> 32)));
                    high = join(single(c, (int) cpu.high), single(c, (int) (cpu.high >>> 32)));
                }
            }
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }

        private int single(FloatContext c, int bits) {
            return (int) lane(c, FloatFormat.BINARY32, bits & 0xFFFF_FFFFL);
        }

        private long lane(FloatContext c, FloatFormat f, long bits) {
            int rounding = (control & USE_MXCSR) != 0 ? c.rounding : control & 3;
            return BinaryFloat.roundToIntegral(c, f, bits, rounding, (control & SUPPRESS_INEXACT) != 0);
        }
    }

    /** DPPS and DPPD: a dot product of the lanes that the immediate selects, broadcast to those that it names. */
    static final class DotProduct extends SseFloatOp {
        private final boolean doubles;
        private final int control;

        DotProduct(Instruction in) {
            super(in, 16);
            doubles = in.opcode == SseFloatOps.DOT_PRODUCT_PD;
            control = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            FloatContext c = begin(cpu);
            second128(cpu);
            long[] v = cpu.vec;
            long a0 = v[destination];
            long a1 = v[destination + 1];
            long low;
            long high;
            if (doubles) {
                long first = selected(4) ? HostFloat.multiply(c, a0, cpu.low) : 0;
                long second = selected(5) ? HostFloat.multiply(c, a1, cpu.high) : 0;
                // Each step's exceptions are delivered before the next step.
                finish(cpu, c);
                long sum = HostFloat.add(c, first, second);
                low = selected(0) ? sum : 0;
                high = selected(1) ? sum : 0;
            } else {
                int first = product(c, 4, (int) a0, (int) cpu.low);
                int second = product(c, 5, (int) (a0 >>> 32), (int) (cpu.low >>> 32));
                int third = product(c, 6, (int) a1, (int) cpu.high);
                int fourth = product(c, 7, (int) (a1 >>> 32), (int) (cpu.high >>> 32));
                finish(cpu, c);
                // SDM 2A DPPS gives this order of additions.
                int left = HostFloat.add(c, first, second);
                int right = HostFloat.add(c, third, fourth);
                finish(cpu, c);
                int sum = HostFloat.add(c, left, right);
                low = join(selected(0) ? sum : 0, selected(1) ? sum : 0);
                high = join(selected(2) ? sum : 0, selected(3) ? sum : 0);
            }
            finish(cpu, c);
            v[destination] = low;
            v[destination + 1] = high;
        }

        private boolean selected(int bit) {
            return (control >>> bit & 1) != 0;
        }

        private int product(FloatContext c, int bit, int a, int b) {
            return selected(bit) ? HostFloat.multiply(c, a, b) : 0;
        }
    }
}
