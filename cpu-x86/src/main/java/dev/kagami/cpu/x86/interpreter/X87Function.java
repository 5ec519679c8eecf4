package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.Float80;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.Remainder80;
import dev.kagami.cpu.x86.softfloat.Transcendental80;

/** The x87 instructions of opcode D9 E0 to FF that compute something from ST(0), and perhaps ST(1). */
final class X87Function {
    // Low six bits of ModRM.
    static final int CHANGE_SIGN = 0x20;
    static final int ABSOLUTE = 0x21;
    static final int EXAMINE = 0x25;
    static final int POWER = 0x30;
    static final int Y_LOG = 0x31;
    static final int TANGENT = 0x32;
    static final int ARCTANGENT = 0x33;
    static final int EXTRACT = 0x34;
    static final int REMAINDER_NEAREST = 0x35;
    static final int REMAINDER = 0x38;
    static final int Y_LOG_PLUS_1 = 0x39;
    static final int SQUARE_ROOT = 0x3A;
    static final int SINE_COSINE = 0x3B;
    static final int ROUND = 0x3C;
    static final int SCALE = 0x3D;
    static final int SINE = 0x3E;
    static final int COSINE = 0x3F;

    private X87Function() {}

    /** FCHS, FABS, FSQRT, FRNDINT, F2XM1, FSIN and FCOS: ST(0) becomes a function of itself. */
    static final class Unary extends X87Op {
        private final int function;

        Unary(Instruction in, int function) {
            super(in);
            this.function = function;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            if (x87.isEmpty(0)) {
                if (x87.underflow()) {
                    x87.setIndefinite(0);
                }
                return;
            }
            int se = x87.signExponent(0);
            long s = x87.significand(0);
            switch (function) {
                case CHANGE_SIGN -> {
                    c.signExponent = se ^ Float80.SIGN;
                    c.significand = s;
                }
                case ABSOLUTE -> {
                    c.signExponent = se & Float80.MAX_EXPONENT;
                    c.significand = s;
                }
                case SQUARE_ROOT -> Float80.squareRoot(c, se, s);
                case ROUND -> Float80.roundToIntegral(c, se, s);
                case POWER -> Transcendental80.powerMinusOne(c, se, s);
                default -> {
                    x87.status &= ~X87.C2;
                    if (Transcendental80.outOfRange(se, s)) {
                        // The operand stays; software has to reduce it (SDM 2A FSIN).
                        x87.status = x87.status & ~X87.C1 | X87.C2;
                        return;
                    }
                    if (function == SINE) {
                        Transcendental80.sine(c, se, s);
                    } else {
                        Transcendental80.cosine(c, se, s);
                    }
                }
            }
            if (x87.commit()) {
                x87.setResult(0);
            }
        }
    }

    /** FSCALE, FPREM and FPREM1: ST(0) becomes a function of ST(0) and ST(1). */
    static final class Binary extends X87Op {
        private final int function;

        Binary(Instruction in, int function) {
            super(in);
            this.function = function;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            if (x87.isEmpty(0) || x87.isEmpty(1)) {
                if (x87.underflow()) {
                    x87.setIndefinite(0);
                }
                return;
            }
            int sea = x87.signExponent(0);
            long sa = x87.significand(0);
            int seb = x87.signExponent(1);
            long sb = x87.significand(1);
            if (function == SCALE) {
                Float80.scale(c, sea, sa, seb, sb);
                if (x87.commit()) {
                    x87.setResult(0);
                }
                return;
            }
            int quotient = Remainder80.remainder(c, sea, sa, seb, sb, function == REMAINDER_NEAREST);
            if (x87.commit()) {
                x87.setResult(0);
                x87.status = x87.status & ~X87.CONDITIONS | quotientConditions(quotient);
            }
        }

        /** Quotient bits 2, 1 and 0 go to C0, C3 and C1; C2 tells that the reduction is partial (SDM 2A FPREM). */
        private static int quotientConditions(int quotient) {
            if (quotient == Remainder80.PARTIAL) {
                return X87.C2;
            }
            return ((quotient & 4) != 0 ? X87.C0 : 0)
                    | ((quotient & 2) != 0 ? X87.C3 : 0)
                    | ((quotient & 1) != 0 ? X87.C1 : 0);
        }
    }

    /** FYL2X, FYL2XP1 and FPATAN: ST(1) becomes a function of both, then a pop. */
    static final class BinaryPop extends X87Op {
        private final int function;

        BinaryPop(Instruction in, int function) {
            super(in);
            this.function = function;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            if (x87.isEmpty(0) || x87.isEmpty(1)) {
                if (x87.underflow()) {
                    x87.setIndefinite(1);
                    x87.pop();
                }
                return;
            }
            int sex = x87.signExponent(0);
            long sx = x87.significand(0);
            int sey = x87.signExponent(1);
            long sy = x87.significand(1);
            switch (function) {
                case Y_LOG -> Transcendental80.yLogarithm(c, sex, sx, sey, sy);
                case Y_LOG_PLUS_1 -> Transcendental80.yLogarithmPlusOne(c, sex, sx, sey, sy);
                default -> Transcendental80.arctangent(c, sex, sx, sey, sy);
            }
            if (x87.commit()) {
                x87.setResult(1);
                x87.pop();
            }
        }
    }

    /** FXTRACT, FPTAN and FSINCOS: two results, ST(0) replaced by the first and the second pushed. */
    static final class Pair extends X87Op {
        private final int function;

        Pair(Instruction in, int function) {
            super(in);
            this.function = function;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            boolean empty = x87.isEmpty(0);
            if (empty || !x87.isEmpty(-1)) {
                if (function != EXTRACT) {
                    x87.status &= ~X87.C2;
                }
                if (empty ? x87.underflow() : x87.overflow()) {
                    x87.setIndefinite(0);
                    x87.pushIndefinite();
                }
                return;
            }
            int se = x87.signExponent(0);
            long s = x87.significand(0);
            if (function != EXTRACT) {
                x87.status &= ~X87.C2;
                if (Transcendental80.outOfRange(se, s)) {
                    x87.status = x87.status & ~X87.C1 | X87.C2;
                    return;
                }
            }
            switch (function) {
                case EXTRACT -> Remainder80.extractExponent(c, se, s);
                case TANGENT -> Transcendental80.tangent(c, se, s);
                default -> Transcendental80.sine(c, se, s);
            }
            int firstSignExponent = c.signExponent;
            long first = c.significand;
            switch (function) {
                case EXTRACT -> Remainder80.extractSignificand(c, se, s);
                case TANGENT -> {
                    // FPTAN pushes 1, for compatibility with the 8087; a NaN is pushed again.
                    if (!Float80.isNan(c.signExponent, c.significand)) {
                        c.signExponent = Float80.BIAS;
                        c.significand = Float80.INTEGER_BIT;
                    }
                }
                default -> Transcendental80.cosine(c, se, s);
            }
            if (x87.commit()) {
                x87.set(0, firstSignExponent, first);
                x87.push(c.signExponent, c.significand);
            }
        }
    }

    /** FXAM: the class of ST(0) in C3, C2 and C0, its sign in C1. */
    static final class Examine extends X87Op {
        Examine(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            begin(cpu);
            record(cpu);
            int se = x87.signExponent(0);
            int sign = (se & Float80.SIGN) != 0 ? X87.C1 : 0;
            x87.status = x87.status & ~X87.CONDITIONS | sign | kind(x87, se, x87.significand(0));
        }

        private static int kind(X87 x87, int se, long s) {
            if (x87.isEmpty(0)) {
                return X87.C3 | X87.C0;
            }
            if (Float80.isZero(se, s)) {
                return X87.C3;
            }
            if (Float80.isDenormal(se, s)) {
                return X87.C3 | X87.C2;
            }
            if (Float80.isUnsupported(se, s)) {
                return 0;
            }
            if (Float80.isNan(se, s)) {
                return X87.C0;
            }
            return Float80.isInfinity(se, s) ? X87.C2 | X87.C0 : X87.C2;
        }
    }

    /** FINCSTP, FDECSTP, FFREE, FFREEP and FNOP. */
    static final class Stack extends X87Op {
        private final int rotation;
        private final int freed;
        private final boolean pops;

        private Stack(Instruction in, int rotation, int freed, boolean pops) {
            super(in);
            this.rotation = rotation;
            this.freed = freed;
            this.pops = pops;
        }

        static Stack rotate(Instruction in, int rotation) {
            return new Stack(in, rotation, -1, false);
        }

        static Stack free(Instruction in, boolean pops) {
            return new Stack(in, 0, in.rm & 7, pops);
        }

        static Stack nothing(Instruction in) {
            return new Stack(in, 0, -1, false);
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            begin(cpu);
            record(cpu);
            if (freed >= 0) {
                x87.free(freed);
            }
            if (rotation != 0) {
                x87.status &= ~X87.C1;
            }
            if (pops) {
                x87.pop();
            }
            x87.rotate(rotation);
        }
    }
}
