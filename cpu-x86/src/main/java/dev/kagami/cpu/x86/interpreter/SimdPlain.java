package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedAdd;
import dev.kagami.cpu.x86.simd.PackedCompare;
import dev.kagami.cpu.x86.simd.PackedShuffle;
import org.jspecify.annotations.Nullable;

/** The most frequent packed operations on XMM registers, each with a class of its own so that it compiles to a few loads and stores. */
final class SimdPlain {
    private SimdPlain() {}

    /** Creates the op, or returns null when the operation is none of these. */
    static @Nullable Op create(Instruction in) {
        return switch (in.mapAndOpcode()) {
            case 0x1DB, 0x154 -> new And(in);
            case 0x1DF, 0x155 -> new AndNot(in);
            case 0x1EB, 0x156 -> new Or(in);
            case 0x1EF, 0x157 -> in.mod == 3 && in.reg == in.rm ? new Clear(in) : new Xor(in);
            case 0x1FC -> new AddBytes(in);
            case 0x1FD -> new AddWords(in);
            case 0x1FE -> new AddDoublewords(in);
            case 0x1D4 -> new AddQuadwords(in);
            case 0x1F8 -> new SubtractBytes(in);
            case 0x1FA -> new SubtractDoublewords(in);
            case 0x1FB -> new SubtractQuadwords(in);
            case 0x174 -> new EqualBytes(in);
            case 0x175 -> new EqualWords(in);
            case 0x176 -> new EqualDoublewords(in);
            case 0x1DA -> new MinimumBytes(in);
            case 0x160 -> new InterleaveBytes(in);
            case 0x161 -> new InterleaveWords(in);
            case 0x162, 0x114 -> new InterleaveDoublewords(in);
            case 0x16C -> new InterleaveQuadwords(in);
            case 0x200 -> new ShuffleBytes(in);
            default -> null;
        };
    }

    /** {@return UNPCKLPD} */
    static Op interleaveQuadwords(Instruction in) {
        return new InterleaveQuadwords(in);
    }

    private static final class And extends SimdOp {
        And(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] &= v[s];
            v[destination + 1] &= v[s + 1];
        }
    }

    private static final class AndNot extends SimdOp {
        AndNot(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = ~v[destination] & v[s];
            v[destination + 1] = ~v[destination + 1] & v[s + 1];
        }
    }

    private static final class Or extends SimdOp {
        Or(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] |= v[s];
            v[destination + 1] |= v[s + 1];
        }
    }

    private static final class Xor extends SimdOp {
        Xor(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] ^= v[s];
            v[destination + 1] ^= v[s + 1];
        }
    }

    /** Exclusive or of a register with itself: how programs write zero. */
    private static final class Clear extends SimdOp {
        Clear(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            v[destination] = 0;
            v[destination + 1] = 0;
        }
    }

    private static final class AddBytes extends SimdOp {
        AddBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedAdd.paddb(v[destination], v[s]);
            v[destination + 1] = PackedAdd.paddb(v[destination + 1], v[s + 1]);
        }
    }

    private static final class AddWords extends SimdOp {
        AddWords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedAdd.paddw(v[destination], v[s]);
            v[destination + 1] = PackedAdd.paddw(v[destination + 1], v[s + 1]);
        }
    }

    private static final class AddDoublewords extends SimdOp {
        AddDoublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedAdd.paddd(v[destination], v[s]);
            v[destination + 1] = PackedAdd.paddd(v[destination + 1], v[s + 1]);
        }
    }

    private static final class AddQuadwords extends SimdOp {
        AddQuadwords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] += v[s];
            v[destination + 1] += v[s + 1];
        }
    }

    private static final class SubtractBytes extends SimdOp {
        SubtractBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedAdd.psubb(v[destination], v[s]);
            v[destination + 1] = PackedAdd.psubb(v[destination + 1], v[s + 1]);
        }
    }

    private static final class SubtractDoublewords extends SimdOp {
        SubtractDoublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedAdd.psubd(v[destination], v[s]);
            v[destination + 1] = PackedAdd.psubd(v[destination + 1], v[s + 1]);
        }
    }

    private static final class SubtractQuadwords extends SimdOp {
        SubtractQuadwords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] -= v[s];
            v[destination + 1] -= v[s + 1];
        }
    }

    private static final class EqualBytes extends SimdOp {
        EqualBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedCompare.pcmpeqb(v[destination], v[s]);
            v[destination + 1] = PackedCompare.pcmpeqb(v[destination + 1], v[s + 1]);
        }
    }

    private static final class EqualWords extends SimdOp {
        EqualWords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedCompare.pcmpeqw(v[destination], v[s]);
            v[destination + 1] = PackedCompare.pcmpeqw(v[destination + 1], v[s + 1]);
        }
    }

    private static final class EqualDoublewords extends SimdOp {
        EqualDoublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedCompare.pcmpeqd(v[destination], v[s]);
            v[destination + 1] = PackedCompare.pcmpeqd(v[destination + 1], v[s + 1]);
        }
    }

    private static final class MinimumBytes extends SimdOp {
        MinimumBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedCompare.pminub(v[destination], v[s]);
            v[destination + 1] = PackedCompare.pminub(v[destination + 1], v[s + 1]);
        }
    }

    private static final class InterleaveBytes extends SimdOp {
        InterleaveBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long a = v[destination];
            long b = v[s];
            v[destination] = PackedShuffle.punpcklbw(a, b);
            v[destination + 1] = PackedShuffle.punpckhbw(a, b);
        }
    }

    private static final class InterleaveWords extends SimdOp {
        InterleaveWords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long a = v[destination];
            long b = v[s];
            v[destination] = PackedShuffle.punpcklwd(a, b);
            v[destination + 1] = PackedShuffle.punpckhwd(a, b);
        }
    }

    private static final class InterleaveDoublewords extends SimdOp {
        InterleaveDoublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long a = v[destination];
            long b = v[s];
            v[destination] = PackedShuffle.punpckldq(a, b);
            v[destination + 1] = PackedShuffle.punpckhdq(a, b);
        }
    }

    private static final class InterleaveQuadwords extends SimdOp {
        InterleaveQuadwords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination + 1] = v[s];
        }
    }

    /** PSHUFB; its two quadwords need all of the old value. */
    private static final class ShuffleBytes extends SimdOp {
        ShuffleBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            long indices = v[s];
            long highIndices = v[s + 1];
            v[destination] = PackedShuffle.pshufb(low, high, indices);
            v[destination + 1] = PackedShuffle.pshufb(low, high, highIndices);
        }
    }
}
