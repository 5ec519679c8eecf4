package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedCompare;
import org.jspecify.annotations.Nullable;

/** Broadcasts, permutations, blends and shifts that exist in VEX form only. */
final class VexPermutes {
    private static final long LOW = 0xFFFF_FFFFL;

    private VexPermutes() {}

    /** Makes VBROADCASTSS to VBROADCASTF128 and VPBROADCASTB to VBROADCASTI128. */
    static @Nullable Op broadcast(Instruction in) {
        if (in.w || in.vvvv != 0) {
            return null;
        }
        boolean wide = in.vectorLength != 0;
        return switch (in.opcode) {
            case 0x18, 0x58 -> new Broadcast(in, 4);
            case 0x19 -> wide ? new Broadcast(in, 8) : null;
            case 0x59 -> new Broadcast(in, 8);
            case 0x78 -> new Broadcast(in, 1);
            case 0x79 -> new Broadcast(in, 2);
            default -> wide && in.isMemory() ? new Broadcast(in, 16) : null;
        };
    }

    private static final class Broadcast extends VexOp {
        Broadcast(Instruction in, int bytes) {
            super(in, bytes, false);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long value = v[s];
            long other = v[s + 1];
            switch (bytes) {
                case 1 -> value = (value & 0xFF) * 0x0101_0101_0101_0101L;
                case 2 -> value = (value & 0xFFFF) * 0x0001_0001_0001_0001L;
                case 4 -> value = value & LOW | value << 32;
                default -> {}
            }
            for (int i = 0; i < quadwords; i++) {
                v[destination + i] = bytes == 16 && (i & 1) != 0 ? other : value;
            }
            clearAbove(v, destination, quadwords);
        }
    }

    /** An op controlled by its immediate. */
    private abstract static class Controlled extends VexOp {
        final int control;

        Controlled(Instruction in) {
            super(in);
            control = (int) in.immediate & 0xFF;
        }
    }

    /** VPERMQ and VPERMPD. */
    static final class Quadwords extends Controlled {
        Quadwords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = v[s + (control >> 2 * i & 3)];
            }
            finishResult(v);
        }
    }

    /** VPERMILPD by an immediate. */
    static final class Doubles extends Controlled {
        Doubles(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = v[s + (i & ~1) + (control >> i & 1)];
            }
            finishResult(v);
        }
    }

    /** VPERM2F128 and VPERM2I128. */
    static final class Halves extends Controlled {
        Halves(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            half(v, s, 0, control);
            half(v, s, 2, control >> 4);
            finishResult(v);
        }

        private void half(long[] v, int s, int to, int selector) {
            int from = ((selector & 2) == 0 ? first : s) + 2 * (selector & 1);
            boolean zero = (selector & 8) != 0;
            v[RESULT + to] = zero ? 0 : v[from];
            v[RESULT + to + 1] = zero ? 0 : v[from + 1];
        }
    }

    /** VPBLENDD. */
    static final class BlendDoublewords extends Controlled {
        BlendDoublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                long mask = PackedCompare.doublewordMask(control >> 2 * i);
                v[destination + i] = v[first + i] & ~mask | v[s + i] & mask;
            }
            clearAbove(v, destination, quadwords);
        }
    }

    /** VBLENDVPS, VBLENDVPD and VPBLENDVB: the immediate names the register whose signs select. */
    static final class BlendVariable extends VexOp {
        private final int opcode;
        private final int selector;

        BlendVariable(Instruction in) {
            super(in);
            opcode = in.opcode;
            selector = ((int) in.immediate >> 4 & (in.mode == 64 ? 15 : 7)) * STRIDE;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                long a = v[first + i];
                long b = v[s + i];
                long mask = v[selector + i];
                v[destination + i] = switch (opcode) {
                    case 0x4A -> PackedCompare.blendvps(a, b, mask);
                    case 0x4B -> PackedCompare.blendvpd(a, b, mask);
                    default -> PackedCompare.pblendvb(a, b, mask);
                };
            }
            clearAbove(v, destination, quadwords);
        }
    }

    /** VPERMILPS and VPERMILPD by a register. */
    static final class InLane extends VexOp {
        private final boolean singles;

        InLane(Instruction in) {
            super(in);
            singles = in.opcode == 0x0C;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                long control = v[s + i];
                int lane = first + (i & ~1);
                v[RESULT + i] = singles
                        ? doubleword(v, lane, (int) control & 3) & LOW
                                | (long) doubleword(v, lane, (int) (control >>> 32) & 3) << 32
                        : v[lane + ((int) control >> 1 & 1)];
            }
            finishResult(v);
        }
    }

    /** VPERMD and VPERMPS: VEX.vvvv selects. */
    static final class Doublewords extends VexOp {
        Doublewords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                long control = v[first + i];
                v[RESULT + i] = doubleword(v, s, (int) control & 7) & LOW
                        | (long) doubleword(v, s, (int) (control >>> 32) & 7) << 32;
            }
            finishResult(v);
        }
    }

    /** VPSRLVD, VPSRLVQ, VPSRAVD, VPSLLVD and VPSLLVQ. */
    static final class VariableShift extends VexOp {
        private final int opcode;
        private final boolean wide;

        VariableShift(Instruction in) {
            super(in);
            opcode = in.opcode;
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                long a = v[first + i];
                long count = v[s + i];
                v[destination + i] = wide
                        ? shift(a, count, 64)
                        : shift(opcode == 0x46 ? (int) a : a & LOW, count & LOW, 32) & LOW
                                | shift(opcode == 0x46 ? a >> 32 : a >>> 32, count >>> 32, 32) << 32;
            }
            clearAbove(v, destination, quadwords);
        }

        private long shift(long a, long count, int bits) {
            boolean past = Long.compareUnsigned(count, bits) >= 0;
            return switch (opcode) {
                case 0x45 -> past ? 0 : a >>> count;
                case 0x46 -> a >> (past ? 31 : count);
                default -> past ? 0 : a << count;
            };
        }
    }

    /** VINSERTF128 and VINSERTI128. */
    static final class Insert extends VexOp {
        private final int half;

        Insert(Instruction in) {
            super(in, 16, false);
            half = (int) in.immediate & 1;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < 4; i++) {
                v[RESULT + i] = i >> 1 == half ? v[s + (i & 1)] : v[first + i];
            }
            finishResult(v);
        }
    }

    /** VEXTRACTF128 and VEXTRACTI128. */
    static final class Extract extends VexOp {
        private final int from;

        Extract(Instruction in) {
            super(in, 16, true);
            from = destination + 2 * ((int) in.immediate & 1);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            if (source < 0) {
                store(cpu, address(cpu), from);
                return;
            }
            long low = v[from];
            long high = v[from + 1];
            v[source] = low;
            v[source + 1] = high;
            clearAbove(v, source, 2);
        }
    }
}
