package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedBits;
import dev.kagami.cpu.x86.simd.PackedCompare;
import dev.kagami.cpu.x86.simd.PackedShuffle;

/** Comparisons whose results are opmasks, and what else makes opmasks of vectors or the other way round. */
final class EvexMasks {
    private static final int EQUAL = 0;
    private static final int LESS_OR_EQUAL = 2;
    private static final int NOT_EQUAL = 4;
    private static final int GREATER = 6;

    private EvexMasks() {}

    /** Gathers the highest bits of the elements of a quadword. */
    private static long signBits(int element, long a) {
        return switch (element) {
            case 1 -> PackedShuffle.pmovmskb(a);
            case 2 -> PackedShuffle.wordSigns(a);
            case 4 -> PackedShuffle.movmskps(a);
            default -> a >>> 63;
        };
    }

    /** {@return VPCMPEQ or VPCMPGT} */
    static Op compareFixed(Instruction in) {
        boolean equal = in.opcode >= 0x74 && in.opcode <= 0x76 || in.opcode == 0x29;
        return new Compare(in, equal ? EQUAL : GREATER, false);
    }

    /** {@return VPCMP or VPCMPU} */
    static Op compare(Instruction in) {
        return new Compare(in, (int) in.immediate & 7, (in.opcode & 1) == 0);
    }

    private static final class Compare extends EvexOp {
        private final int predicate;
        /** What makes signed numbers, in the same order, of unsigned elements: their highest bits. */
        private final long flip;

        Compare(Instruction in, int predicate, boolean unsigned) {
            super(in);
            this.predicate = predicate;
            flip = unsigned ? Long.divideUnsigned(-1, ones(8 * form.element)) << 8 * form.element - 1 : 0;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int perQuadword = Long.BYTES / form.element;
            long bits = 0;
            for (int i = 0; i < quadwords; i++) {
                long outcome = compare(v[first + i] ^ flip, v[s + i] ^ flip);
                bits |= signBits(form.element, outcome) << i * perQuadword;
            }
            finishMask(cpu, bits, quadwords * perQuadword);
        }

        private long compare(long a, long b) {
            long outcome = switch (predicate & 3) {
                case EQUAL -> equal(form.element, a, b);
                case 1 -> greater(b, a);
                case LESS_OR_EQUAL -> ~greater(a, b);
                default -> 0;
            };
            return predicate < NOT_EQUAL ? outcome : ~outcome;
        }

        private long greater(long a, long b) {
            return switch (form.element) {
                case 1 -> PackedCompare.pcmpgtb(a, b);
                case 2 -> PackedCompare.pcmpgtw(a, b);
                case 4 -> PackedCompare.pcmpgtd(a, b);
                default -> PackedCompare.pcmpgtq(a, b);
            };
        }
    }

    private static long equal(int element, long a, long b) {
        return switch (element) {
            case 1 -> PackedCompare.pcmpeqb(a, b);
            case 2 -> PackedCompare.pcmpeqw(a, b);
            case 4 -> PackedCompare.pcmpeqd(a, b);
            default -> PackedCompare.pcmpeqq(a, b);
        };
    }

    /** VPTESTM and VPTESTNM. */
    static final class Test extends EvexOp {
        private final long flip;

        Test(Instruction in) {
            super(in);
            flip = in.pp == Instruction.PP_F3 ? 0 : -1;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int perQuadword = Long.BYTES / form.element;
            long bits = 0;
            for (int i = 0; i < quadwords; i++) {
                long zero = equal(form.element, v[first + i] & v[s + i], 0);
                bits |= signBits(form.element, zero ^ flip) << i * perQuadword;
            }
            finishMask(cpu, bits, quadwords * perQuadword);
        }
    }

    /** VPMOVB2M, VPMOVW2M, VPMOVD2M and VPMOVQ2M. */
    static final class FromSigns extends EvexOp {
        FromSigns(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            int perQuadword = Long.BYTES / form.element;
            long bits = 0;
            for (int i = 0; i < quadwords; i++) {
                bits |= signBits(form.element, cpu.vec[s + i]) << i * perQuadword;
            }
            finishMask(cpu, bits, quadwords * perQuadword);
        }
    }

    /** VPSHUFBITQMB. */
    static final class ShuffleBits extends EvexOp {
        ShuffleBits(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long bits = 0;
            for (int i = 0; i < quadwords; i++) {
                bits |= (long) PackedBits.shuffleBits(v[first + i], v[s + i]) << i * Long.BYTES;
            }
            finishMask(cpu, bits, quadwords * Long.BYTES);
        }
    }

    /** VPMOVM2B, VPMOVM2W, VPMOVM2D and VPMOVM2Q. */
    static final class ToVector extends EvexOp {
        private final int mask;

        ToVector(Instruction in) {
            super(in);
            mask = MASKS + in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = lanes(v[mask], form.element, i);
            }
            finish(cpu);
        }
    }

    /** VPBROADCASTMB2Q and VPBROADCASTMW2D. */
    static final class Broadcast extends EvexOp {
        private final int mask;

        Broadcast(Instruction in) {
            super(in);
            mask = MASKS + in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            long bits = v[mask];
            long value = form.element == Long.BYTES ? bits & 0xFF : (bits & 0xFFFF) * 0x1_0000_0001L;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = value;
            }
            finish(cpu);
        }
    }

    /** VPBLENDM and VBLENDM: the opmask selects one of two operands. */
    static final class Blend extends EvexOp {
        Blend(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long selected = selected(cpu);
            for (int i = 0; i < quadwords; i++) {
                long mask = lanes(selected, form.element, i);
                v[destination + i] = v[s + i] & mask | (zeroing ? 0 : v[first + i] & ~mask);
            }
            VexOp.clearAbove(v, destination, quadwords);
        }
    }
}
