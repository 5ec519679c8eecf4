package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.EvexForm.Operand;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.HalfFloat;

/** VCVT: conversions between the formats of floating-point numbers, and between those and integers. */
class EvexConvert extends EvexFloatOp {
    private final EvexConversion conversion;

    private EvexConvert(Instruction in, EvexConversion conversion) {
        super(in, conversion.fromBytes(), conversion.toBytes());
        this.conversion = conversion;
    }

    static Op create(Instruction in, EvexForm form) {
        EvexConversion conversion = new EvexConversion(form.name, in.w);
        if (form.stores) {
            return new ToHalf(in, conversion);
        }
        if (form.reg == Operand.GENERAL) {
            return new ToGeneral(in, conversion);
        }
        return form.rm == Operand.GENERAL ? new FromGeneral(in, conversion) : new EvexConvert(in, conversion);
    }

    @Override
    final long element(FloatContext c, int number, long left, long right, long old) {
        return conversion.convert(c, right);
    }

    /** VCVTSI2SS and its kin. */
    private static final class FromGeneral extends EvexConvert {
        private final int register;

        FromGeneral(Instruction in, EvexConversion conversion) {
            super(in, conversion);
            register = in.isMemory() ? -1 : in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long value = register < 0 ? cpu.vec[s] : Operands.register(cpu, register, from, false);
            FloatContext c = begin(cpu);
            cpu.vec[RESULT] = element(c, 0, 0, value, 0);
            report(cpu, c);
            finishScalar(cpu);
        }
    }

    /** VCVTSS2SI and its kin. */
    private static final class ToGeneral extends EvexConvert {
        private final int register;
        private final int size;

        ToGeneral(Instruction in, EvexConversion conversion) {
            super(in, conversion);
            register = in.reg;
            size = conversion.toBytes();
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            FloatContext c = begin(cpu);
            long value = element(c, 0, 0, get(cpu.vec, s, 0, from), 0);
            report(cpu, c);
            Operands.setRegister(cpu, register, size, false, value);
        }
    }

    /** VCVTPS2PH. */
    private static final class ToHalf extends EvexConvert {
        private final int operand;
        private final int count;
        private final int control;

        ToHalf(Instruction in, EvexConversion conversion) {
            super(in, conversion);
            operand = in.reg * STRIDE;
            count = quadwords * 2;
            control = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            FloatContext c = begin(cpu);
            long[] v = cpu.vec;
            long selected = selected(cpu);
            for (int i = 0; i < count; i++) {
                if ((selected >> i & 1) != 0) {
                    int half = HalfFloat.fromSingle(c, (int) get(v, operand, i, Float.BYTES), control);
                    set(v, RESULT, i, Short.BYTES, half);
                }
            }
            if (destination < 0) {
                // A store that faults must leave MXCSR alone.
                probeStore(cpu, count * Short.BYTES);
            }
            report(cpu, c);
            finish(cpu, count * Short.BYTES);
        }
    }
}
