package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.Aes;
import dev.kagami.cpu.x86.simd.CarrylessMultiply;
import dev.kagami.cpu.x86.simd.PackedAdd;
import dev.kagami.cpu.x86.simd.PackedShift;
import dev.kagami.cpu.x86.simd.PackedShuffle;

/** Operations within 128-bit lanes: interleaving, packing, shuffles by an immediate or by bytes, AES, carry-less multiplication. */
final class EvexInLane {
    private EvexInLane() {}

    private abstract static class Lanes extends EvexOp {
        /** The immediate, 0 to 255. */
        final int control;

        Lanes(Instruction in) {
            super(in);
            control = (int) in.immediate & 0xFF;
        }

        @Override
        final void execute(Cpu cpu) {
            int s = source(cpu);
            for (int i = 0; i < quadwords; i += 2) {
                lane(cpu.vec, first + i, s + i, RESULT + i);
            }
            finish(cpu);
        }

        /** Computes a lane of the result from those of both operands, whose slots are given. */
        abstract void lane(long[] v, int a, int b, int result);
    }

    /** VPUNPCKLBW to VPUNPCKHDQ, VUNPCKLPS and VUNPCKHPS. */
    static final class Interleave extends Lanes {
        private final int operation;
        private final int half;

        Interleave(Instruction in) {
            super(in);
            boolean singles = in.opcode < 0x60;
            operation = singles ? 2 : in.opcode & 3;
            half = (singles ? in.opcode == 0x15 : in.opcode >= 0x68) ? 1 : 0;
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            v[result] = SimdLanes.interleaveLow(operation, v[a + half], v[b + half]);
            v[result + 1] = SimdLanes.interleaveHigh(operation, v[a + half], v[b + half]);
        }
    }

    /** VPUNPCKLQDQ, VPUNPCKHQDQ, VUNPCKLPD, VUNPCKHPD, VSHUFPD and, with one operand, VPERMILPD by an immediate: two choices for each lane. */
    static final class Quadwords extends EvexOp {
        private final int control;
        private final boolean unary;

        /**
         * Creates the op.
         *
         * @param in the instruction
         * @param control which of the two quadwords of a lane each quadword of the result is, a bit for each
         */
        Quadwords(Instruction in, int control) {
            super(in);
            this.control = control;
            unary = in.map == Instruction.MAP_0F3A;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                int from = unary || (i & 1) != 0 ? s : first;
                v[RESULT + i] = v[from + (i & ~1) + (control >> i & 1)];
            }
            finish(cpu);
        }
    }

    /** VPACKSSWB, VPACKUSWB, VPACKSSDW and VPACKUSDW. */
    static final class Pack extends Lanes {
        private final int operation;

        Pack(Instruction in) {
            super(in);
            operation = in.mapAndOpcode();
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            v[result] = SimdLanes.pair(operation, v[a], v[a + 1]);
            v[result + 1] = SimdLanes.pair(operation, v[b], v[b + 1]);
        }
    }

    /** VSHUFPS, and, with one operand, VPSHUFD and VPERMILPS by an immediate. */
    static final class Doublewords extends Lanes {
        private final boolean unary;

        Doublewords(Instruction in) {
            super(in);
            unary = in.opcode != 0xC6;
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            int low = unary ? b : a;
            v[result] = PackedShuffle.pshufd(v[low], v[low + 1], control);
            v[result + 1] = PackedShuffle.pshufd(v[b], v[b + 1], control >> 4);
        }
    }

    /** VPSHUFLW and VPSHUFHW. */
    static final class Words extends Lanes {
        private final int half;

        Words(Instruction in) {
            super(in);
            half = in.pp == Instruction.PP_F3 ? 1 : 0;
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            v[result + half] = PackedShuffle.pshufw(v[b + half], control);
            v[result + 1 - half] = v[b + 1 - half];
        }
    }

    /** VPALIGNR. */
    static final class Align extends Lanes {
        Align(Instruction in) {
            super(in);
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            int from = control >> 3;
            long second = quadword(v, a, b, from + 1);
            v[result] = PackedShift.palignr(quadword(v, a, b, from), second, control & 7);
            v[result + 1] = PackedShift.palignr(second, quadword(v, a, b, from + 2), control & 7);
        }

        /** Picks a quadword of the second operand with the first one above it and zeros above that. */
        private static long quadword(long[] v, int a, int b, int number) {
            return number < 2 ? v[b + number] : number < 4 ? v[a + number - 2] : 0;
        }
    }

    /** VPSHUFB. */
    static final class Bytes extends Lanes {
        Bytes(Instruction in) {
            super(in);
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            v[result] = PackedShuffle.pshufb(v[a], v[a + 1], v[b]);
            v[result + 1] = PackedShuffle.pshufb(v[a], v[a + 1], v[b + 1]);
        }
    }

    /** VPERMILPS and VPERMILPD by a register. */
    static final class Selected extends Lanes {
        private final boolean singles;

        Selected(Instruction in) {
            super(in);
            singles = in.opcode == 0x0C;
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            for (int i = 0; i < 2; i++) {
                int selector = (int) v[b + i];
                v[result + i] = singles
                        ? PackedShuffle.pshufd(v[a], v[a + 1], selector & 3 | (int) (v[b + i] >>> 32 & 3) << 2)
                        : v[a + (selector >> 1 & 1)];
            }
        }
    }

    /** VDBPSADBW: sums of differences between bytes of the first operand and shuffled doublewords of the second. */
    static final class SumDifferences extends Lanes {
        SumDifferences(Instruction in) {
            super(in);
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            v[result] = PackedAdd.dbpsadbw(v[a], PackedShuffle.pshufd(v[b], v[b + 1], control));
            v[result + 1] = PackedAdd.dbpsadbw(v[a + 1], PackedShuffle.pshufd(v[b], v[b + 1], control >> 4));
        }
    }

    /** VAESENC, VAESENCLAST, VAESDEC and VAESDECLAST. */
    static final class AesRound extends Lanes {
        private final int opcode;

        AesRound(Instruction in) {
            super(in);
            opcode = in.opcode;
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            long low = v[a];
            long high = v[a + 1];
            v[result] = v[b]
                    ^ switch (opcode) {
                        case 0xDC -> Aes.aesencLow(low, high);
                        case 0xDD -> Aes.aesenclastLow(low, high);
                        case 0xDE -> Aes.aesdecLow(low, high);
                        default -> Aes.aesdeclastLow(low, high);
                    };
            v[result + 1] = v[b + 1]
                    ^ switch (opcode) {
                        case 0xDC -> Aes.aesencHigh(low, high);
                        case 0xDD -> Aes.aesenclastHigh(low, high);
                        case 0xDE -> Aes.aesdecHigh(low, high);
                        default -> Aes.aesdeclastHigh(low, high);
                    };
        }
    }

    /** VPCLMULQDQ. */
    static final class Multiply extends Lanes {
        Multiply(Instruction in) {
            super(in);
        }

        @Override
        void lane(long[] v, int a, int b, int result) {
            long x = v[a + (control & 1)];
            long y = v[b + (control >> 4 & 1)];
            v[result] = CarrylessMultiply.low(x, y);
            v[result + 1] = CarrylessMultiply.high(x, y);
        }
    }
}
