package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** Moves of whole vectors, of their lowest element, of halves, and between vector and general registers. */
final class EvexMoves {
    private EvexMoves() {}

    /** {@return a move of a vector, to or from ModRM.rm} */
    static Op move(Instruction in) {
        return in.evex != null && in.evex.stores ? new Store(in) : new Load(in);
    }

    private static final class Load extends EvexOp {
        Load(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            finish(cpu, source(cpu), quadwords * Long.BYTES);
        }
    }

    private static final class Store extends EvexOp {
        private final int from;

        Store(Instruction in) {
            super(in);
            from = in.reg * STRIDE;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            finish(cpu, from, quadwords * Long.BYTES);
        }
    }

    /** VMOVSS and VMOVSD: between registers they take the rest of the destination from EVEX.vvvv. */
    static final class Scalar extends EvexOp {
        private final int from;

        Scalar(Instruction in) {
            super(in);
            from = in.reg * STRIDE;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            int s = form.stores ? from : source(cpu);
            if (source >= 0) {
                cpu.vec[RESULT] = cpu.vec[s];
                finishScalar(cpu);
            } else {
                finish(cpu, s, form.element);
            }
        }
    }

    /** VMOVLPS, VMOVHPS, VMOVLPD, VMOVHPD, VMOVHLPS and VMOVLHPS that load. */
    static final class LoadHalf extends EvexOp {
        private final boolean high;
        private final boolean crosses;

        LoadHalf(Instruction in) {
            super(in);
            high = in.opcode == 0x16;
            crosses = !high && !in.isMemory();
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long half = v[crosses ? s + 1 : s];
            v[RESULT] = high ? v[first] : half;
            v[RESULT + 1] = high ? half : v[first + 1];
            finish(cpu);
        }
    }

    /** VMOVLPS, VMOVHPS, VMOVLPD and VMOVHPD that store, and VMOVQ between vector registers. */
    static final class StoreHalf extends EvexOp {
        private final int from;

        StoreHalf(Instruction in) {
            super(in);
            from = in.reg * STRIDE + (in.opcode == 0x17 ? 1 : 0);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            finish(cpu, from, Long.BYTES);
        }
    }

    /** VMOVQ from a vector register or memory. */
    static final class LoadQuadword extends EvexOp {
        LoadQuadword(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            finish(cpu, source(cpu), Long.BYTES);
        }
    }

    /** VMOVDDUP, VMOVSLDUP and VMOVSHDUP. */
    static final class Duplicate extends EvexOp {
        private final boolean doubles;
        private final boolean high;

        Duplicate(Instruction in) {
            super(in);
            doubles = in.pp == Instruction.PP_F2;
            high = in.opcode == 0x16;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                long a = v[s + (doubles ? i & ~1 : i)];
                v[RESULT + i] = doubles ? a : high ? a >>> 32 | a & ~0xFFFF_FFFFL : a & 0xFFFF_FFFFL | a << 32;
            }
            finish(cpu);
        }
    }

    /** VMOVD and VMOVQ from a general register or memory. */
    static final class FromGeneral extends EvexOp {
        private final int general;

        FromGeneral(Instruction in) {
            super(in);
            general = in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            cpu.vec[RESULT] = source >= 0 ? cpu.r[general] : cpu.vec[s];
            finish(cpu, bytes);
        }
    }

    /** VPINSRB, VPINSRW, VPINSRD and VPINSRQ. */
    static final class Insert extends EvexOp {
        private final int general;
        private final int number;

        Insert(Instruction in) {
            super(in);
            general = in.rm;
            number = (int) in.immediate & 16 / bytes - 1;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[RESULT] = v[first];
            v[RESULT + 1] = v[first + 1];
            set(v, RESULT, number, bytes, source >= 0 ? cpu.r[general] : v[s]);
            finish(cpu);
        }
    }

    /** VINSERTPS. */
    static final class InsertSingle extends EvexOp {
        private final int from;
        private final int to;
        private final int zeros;

        InsertSingle(Instruction in) {
            super(in);
            int control = (int) in.immediate & 0xFF;
            from = in.isMemory() ? 0 : control >> 6;
            to = control >> 4 & 3;
            zeros = control & 0xF;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[RESULT] = v[first];
            v[RESULT + 1] = v[first + 1];
            set(v, RESULT, to, Integer.BYTES, get(v, s, from, Integer.BYTES));
            v[RESULT] &= ~lanes(zeros, Integer.BYTES, 0);
            v[RESULT + 1] &= ~lanes(zeros, Integer.BYTES, 1);
            finish(cpu);
        }
    }

    /** VPEXTRB to VPEXTRQ, VEXTRACTPS; VMOVD and VMOVQ to a general register or memory, which extract the first element. */
    static final class Extract extends EvexOp {
        private final int general;
        private final int from;
        private final int number;

        Extract(Instruction in) {
            super(in);
            general = form.stores ? in.rm : in.reg;
            from = (form.stores ? in.reg : in.rm) * STRIDE;
            number = in.map == Instruction.MAP_0F && in.opcode == 0x7E ? 0 : (int) in.immediate & 16 / bytes - 1;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long value = get(cpu.vec, from, number, bytes);
            if (source >= 0) {
                cpu.r[general] = value;
            } else {
                cpu.write(address(cpu), bytes, value);
            }
        }
    }
}
