package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.HalfFloat;
import dev.kagami.cpu.x86.softfloat.HostFloat;
import org.jspecify.annotations.Nullable;

/** Comparison with its 32 predicates, and conversion from and to half precision. */
final class VexFloats {
    private static final int LESS = 1;
    private static final int EQUAL = 1 << 1;
    private static final int GREATER = 1 << 2;
    private static final int UNORDERED = 1 << 3;

    /** For each predicate, 16 of them, the relations for which it holds (SDM 2A CMPPD, table 3-1). */
    private static final byte[] HOLDS = {
        EQUAL,
        LESS,
        LESS | EQUAL,
        UNORDERED,
        LESS | GREATER | UNORDERED,
        EQUAL | GREATER | UNORDERED,
        GREATER | UNORDERED,
        LESS | EQUAL | GREATER,
        EQUAL | UNORDERED,
        LESS | UNORDERED,
        LESS | EQUAL | UNORDERED,
        0,
        LESS | GREATER,
        EQUAL | GREATER,
        GREATER,
        LESS | EQUAL | GREATER | UNORDERED
    };

    private VexFloats() {}

    /**
     * {@return a set of the relations for which a predicate, 0 to 31, holds} A relation's bit is that with its number, as
     * {@link BinaryFloat} has it, and 1.
     */
    static int holds(int predicate) {
        return HOLDS[predicate & 15];
    }

    /** {@return whether a predicate, 0 to 31, raises the invalid exception for quiet NaNs too} */
    static boolean signals(int predicate) {
        return SseFloatLanes.signals(predicate) != predicate >= 16;
    }

    static Op compare(Instruction in) {
        boolean scalar = in.pp == Instruction.PP_F2 || in.pp == Instruction.PP_F3;
        if (scalar) {
            in.vectorLength = 0;
        }
        return new Compare(in, scalar);
    }

    static @Nullable Op fromHalf(Instruction in) {
        return in.w || in.vvvv != 0 ? null : new FromHalf(in);
    }

    static @Nullable Op toHalf(Instruction in) {
        return in.w || in.vvvv != 0 ? null : new ToHalf(in);
    }

    /** VCMPPS, VCMPPD, VCMPSS and VCMPSD. */
    private static final class Compare extends VexOp {
        private final boolean doubles;
        private final boolean scalar;
        private final int holds;
        private final boolean signals;

        Compare(Instruction in, boolean scalar) {
            super(in, scalar ? SseFloatOps.operandBytes(in.pp) : vectorBytes(in), false);
            this.scalar = scalar;
            doubles = in.pp == Instruction.PP_66 || in.pp == Instruction.PP_F2;
            int predicate = (int) in.immediate & 31;
            holds = VexFloats.holds(predicate);
            signals = VexFloats.signals(predicate);
        }

        private long compareDouble(FloatContext c, long a, long b) {
            return -(holds >> HostFloat.compare(c, a, b, signals) + 1 & 1L);
        }

        private int compareSingle(FloatContext c, int a, int b) {
            return -(holds >> HostFloat.compare(c, a, b, signals) + 1 & 1);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            FloatContext c = cpu.sse;
            c.useMxcsr(cpu.mxcsr);
            v[RESULT + 1] = v[first + 1];
            for (int i = 0; i < (scalar ? 1 : quadwords); i++) {
                long a = v[first + i];
                long b = v[s + i];
                if (doubles) {
                    v[RESULT + i] = compareDouble(c, a, b);
                } else {
                    int low = compareSingle(c, (int) a, (int) b);
                    v[RESULT + i] = scalar
                            ? SseFloatOp.replaceLow(a, low)
                            : SseFloatOp.join(low, compareSingle(c, (int) (a >>> 32), (int) (b >>> 32)));
                }
            }
            SseFloatOp.finish(cpu, c);
            finishResult(v);
        }
    }

    /** VCVTPH2PS. */
    private static final class FromHalf extends VexOp {
        FromHalf(Instruction in) {
            super(in, vectorBytes(in) / 2, false);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            FloatContext c = cpu.sse;
            c.useMxcsr(cpu.mxcsr);
            for (int i = 0; i < quadwords; i++) {
                int pair = doubleword(v, s, i);
                v[RESULT + i] =
                        SseFloatOp.join(HalfFloat.toSingle(c, pair & 0xFFFF), HalfFloat.toSingle(c, pair >>> 16));
            }
            SseFloatOp.finish(cpu, c);
            finishResult(v);
        }
    }

    /** VCVTPS2PH. */
    private static final class ToHalf extends VexOp {
        private final int control;

        ToHalf(Instruction in) {
            super(in, vectorBytes(in) / 2, true);
            control = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            FloatContext c = cpu.sse;
            c.useMxcsr(cpu.mxcsr);
            v[RESULT + 1] = 0;
            for (int i = 0; i < quadwords; i++) {
                long pair = v[destination + i];
                int low = HalfFloat.fromSingle(c, (int) pair, control);
                int high = HalfFloat.fromSingle(c, (int) (pair >>> 32), control);
                VexMasked.set(v, RESULT, i, false, low | high << 16);
            }
            if (source < 0) {
                // A store that faults must leave MXCSR alone.
                long address = address(cpu);
                cpu.mmu.probe(address, bytes, true);
                SseFloatOp.finish(cpu, c);
                if (bytes == 8) {
                    cpu.writeLong(address, v[RESULT]);
                } else {
                    cpu.write128(address, v[RESULT], v[RESULT + 1]);
                }
                return;
            }
            SseFloatOp.finish(cpu, c);
            v[source] = v[RESULT];
            v[source + 1] = v[RESULT + 1];
            clearAbove(v, source, 2);
        }
    }
}
