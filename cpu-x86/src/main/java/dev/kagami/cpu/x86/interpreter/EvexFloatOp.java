package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;

/**
 * A floating-point instruction of AVX-512, of which subclasses compute one element. Only elements that are selected are computed,
 * so that others raise no exceptions; those of the selected ones are reported together, before anything is written.
 */
abstract class EvexFloatOp extends EvexOp {
    private static final long LOW = 0xFFFF_FFFFL;
    private static final int ROUNDING = 3 << 13;

    /** All exceptions masked; and the inexact flag set, so that nobody need find out whether a result is exact. */
    private static final int SUPPRESSED = 0x1F80 | FloatContext.INEXACT;

    /** Format of the operands' elements, unless they are integers. */
    final FloatFormat format;

    /** Bytes of an element of the second operand. */
    final int from;

    /** Bytes of an element of the result. */
    private final int to;

    private final int elements;
    private final boolean toMask;
    private final boolean suppresses;

    // What EVEX.b changes of MXCSR for this instruction.
    private final int mxcsrKept;
    private final int mxcsrSet;

    EvexFloatOp(Instruction in) {
        this(in, elementBytes(in), elementBytes(in));
    }

    private static int elementBytes(Instruction in) {
        return in.w ? Long.BYTES : Integer.BYTES;
    }

    /** Creates an op with elements of so many bytes in the second operand and in the result. */
    EvexFloatOp(Instruction in, int from, int to) {
        super(in);
        this.from = from;
        this.to = to;
        format = from == Long.BYTES ? FloatFormat.BINARY64 : FloatFormat.BINARY32;
        elements = form.scalar ? 1 : quadwords * Long.BYTES / Math.max(from, to);
        toMask = form.reg == EvexForm.Operand.MASK;
        suppresses = form.roundsStatically(in);
        boolean rounds = suppresses && form.rounds;
        mxcsrKept = rounds ? ~ROUNDING : -1;
        mxcsrSet = (suppresses ? SUPPRESSED : 0) | (rounds ? in.vectorLength * (ROUNDING / 3) : 0);
    }

    /**
     * Computes an element.
     *
     * @param c the context, with the rounding that is asked for
     * @param number of the element
     * @param left element of the first operand, when there is one
     * @param right element of the second operand
     * @param old element of the destination
     * @return element of the result; when the destination is an opmask register, one bit
     */
    abstract long element(FloatContext c, int number, long left, long right, long old);

    /** {@return the slot of the register that a scalar instruction takes all but the lowest element from} */
    int rest() {
        return first;
    }

    @Override
    void execute(Cpu cpu) {
        int s = source(cpu);
        FloatContext c = begin(cpu);
        long[] v = cpu.vec;
        long selected = selected(cpu) & ones(elements);
        long bits = 0;
        if (from == Long.BYTES && to == Long.BYTES) {
            bits = wide(c, v, s, selected);
        } else if (from == Integer.BYTES && to == Integer.BYTES) {
            bits = narrow(c, v, s, selected);
        } else {
            for (int i = 0; i < elements; i++) {
                if ((selected >> i & 1) != 0) {
                    set(v, RESULT, i, to, element(c, i, 0, get(v, s, i, from), 0));
                }
            }
        }
        report(cpu, c);
        if (toMask) {
            finishMask(cpu, bits, elements);
        } else if (form.scalar) {
            finishScalar(cpu, rest());
        } else {
            finish(cpu, elements * to);
        }
    }

    /** Computes elements of 64 bits; {@return the lowest bits of all} */
    private long wide(FloatContext c, long[] v, int s, long selected) {
        long bits = 0;
        for (int i = 0; i < elements; i++) {
            if ((selected >> i & 1) != 0) {
                long value = element(c, i, v[first + i], v[s + i], v[destination + i]);
                v[RESULT + i] = value;
                bits |= (value & 1) << i;
            }
        }
        return bits;
    }

    /** Does the same with elements of 32 bits. */
    private long narrow(FloatContext c, long[] v, int s, long selected) {
        long bits = 0;
        for (int i = 0; i < elements; i += 2) {
            long left = v[first + (i >> 1)];
            long right = v[s + (i >> 1)];
            long old = v[destination + (i >> 1)];
            long low = 0;
            long high = 0;
            if ((selected >> i & 1) != 0) {
                low = element(c, i, left & LOW, right & LOW, old & LOW);
            }
            if ((selected >> i & 2) != 0) {
                high = element(c, i + 1, left >>> 32, right >>> 32, old >>> 32);
            }
            v[RESULT + (i >> 1)] = low & LOW | high << 32;
            bits |= (low & 1 | (high & 1) << 1) << i;
        }
        return bits;
    }

    /** Prepares the context for MXCSR, and for what EVEX.b says instead. */
    final FloatContext begin(Cpu cpu) {
        FloatContext context = cpu.sse;
        context.useMxcsr(cpu.mxcsr & mxcsrKept | mxcsrSet);
        return context;
    }

    /** Reports exceptions unless EVEX.b suppresses them; an unmasked one leaves the instruction. */
    final void report(Cpu cpu, FloatContext context) {
        if (!suppresses) {
            SseFloatOp.finish(cpu, context);
        }
    }
}
