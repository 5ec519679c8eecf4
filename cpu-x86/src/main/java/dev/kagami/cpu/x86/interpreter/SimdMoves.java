package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Moves between XMM registers, memory and general registers. */
final class SimdMoves {
    private static final long LOW_DOUBLEWORD = 0xFFFF_FFFFL;

    private SimdMoves() {}

    /** Creates the op for a move in map 0F, or returns null when the instruction is none. */
    static @Nullable Op create(Instruction in) {
        int pp = in.pp;
        boolean memory = in.isMemory();
        boolean packed = pp == Instruction.PP_NONE || pp == Instruction.PP_66;
        return switch (in.opcode) {
            case 0x10 ->
                switch (pp) {
                    case Instruction.PP_F3 -> memory ? new LoadLow32(in) : new CopyLow32(in, in.reg, in.rm);
                    case Instruction.PP_F2 -> memory ? new LoadLow64(in) : new CopyLow64(in, in.reg, in.rm);
                    default -> memory ? new Load(in) : new Copy(in, in.reg, in.rm);
                };
            case 0x11 ->
                switch (pp) {
                    case Instruction.PP_F3 -> memory ? new StoreLow32(in) : new CopyLow32(in, in.rm, in.reg);
                    case Instruction.PP_F2 -> memory ? new Store64(in, 0) : new CopyLow64(in, in.rm, in.reg);
                    default -> memory ? new Store(in) : new Copy(in, in.rm, in.reg);
                };
            case 0x12 ->
                switch (pp) {
                    case Instruction.PP_NONE -> memory ? new Insert64(in, 0) : new MoveHalf(in, 0, 1);
                    case Instruction.PP_66 -> memory ? new Insert64(in, 0) : null;
                    case Instruction.PP_F3 -> new DuplicateDoublewords(in, false);
                    default -> new DuplicateQuadword(in);
                };
            case 0x13 -> packed && memory ? new Store64(in, 0) : null;
            case 0x16 ->
                switch (pp) {
                    case Instruction.PP_NONE -> memory ? new Insert64(in, 1) : new MoveHalf(in, 1, 0);
                    case Instruction.PP_66 -> memory ? new Insert64(in, 1) : null;
                    case Instruction.PP_F3 -> new DuplicateDoublewords(in, true);
                    default -> null;
                };
            case 0x17 -> packed && memory ? new Store64(in, 1) : null;
            case 0x28 -> packed ? memory ? new LoadAligned(in) : new Copy(in, in.reg, in.rm) : null;
            case 0x29 -> packed ? memory ? new StoreAligned(in) : new Copy(in, in.rm, in.reg) : null;
            case 0x2B -> packed && memory ? new StoreAligned(in) : null;
            case 0x6E -> pp == Instruction.PP_66 ? fromGeneral(in) : null;
            case 0x6F ->
                switch (pp) {
                    case Instruction.PP_66 -> memory ? new LoadAligned(in) : new Copy(in, in.reg, in.rm);
                    case Instruction.PP_F3 -> memory ? new Load(in) : new Copy(in, in.reg, in.rm);
                    default -> null;
                };
            case 0x7E ->
                switch (pp) {
                    case Instruction.PP_66 -> toGeneral(in);
                    case Instruction.PP_F3 -> memory ? new LoadLow64(in) : new Extend64(in, in.reg, in.rm);
                    default -> null;
                };
            case 0x7F ->
                switch (pp) {
                    case Instruction.PP_66 -> memory ? new StoreAligned(in) : new Copy(in, in.rm, in.reg);
                    case Instruction.PP_F3 -> memory ? new Store(in) : new Copy(in, in.rm, in.reg);
                    default -> null;
                };
            case 0xD6 -> pp == Instruction.PP_66 ? memory ? new Store64(in, 0) : new Extend64(in, in.rm, in.reg) : null;
            case 0xE7 -> pp == Instruction.PP_66 && memory ? new StoreAligned(in) : null;
            case 0xF0 -> pp == Instruction.PP_F2 && memory ? new Load(in) : null;
            default -> null;
        };
    }

    private static Op fromGeneral(Instruction in) {
        if (in.isMemory()) {
            return in.w ? new LoadLow64(in) : new LoadLow32(in);
        }
        return new FromGeneral(in);
    }

    private static Op toGeneral(Instruction in) {
        if (in.isMemory()) {
            return in.w ? new Store64(in, 0) : new StoreLow32(in);
        }
        return new ToGeneral(in);
    }

    /** Creates MOVNTDQA. */
    static Op loadNonTemporal(Instruction in) {
        return new LoadAligned(in);
    }

    /** MOVUPS, MOVUPD, MOVDQU and LDDQU from memory. */
    private static final class Load extends SimdOp {
        Load(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.read128(address(cpu));
            long[] v = cpu.vec;
            v[destination] = cpu.low;
            v[destination + 1] = cpu.high;
        }
    }

    /** MOVAPS, MOVAPD, MOVDQA and MOVNTDQA from memory. */
    private static final class LoadAligned extends SimdOp {
        LoadAligned(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.read128(alignedAddress(cpu));
            long[] v = cpu.vec;
            v[destination] = cpu.low;
            v[destination + 1] = cpu.high;
        }
    }

    /** MOVUPS, MOVUPD and MOVDQU to memory. */
    private static final class Store extends SimdOp {
        Store(Instruction in) {
            super(in, BYTES, true);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            cpu.write128(address(cpu), v[destination], v[destination + 1]);
        }
    }

    /** MOVAPS, MOVAPD, MOVDQA, MOVNTPS, MOVNTPD and MOVNTDQ to memory. */
    private static final class StoreAligned extends SimdOp {
        StoreAligned(Instruction in) {
            super(in, BYTES, true);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            cpu.write128(alignedAddress(cpu), v[destination], v[destination + 1]);
        }
    }

    /** A move between two registers. */
    private abstract static class RegisterMove extends Op {
        final int to;
        final int from;

        RegisterMove(Instruction in, int to, int from) {
            super(in);
            this.to = to * SimdOp.STRIDE;
            this.from = from * SimdOp.STRIDE;
        }
    }

    /** A whole XMM register to another. */
    private static final class Copy extends RegisterMove {
        Copy(Instruction in, int to, int from) {
            super(in, to, from);
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long[] v = cpu.vec;
            v[to] = v[from];
            v[to + 1] = v[from + 1];
        }
    }

    /** MOVSS between registers: the other bits stay. */
    private static final class CopyLow32 extends RegisterMove {
        CopyLow32(Instruction in, int to, int from) {
            super(in, to, from);
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long[] v = cpu.vec;
            v[to] = v[to] & ~LOW_DOUBLEWORD | v[from] & LOW_DOUBLEWORD;
        }
    }

    /** MOVSD between registers: the other bits stay. */
    private static final class CopyLow64 extends RegisterMove {
        CopyLow64(Instruction in, int to, int from) {
            super(in, to, from);
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long[] v = cpu.vec;
            v[to] = v[from];
        }
    }

    /** MOVQ between registers: the high quadword becomes zero. */
    private static final class Extend64 extends RegisterMove {
        Extend64(Instruction in, int to, int from) {
            super(in, to, from);
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long[] v = cpu.vec;
            v[to] = v[from];
            v[to + 1] = 0;
        }
    }

    /** MOVHLPS and MOVLHPS. */
    private static final class MoveHalf extends SimdOp {
        private final int to;
        private final int from;

        MoveHalf(Instruction in, int to, int from) {
            super(in);
            this.to = destination + to;
            this.from = source + from;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.vec[to] = cpu.vec[from];
        }
    }

    /** MOVSS and MOVD from memory: all other bits become zero. */
    private static final class LoadLow32 extends SimdOp {
        LoadLow32(Instruction in) {
            super(in, Integer.BYTES, false);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            int value = cpu.readInt(address(cpu));
            long[] v = cpu.vec;
            v[destination] = value & LOW_DOUBLEWORD;
            v[destination + 1] = 0;
        }
    }

    /** MOVSD and MOVQ from memory: the high quadword becomes zero. */
    private static final class LoadLow64 extends SimdOp {
        LoadLow64(Instruction in) {
            super(in, Long.BYTES, false);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long value = cpu.readLong(address(cpu));
            long[] v = cpu.vec;
            v[destination] = value;
            v[destination + 1] = 0;
        }
    }

    /** MOVLPS, MOVLPD, MOVHPS and MOVHPD from memory: the other quadword stays. */
    private static final class Insert64 extends SimdOp {
        private final int to;

        Insert64(Instruction in, int half) {
            super(in, Long.BYTES, false);
            to = destination + half;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.vec[to] = cpu.readLong(address(cpu));
        }
    }

    /** MOVSS and MOVD to memory. */
    private static final class StoreLow32 extends SimdOp {
        StoreLow32(Instruction in) {
            super(in, Integer.BYTES, true);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.writeInt(address(cpu), (int) cpu.vec[destination]);
        }
    }

    /** MOVSD, MOVQ, MOVLPS, MOVLPD, MOVHPS and MOVHPD to memory. */
    private static final class Store64 extends SimdOp {
        private final int from;

        Store64(Instruction in, int half) {
            super(in, Long.BYTES, true);
            from = destination + half;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.writeLong(address(cpu), cpu.vec[from]);
        }
    }

    /** MOVSLDUP and MOVSHDUP. */
    private static final class DuplicateDoublewords extends SimdOp {
        private final boolean odd;

        DuplicateDoublewords(Instruction in, boolean odd) {
            super(in);
            this.odd = odd;
        }

        private long duplicate(long quadword) {
            return odd ? quadword >>> 32 | quadword & ~LOW_DOUBLEWORD : quadword & LOW_DOUBLEWORD | quadword << 32;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = duplicate(v[s]);
            v[destination + 1] = duplicate(v[s + 1]);
        }
    }

    /** MOVDDUP. */
    private static final class DuplicateQuadword extends SimdOp {
        DuplicateQuadword(Instruction in) {
            super(in, Long.BYTES, false);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source64(cpu);
            long[] v = cpu.vec;
            v[destination] = value;
            v[destination + 1] = value;
        }
    }

    /** MOVD and MOVQ from a general register. */
    private static final class FromGeneral extends Op {
        private final int to;
        private final int from;
        private final long mask;

        FromGeneral(Instruction in) {
            super(in);
            to = in.reg * SimdOp.STRIDE;
            from = in.rm;
            mask = in.w ? -1 : LOW_DOUBLEWORD;
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long[] v = cpu.vec;
            v[to] = cpu.r[from] & mask;
            v[to + 1] = 0;
        }
    }

    /** MOVD and MOVQ to a general register. */
    private static final class ToGeneral extends Op {
        private final int to;
        private final int from;
        private final long mask;

        ToGeneral(Instruction in) {
            super(in);
            to = in.rm;
            from = in.reg * SimdOp.STRIDE;
            mask = in.w ? -1 : LOW_DOUBLEWORD;
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            cpu.r[to] = cpu.vec[from] & mask;
        }
    }
}
