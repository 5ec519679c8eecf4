package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;
import dev.kagami.cpu.x86.softfloat.FusedMultiplyAdd;

/** FMA: a product and a sum rounded once (SDM 1 14.5). */
final class VexFused extends VexOp {
    private static final int ALTERNATES_ADD_SUBTRACT = 6;
    private static final int ALTERNATES_SUBTRACT_ADD = 7;
    private static final int ORDER_132 = 9;
    private static final int ORDER_213 = 10;

    private final FloatFormat format;
    private final boolean scalar;
    private final boolean doubles;
    private final int order;
    private final boolean negatesProduct;
    /** One bit each for even and odd elements. */
    private final int negatesAddend;

    private VexFused(Instruction in, boolean scalar) {
        super(in, scalar ? in.w ? 8 : 4 : vectorBytes(in), false);
        this.scalar = scalar;
        doubles = in.w;
        format = doubles ? FloatFormat.BINARY64 : FloatFormat.BINARY32;
        order = in.opcode >> 4;
        int operation = in.opcode & 15;
        negatesProduct = operation >= 12;
        negatesAddend = switch (operation) {
            case ALTERNATES_ADD_SUBTRACT -> 1;
            case ALTERNATES_SUBTRACT_ADD -> 2;
            default -> (operation & 2) != 0 ? 3 : 0;
        };
    }

    static Op create(Instruction in) {
        int operation = in.opcode & 15;
        boolean scalar = operation >= 8 && (operation & 1) != 0;
        if (scalar) {
            in.vectorLength = 0;
        }
        return new VexFused(in, scalar);
    }

    private long combine(FloatContext c, int element, long a, long b, long third) {
        int subtract = negatesAddend >> (element & 1) & 1;
        // a is the destination, b VEX.vvvv's register, third the register or memory of ModRM.rm.
        return switch (order) {
            case ORDER_132 -> FusedMultiplyAdd.combine(c, format, a, third, b, negatesProduct, subtract);
            case ORDER_213 -> FusedMultiplyAdd.combine(c, format, b, a, third, negatesProduct, subtract);
            default -> FusedMultiplyAdd.combine(c, format, b, third, a, negatesProduct, subtract);
        };
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
                v[RESULT + i] = combine(c, i, a, b, third);
            } else {
                int low = (int) combine(c, 0, a & 0xFFFF_FFFFL, b & 0xFFFF_FFFFL, third & 0xFFFF_FFFFL);
                v[RESULT + i] = scalar
                        ? SseFloatOp.replaceLow(a, low)
                        : SseFloatOp.join(low, (int) combine(c, 1, a >>> 32, b >>> 32, third >>> 32));
            }
        }
        SseFloatOp.finish(cpu, c);
        finishResult(v);
    }
}
