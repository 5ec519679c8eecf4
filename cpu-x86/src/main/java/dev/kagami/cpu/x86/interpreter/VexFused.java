package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/** FMA: a product and a sum rounded once (SDM 1 14.5). */
final class VexFused extends VexOp {
    private final FusedOperation operation;
    private final boolean scalar;
    private final boolean doubles;

    private VexFused(Instruction in, boolean scalar) {
        super(in, scalar ? in.w ? 8 : 4 : vectorBytes(in), false);
        this.scalar = scalar;
        doubles = in.w;
        operation = new FusedOperation(in);
    }

    static Op create(Instruction in) {
        boolean scalar = FusedOperation.isScalar(in);
        if (scalar) {
            in.vectorLength = 0;
        }
        return new VexFused(in, scalar);
    }

    @Override
    void execute(Cpu cpu) {
        int s = source(cpu);
        long[] v = cpu.vec;
        FloatContext c = cpu.sse;
        c.useMxcsr(cpu.mxcsr);
        v[RESULT + 1] = v[destination + 1];
        for (int i = 0; i < (scalar ? 1 : quadwords); i++) {
            long a = v[destination + i];
            long b = v[first + i];
            long third = v[s + i];
            if (doubles) {
                v[RESULT + i] = operation.combine(c, i, a, b, third);
            } else {
                int low = (int) operation.combine(c, 0, a & 0xFFFF_FFFFL, b & 0xFFFF_FFFFL, third & 0xFFFF_FFFFL);
                v[RESULT + i] = scalar
                        ? SseFloatOp.replaceLow(a, low)
                        : SseFloatOp.join(low, (int) operation.combine(c, 1, a >>> 32, b >>> 32, third >>> 32));
            }
        }
        SseFloatOp.finish(cpu, c);
        finishResult(v);
    }
}
