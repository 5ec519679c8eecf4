package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import org.jspecify.annotations.Nullable;

/**
 * The VEX form of an SSE instruction: the op of the SSE form does the work, once for each 128-bit lane, on slots that the
 * operands are copied to and from. What VEX changes is done around it: three operands, wide registers, zeros above the
 * result, unaligned memory.
 */
final class VexLanes extends VexOp {
    /** VEX.vvvv names no register: it must be 1111. */
    static final int UNARY = 1;

    /** Exists with 128 bits only. */
    static final int NARROW = 1 << 1;

    /** VEX.L is ignored and taken as 0: scalar instructions. */
    static final int ANY_LENGTH = 1 << 2;

    /** The SSE form reads the operand in ModRM.rm by itself; it is a single element. */
    static final int SCALAR = 1 << 3;

    /** The SSE form works on the real registers, and has no vector register as its destination. */
    static final int DIRECT = 1 << 4;

    /** Both lanes use the same 128 bits of the second operand: a shift's count. */
    static final int SHARED = 1 << 5;

    /** The first operand is in ModRM.rm, the destination in VEX.vvvv, and ModRM.reg extends the opcode. */
    static final int SHIFT = 1 << 6;

    /** Each lane gives 64 bits. */
    static final int NARROWS = 1 << 7;

    /** VEX.W must be 0. */
    static final int W0 = 1 << 8;

    /** VEX.W must be 1. */
    static final int W1 = 1 << 9;

    /** {@link #WIDENS} times the log2 of how many times wider the result's elements are. */
    static final int WIDENS = 1 << 10;

    private static final int WIDENS_MASK = 3 * WIDENS;

    /** With {@link #DIRECT}: XMM0 is a destination that the instruction doesn't name. */
    static final int WRITES_XMM0 = 1 << 12;

    /** {@link #IMMEDIATE} times the bits by which the immediate is shifted for the upper lane. */
    static final int IMMEDIATE = 1 << 13;

    private static final int FIRST_REGISTER = FIRST / STRIDE;
    private static final int SECOND_REGISTER = SECOND / STRIDE;
    private static final long MXCSR_MASKS = 0x1F80;

    private final Op low;
    private final Op high;
    private final int form;
    private final int left;
    private final int to;
    private final int step;

    private VexLanes(Instruction in, int form, int bytes, Op low, Op high) {
        super(in, bytes, false);
        this.form = form;
        this.low = low;
        this.high = high;
        boolean shift = (form & SHIFT) != 0;
        left = shift ? in.rm * STRIDE : first;
        to = shift ? first : destination;
        step = (form & SHARED) != 0 ? 0 : 16 >> (form & WIDENS_MASK) / WIDENS;
    }

    /**
     * Makes the op.
     *
     * @param in the instruction
     * @param form the constants above
     * @return the op, or null when no instruction has this encoding
     */
    static @Nullable Op create(Instruction in, int form) {
        if (in.vvvv != 0 && (form & UNARY) != 0
                || in.vectorLength != 0 && (form & NARROW) != 0
                || in.w && (form & W0) != 0
                || !in.w && (form & W1) != 0) {
            return null;
        }
        if ((form & ANY_LENGTH) != 0) {
            in.vectorLength = 0;
        }
        int step = (form & SHARED) != 0 ? 16 : 16 >> (form & WIDENS_MASK) / WIDENS;
        int bytes = (form & SHARED) != 0 || in.vectorLength == 0 ? step : 2 * step;
        Op low = legacy(in, form, 0);
        Op high = form < IMMEDIATE || low == null ? low : legacy(in, form, form / IMMEDIATE);
        return low == null || high == null ? null : new VexLanes(in, form, bytes, low, high);
    }

    /** Makes the op of the SSE form on the slots; leaves the instruction as it was. */
    private static @Nullable Op legacy(Instruction in, int form, int immediateShift) {
        int reg = in.reg;
        int rm = in.rm;
        int mod = in.mod;
        long immediate = in.immediate;
        boolean w = in.w;
        in.encoding = Instruction.ENCODING_LEGACY;
        in.w = w && in.mode == 64;
        in.immediate = (immediate & 0xFF) >> immediateShift;
        if ((form & SHIFT) != 0) {
            in.rm = FIRST_REGISTER;
        } else if ((form & DIRECT) == 0) {
            in.reg = FIRST_REGISTER;
            if ((form & SCALAR) == 0) {
                in.rm = SECOND_REGISTER;
                in.mod = 3;
            }
        }
        Op op = SimdOps.create(in);
        if (op == null) {
            op = SseFloatOps.create(in);
        }
        in.encoding = Instruction.ENCODING_VEX;
        in.reg = reg;
        in.rm = rm;
        in.mod = mod;
        in.immediate = immediate;
        in.w = w;
        return op;
    }

    @Override
    void place(int offset, int ordinal) {
        super.place(offset, ordinal);
        low.place(offset, ordinal);
        if (high != low) {
            high.place(offset, ordinal);
        }
    }

    @Override
    void execute(Cpu cpu) {
        require(cpu);
        // The SSE forms look at these, the VEX forms do not; and exceptions of both lanes are reported together.
        boolean usual = (cpu.cr0 & Cpu.CR0_EM | ~cpu.cr4 & Cpu.CR4_OSFXSR | ~cpu.mxcsr & MXCSR_MASKS) == 0;
        if (usual) {
            run(cpu);
        } else {
            runUnusually(cpu);
        }
    }

    private void run(Cpu cpu) {
        if ((form & DIRECT) != 0) {
            runDirectly(cpu);
            return;
        }
        long[] v = cpu.vec;
        int s = prepare(cpu);
        for (int i = 0; i < quadwords; i += 2) {
            operands(v, s, i);
            (i == 0 ? low : high).execute(cpu);
            result(v, i);
        }
        deliver(v);
    }

    private void runDirectly(Cpu cpu) {
        low.execute(cpu);
        if ((form & WRITES_XMM0) != 0) {
            clearAbove(cpu.vec, 0, 2);
        }
    }

    private void runUnusually(Cpu cpu) {
        long cr0 = cpu.cr0;
        long cr4 = cpu.cr4;
        int mxcsr = cpu.mxcsr;
        FloatContext c = cpu.sse;
        cpu.cr0 &= ~Cpu.CR0_EM;
        cpu.cr4 |= Cpu.CR4_OSFXSR;
        int flags = 0;
        try {
            if ((form & DIRECT) != 0) {
                runDirectly(cpu);
                return;
            }
            long[] v = cpu.vec;
            int s = prepare(cpu);
            for (int i = 0; i < quadwords; i += 2) {
                operands(v, s, i);
                c.useMxcsr(mxcsr);
                try {
                    (i == 0 ? low : high).execute(cpu);
                } catch (Fault fault) {
                    if (c.unmasked() == 0) {
                        throw fault;
                    }
                }
                flags |= c.flags;
                cpu.mxcsr = mxcsr;
                result(v, i);
            }
        } finally {
            cpu.cr0 = cr0;
            cpu.cr4 = cr4;
        }
        c.flags = flags;
        SseFloatOp.finish(cpu, c);
        deliver(cpu.vec);
    }

    private int prepare(Cpu cpu) {
        return (form & (SCALAR | SHIFT)) != 0 ? 0 : source >= 0 ? source : source(cpu);
    }

    private void operands(long[] v, int s, int lane) {
        v[FIRST] = v[left + lane];
        v[FIRST + 1] = v[left + lane + 1];
        if ((form & (SCALAR | SHIFT)) == 0) {
            int at = step * lane >> 1;
            int slot = s + (at >> 3);
            v[SECOND] = v[slot] >>> ((at & 7) << 3);
            v[SECOND + 1] = v[slot + 1];
        }
    }

    private void result(long[] v, int lane) {
        if ((form & NARROWS) != 0) {
            v[RESULT + (lane >> 1)] = v[FIRST];
        } else {
            v[RESULT + lane] = v[FIRST];
            v[RESULT + lane + 1] = v[FIRST + 1];
        }
    }

    private void deliver(long[] v) {
        int count = (form & NARROWS) != 0 ? quadwords >> 1 : quadwords;
        for (int i = 0; i < count; i++) {
            v[to + i] = v[RESULT + i];
        }
        clearAbove(v, to, count);
    }
}
