package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import dev.kagami.cpu.x86.softfloat.Float80;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;

/** FADD, FMUL, FSUB(R), FDIV(R), FCOM(P) in their register and memory forms, and the other comparisons. */
final class X87Arithmetic {
    static final int ADD = 0;
    static final int MULTIPLY = 1;
    static final int COMPARE = 2;
    static final int COMPARE_POP = 3;
    static final int SUBTRACT = 4;
    static final int SUBTRACT_REVERSED = 5;
    static final int DIVIDE = 6;

    private X87Arithmetic() {}

    /** Applies the operation that bits 3 to 5 of ModRM name; "reversed" ones have the second operand on the left. */
    private static void apply(int operation, FloatContext c, int sea, long sa, int seb, long sb) {
        switch (operation) {
            case ADD -> Float80.add(c, sea, sa, seb, sb);
            case MULTIPLY -> Float80.multiply(c, sea, sa, seb, sb);
            case SUBTRACT -> Float80.subtract(c, sea, sa, seb, sb);
            case SUBTRACT_REVERSED -> Float80.subtract(c, seb, sb, sea, sa);
            case DIVIDE -> Float80.divide(c, sea, sa, seb, sb);
            default -> Float80.divide(c, seb, sb, sea, sa);
        }
    }

    /** {@return a comparison's result in C3, C2 and C0 (SDM 2A FCOM)} */
    private static int conditions(int relation) {
        return switch (relation) {
            case BinaryFloat.LESS -> X87.C0;
            case BinaryFloat.EQUAL -> X87.C3;
            case BinaryFloat.UNORDERED -> X87.C3 | X87.C2 | X87.C0;
            default -> 0;
        };
    }

    /** Writes the conditions of a comparison that may be written. */
    private static void setConditions(X87 x87, int relation) {
        x87.status = x87.status & ~(X87.C3 | X87.C2 | X87.C0) | conditions(relation);
    }

    /** {@return the size of a memory operand of opcodes D8, DA, DC and DE} */
    private static int bytes(int opcode) {
        return switch (opcode & 7) {
            case 4 -> 8;
            case 6 -> 2;
            default -> 4;
        };
    }

    /** Opcodes D8 (m32fp), DA (m32int), DC (m64fp) and DE (m16int) with a memory operand. */
    static final class Memory extends X87Op {
        private final int format;
        private final int operation;

        Memory(Instruction in) {
            super(in, bytes(in.opcode), false);
            format = in.opcode & 7;
            operation = in.group();
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            long address = address(cpu);
            switch (format) {
                case 0 -> Float80.widen(c, FloatFormat.BINARY32, cpu.readInt(address) & 0xFFFF_FFFFL);
                case 2 -> Float80.fromInteger(c, cpu.readInt(address));
                case 4 -> Float80.widen(c, FloatFormat.BINARY64, cpu.readLong(address));
                default -> Float80.fromInteger(c, (short) cpu.readShort(address));
            }
            record(cpu);
            boolean compares = operation == COMPARE || operation == COMPARE_POP;
            if (x87.isEmpty(0)) {
                if (x87.underflow()) {
                    if (compares) {
                        setConditions(x87, BinaryFloat.UNORDERED);
                    } else {
                        x87.setIndefinite(0);
                    }
                    popIfAsked(x87);
                }
                return;
            }
            int se = x87.signExponent(0);
            long s = x87.significand(0);
            if (compares) {
                int relation = Float80.compare(c, se, s, c.signExponent, c.significand, true);
                if (x87.commit()) {
                    setConditions(x87, relation);
                    popIfAsked(x87);
                }
                return;
            }
            apply(operation, c, se, s, c.signExponent, c.significand);
            if (x87.commit()) {
                x87.setResult(0);
            }
        }

        private void popIfAsked(X87 x87) {
            if (operation == COMPARE_POP) {
                x87.pop();
            }
        }
    }

    /** Opcodes D8 (to ST(0)), DC (to ST(i)) and DE (to ST(i), then pop) with registers. */
    static final class Registers extends X87Op {
        private final int operation;
        private final int operand;
        private final int target;
        private final boolean pops;

        Registers(Instruction in) {
            super(in);
            operation = in.group();
            operand = in.rm & 7;
            target = in.opcode == 0xD8 ? 0 : operand;
            pops = in.opcode == 0xDE;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            if (x87.isEmpty(0) || x87.isEmpty(operand)) {
                if (!x87.underflow()) {
                    return;
                }
                x87.setIndefinite(target);
            } else {
                int register = x87.physical(operand);
                apply(
                        operation,
                        c,
                        x87.signExponent(0),
                        x87.significand(0),
                        x87.signExponent[register] & 0xFFFF,
                        x87.significand[register]);
                if (!x87.commit()) {
                    return;
                }
                x87.setResult(target);
            }
            if (pops) {
                x87.pop();
            }
        }
    }

    /** FCOM, FCOMP, FCOMPP, FUCOM, FUCOMP, FUCOMPP and FTST: the comparison in C3, C2 and C0. */
    static final class Compare extends X87Op {
        /** The operand is the constant zero (FTST). */
        static final int ZERO = -1;

        private final int operand;
        private final int pops;
        private final boolean quietIsInvalid;

        Compare(Instruction in, int operand, int pops, boolean quietIsInvalid) {
            super(in);
            this.operand = operand;
            this.pops = pops;
            this.quietIsInvalid = quietIsInvalid;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            int relation = BinaryFloat.UNORDERED;
            if (x87.isEmpty(0) || operand != ZERO && x87.isEmpty(operand)) {
                if (!x87.underflow()) {
                    return;
                }
            } else {
                int se = operand == ZERO ? 0 : x87.signExponent(operand);
                long s = operand == ZERO ? 0 : x87.significand(operand);
                relation = Float80.compare(c, x87.signExponent(0), x87.significand(0), se, s, quietIsInvalid);
                if (!x87.commit()) {
                    return;
                }
            }
            setConditions(x87, relation);
            for (int i = 0; i < pops; i++) {
                x87.pop();
            }
        }
    }

    /** FCOMI, FCOMIP, FUCOMI and FUCOMIP: the comparison in ZF, PF and CF. */
    static final class CompareToFlags extends X87Op {
        private final int operand;
        private final boolean pops;
        private final boolean quietIsInvalid;

        CompareToFlags(Instruction in, boolean quietIsInvalid) {
            super(in);
            operand = in.rm & 7;
            pops = in.opcode == 0xDF;
            this.quietIsInvalid = quietIsInvalid;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            int relation = BinaryFloat.UNORDERED;
            if (x87.isEmpty(0) || x87.isEmpty(operand)) {
                if (!x87.underflow()) {
                    return;
                }
            } else {
                int se = x87.signExponent(operand);
                long s = x87.significand(operand);
                relation = Float80.compare(c, x87.signExponent(0), x87.significand(0), se, s, quietIsInvalid);
                if (!x87.commit()) {
                    return;
                }
            }
            cpu.setArithmeticFlags(SseFloatOps.relationFlags(relation));
            if (pops) {
                x87.pop();
            }
        }
    }
}
