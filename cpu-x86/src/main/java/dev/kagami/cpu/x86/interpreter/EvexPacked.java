package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.GaloisField;
import dev.kagami.cpu.x86.simd.PackedBits;
import dev.kagami.cpu.x86.simd.PackedDot;
import org.jspecify.annotations.Nullable;

/** Operations on 64-bit lanes. */
final class EvexPacked {
    private static final int AND = 0x1DB;
    private static final int AND_NOT = 0x1DF;
    private static final int OR = 0x1EB;
    private static final int XOR = 0x1EF;

    private EvexPacked() {}

    /** Makes the op of an instruction whose VEX form is one of {@link SimdLanes}, or returns null when it isn't. */
    static @Nullable Op create(Instruction in) {
        int operation = in.mapAndOpcode();
        int group = SimdLanes.group(operation);
        if (in.pp != Instruction.PP_66 || group == SimdLanes.GROUP_NONE) {
            return null;
        }
        return group == SimdLanes.GROUP_PLAIN ? new Plain(in, operation) : new Grouped(in, group, operation);
    }

    /** Makes VANDPS and the like. */
    static Op logic(Instruction in) {
        return new Plain(
                in,
                switch (in.opcode) {
                    case 0x54 -> AND;
                    case 0x55 -> AND_NOT;
                    case 0x56 -> OR;
                    default -> XOR;
                });
    }

    private static final class Plain extends EvexOp {
        private final int operation;

        Plain(Instruction in, int operation) {
            super(in);
            this.operation = operation;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = SimdLanes.plain(operation, v[first + i], v[s + i]);
            }
            finish(cpu);
        }
    }

    private static final class Grouped extends EvexOp {
        private final int group;
        private final int operation;

        Grouped(Instruction in, int group, int operation) {
            super(in);
            this.group = group;
            this.operation = operation;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = SimdLanes.combine(group, operation, v[first + i], v[s + i]);
            }
            finish(cpu);
        }
    }

    /** Operations that only AVX-512 has, on one or two operands. */
    static final class Combine extends EvexOp {
        private final int opcode;
        private final boolean wide;

        Combine(Instruction in) {
            super(in);
            opcode = in.opcode;
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = combine(v[first + i], v[s + i]);
            }
            finish(cpu);
        }

        private long combine(long a, long b) {
            return switch (opcode) {
                case 0x1F -> Math.abs(b);
                case 0x39 -> Math.min(a, b);
                case 0x3B -> Long.compareUnsigned(a, b) < 0 ? a : b;
                case 0x3D -> Math.max(a, b);
                case 0x3F -> Long.compareUnsigned(a, b) < 0 ? b : a;
                case 0x40 -> a * b;
                case 0x44 -> wide ? Long.numberOfLeadingZeros(b) : PackedBits.lzcntd(b);
                case 0x54 -> wide ? PackedBits.popcntw(b) : PackedBits.popcntb(b);
                case 0x55 -> wide ? Long.bitCount(b) : PackedBits.popcntd(b);
                default -> PackedBits.multishift(a, b);
            };
        }
    }

    /** VPDPBUSD to VPDPWSSDS, VPMADD52LUQ and VPMADD52HUQ: products that are added to the destination. */
    static final class Accumulate extends EvexOp {
        private final int opcode;

        Accumulate(Instruction in) {
            super(in);
            opcode = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = add(v[destination + i], v[first + i], v[s + i]);
            }
            finish(cpu);
        }

        private long add(long sum, long a, long b) {
            return switch (opcode) {
                case 0x50, 0x51 -> PackedDot.dpbusd(sum, a, b, opcode == 0x51);
                case 0x52, 0x53 -> PackedDot.dpwssd(sum, a, b, opcode == 0x53);
                case 0xB4 -> PackedDot.madd52lo(sum, a, b);
                default -> PackedDot.madd52hi(sum, a, b);
            };
        }
    }

    /** VPTERNLOGD and VPTERNLOGQ. */
    static final class Ternary extends EvexOp {
        private final int table;

        Ternary(Instruction in) {
            super(in);
            table = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = PackedBits.ternary(table, v[destination + i], v[first + i], v[s + i]);
            }
            finish(cpu);
        }
    }

    /** VGF2P8AFFINEQB and VGF2P8AFFINEINVQB. */
    static final class Affine extends EvexOp {
        private final boolean inverse;
        private final int constant;

        Affine(Instruction in) {
            super(in);
            inverse = in.opcode == 0xCF;
            constant = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = inverse
                        ? GaloisField.gf2p8affineinvqb(v[first + i], v[s + i], constant)
                        : GaloisField.gf2p8affineqb(v[first + i], v[s + i], constant);
            }
            finish(cpu);
        }
    }

    /** VPCONFLICTD and VPCONFLICTQ: each element tells which elements below are equal to it. */
    static final class Conflict extends EvexOp {
        Conflict(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int size = form.element;
            int count = quadwords * Long.BYTES / size;
            for (int i = 0; i < count; i++) {
                long value = get(v, s, i, size);
                long equal = 0;
                for (int j = 0; j < i; j++) {
                    equal |= get(v, s, j, size) == value ? 1L << j : 0;
                }
                set(v, RESULT, i, size, equal);
            }
            finish(cpu);
        }
    }
}
