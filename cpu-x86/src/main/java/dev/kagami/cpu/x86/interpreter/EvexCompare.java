package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.HostFloat;

/** VCMPPS, VCMPPD, VCMPSS and VCMPSD: a bit for each element in an opmask register. */
final class EvexCompare extends EvexFloatOp {
    private final boolean doubles;
    private final int holds;
    private final boolean signals;

    EvexCompare(Instruction in) {
        super(in);
        doubles = in.w;
        int predicate = (int) in.immediate & 31;
        holds = VexFloats.holds(predicate);
        signals = VexFloats.signals(predicate);
    }

    @Override
    long element(FloatContext c, int number, long left, long right, long old) {
        return holds >> relation(c, doubles, left, right, signals) + 1 & 1;
    }

    private static int relation(FloatContext c, boolean doubles, long left, long right, boolean signals) {
        return doubles
                ? HostFloat.compare(c, left, right, signals)
                : HostFloat.compare(c, (int) left, (int) right, signals);
    }

    /** VCOMISS, VCOMISD, VUCOMISS and VUCOMISD: the comparison in ZF, PF and CF. */
    static final class ToFlags extends EvexFloatOp {
        private final boolean doubles;
        private final boolean signals;

        ToFlags(Instruction in) {
            super(in);
            doubles = in.w;
            signals = in.opcode == SseFloatOps.COMIS;
        }

        @Override
        long element(FloatContext c, int number, long left, long right, long old) {
            return relation(c, doubles, left, right, signals);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            FloatContext c = begin(cpu);
            int relation = (int) element(c, 0, cpu.vec[destination], cpu.vec[s], 0);
            report(cpu, c);
            cpu.setArithmeticFlags(SseFloatOps.relationFlags(relation));
        }
    }
}
