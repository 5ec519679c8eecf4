package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedAdd;
import dev.kagami.cpu.x86.simd.PackedCompare;
import dev.kagami.cpu.x86.simd.PackedShift;
import dev.kagami.cpu.x86.simd.PackedShuffle;

/** Shuffles and blends of XMM registers, by an immediate or by a register. */
final class SimdPermutes {
    private SimdPermutes() {}

    private abstract static class Controlled extends SimdOp {
        /** The immediate, 0 to 255. */
        final int control;

        Controlled(Instruction in) {
            super(in);
            control = (int) in.immediate & 0xFF;
        }
    }

    /** PSHUFD. */
    static final class ShuffleDoublewords extends Controlled {
        ShuffleDoublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[s];
            long high = v[s + 1];
            v[destination] = PackedShuffle.pshufd(low, high, control);
            v[destination + 1] = PackedShuffle.pshufd(low, high, control >> 4);
        }
    }

    /** PSHUFLW (half 0) and PSHUFHW (half 1). */
    static final class ShuffleWords extends Controlled {
        private final int half;

        ShuffleWords(Instruction in, int half) {
            super(in);
            this.half = half;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long shuffled = PackedShuffle.pshufw(v[s + half], control);
            v[destination + 1 - half] = v[s + 1 - half];
            v[destination + half] = shuffled;
        }
    }

    /** SHUFPS. */
    static final class ShuffleSingles extends Controlled {
        ShuffleSingles(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long high = PackedShuffle.pshufd(v[s], v[s + 1], control >> 4);
            v[destination] = PackedShuffle.pshufd(v[destination], v[destination + 1], control);
            v[destination + 1] = high;
        }
    }

    /** SHUFPD. */
    static final class ShuffleDoubles extends Controlled {
        ShuffleDoubles(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long high = v[s + (control >> 1 & 1)];
            v[destination] = v[destination + (control & 1)];
            v[destination + 1] = high;
        }
    }

    /** PALIGNR. */
    static final class Align extends Controlled {
        Align(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long first = quadword(v, s, control >> 3);
            long second = quadword(v, s, (control >> 3) + 1);
            long third = quadword(v, s, (control >> 3) + 2);
            v[destination] = PackedShift.palignr(first, second, control & 7);
            v[destination + 1] = PackedShift.palignr(second, third, control & 7);
        }

        /** Picks a quadword of the second operand with the first one above it and zeros above that. */
        private long quadword(long[] v, int s, int number) {
            return number < 2 ? v[s + number] : number < 4 ? v[destination + number - 2] : 0;
        }
    }

    /** PBLENDW, BLENDPS, BLENDPD: selects by masks made of the immediate. */
    static final class Blend extends SimdOp {
        private final long lowMask;
        private final long highMask;

        Blend(Instruction in) {
            super(in);
            int control = (int) in.immediate & 0xFF;
            switch (in.opcode) {
                case 0x0C -> {
                    lowMask = PackedCompare.doublewordMask(control);
                    highMask = PackedCompare.doublewordMask(control >> 2);
                }
                case 0x0D -> {
                    lowMask = -(control & 1L);
                    highMask = -(control >> 1 & 1L);
                }
                default -> {
                    lowMask = PackedCompare.wordMask(control);
                    highMask = PackedCompare.wordMask(control >> 4);
                }
            }
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = v[destination] & ~lowMask | v[s] & lowMask;
            v[destination + 1] = v[destination + 1] & ~highMask | v[s + 1] & highMask;
        }
    }

    /** PBLENDVB, BLENDVPS and BLENDVPD: selects by the signs in XMM0. */
    static final class BlendVariable extends SimdOp {
        private final int opcode;

        BlendVariable(Instruction in) {
            super(in);
            opcode = in.opcode;
        }

        private long blend(long a, long b, long mask) {
            return switch (opcode) {
                case 0x10 -> PackedCompare.pblendvb(a, b, mask);
                case 0x14 -> PackedCompare.blendvps(a, b, mask);
                default -> PackedCompare.blendvpd(a, b, mask);
            };
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long lowMask = v[0];
            long highMask = v[1];
            v[destination] = blend(v[destination], v[s], lowMask);
            v[destination + 1] = blend(v[destination + 1], v[s + 1], highMask);
        }
    }

    /** MPSADBW. */
    static final class SumDifferences extends Controlled {
        SumDifferences(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long block = PackedShuffle.doubleword(v[s], v[s + 1], control & 3);
            long low = v[destination];
            long high = v[destination + 1];
            int offset = (control & 4) == 0 ? 0 : 4;
            v[destination] = PackedAdd.mpsadbw(PackedShift.palignr(low, high, offset), block);
            v[destination + 1] = PackedAdd.mpsadbw(offset == 0 ? PackedShift.palignr(low, high, 4) : high, block);
        }
    }

    /** PHMINPOSUW. */
    static final class MinimumPosition extends SimdOp {
        MinimumPosition(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = PackedAdd.phminposuw(v[s], v[s + 1]);
            v[destination + 1] = 0;
        }
    }

    /** INSERTPS. */
    static final class InsertSingle extends SimdOp {
        private final int from;
        private final int to;
        private final long lowKept;
        private final long highKept;

        InsertSingle(Instruction in) {
            super(in, Integer.BYTES, false);
            int control = (int) in.immediate & 0xFF;
            from = control >> 6;
            to = control >> 4 & 3;
            lowKept = ~PackedCompare.doublewordMask(control);
            highKept = ~PackedCompare.doublewordMask(control >> 2);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            long value =
                    source >= 0 ? PackedShuffle.doubleword(v[source], v[source + 1], from) : cpu.readInt(address(cpu));
            int slot = destination + (to >> 1);
            v[slot] = PackedShuffle.insertDoubleword(v[slot], value, to & 1);
            v[destination] &= lowKept;
            v[destination + 1] &= highKept;
        }
    }
}
