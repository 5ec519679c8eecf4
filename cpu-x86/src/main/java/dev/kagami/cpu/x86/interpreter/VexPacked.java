package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedShuffle;
import org.jspecify.annotations.Nullable;

/** VEX forms of the packed operations that work on 64-bit lanes, and what tells about whole registers. */
final class VexPacked {
    private static final int AND = 0x1DB;
    private static final int AND_NOT = 0x1DF;
    private static final int OR = 0x1EB;
    private static final int XOR = 0x1EF;

    private VexPacked() {}

    /** Makes the op of an instruction with prefix 66, or returns null when its lanes are not independent. */
    static @Nullable Op create(Instruction in) {
        int operation = in.mapAndOpcode();
        int group = SimdLanes.group(operation);
        // VPABSB, VPABSW and VPABSD have one operand; VGF2P8MULB has no form with W.
        boolean unary = operation >= 0x21C && operation <= 0x21E;
        if (group == SimdLanes.GROUP_NONE || unary && in.vvvv != 0 || operation == 0x2CF && in.w) {
            return null;
        }
        return lanes(in, group, operation);
    }

    private static Op lanes(Instruction in, int group, int operation) {
        boolean same = !in.isMemory() && in.vvvv == in.rm;
        if (operation == XOR && same) {
            return new Zero(in);
        }
        return switch (group) {
            case SimdLanes.GROUP_PLAIN -> new Plain(in, operation);
            case SimdLanes.GROUP_COMPARING -> new Comparing(in, operation);
            default -> new Grouped(in, group, operation);
        };
    }

    /** Makes VANDPS and the like. */
    static Op logic(Instruction in) {
        return lanes(
                in,
                SimdLanes.GROUP_PLAIN,
                switch (in.opcode) {
                    case 0x54 -> AND;
                    case 0x55 -> AND_NOT;
                    case 0x56 -> OR;
                    default -> XOR;
                });
    }

    /** The idiom that clears a register. */
    private static final class Zero extends VexOp {
        Zero(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            clearAbove(cpu.vec, destination, 0);
        }
    }

    private static final class Plain extends VexOp {
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
                v[destination + i] = SimdLanes.plain(operation, v[first + i], v[s + i]);
            }
            clearAbove(v, destination, quadwords);
        }
    }

    private static final class Comparing extends VexOp {
        private final int operation;

        Comparing(Instruction in, int operation) {
            super(in);
            this.operation = operation;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[destination + i] = SimdLanes.comparing(operation, v[first + i], v[s + i]);
            }
            clearAbove(v, destination, quadwords);
        }
    }

    private static final class Grouped extends VexOp {
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
                v[destination + i] = SimdLanes.combine(group, operation, v[first + i], v[s + i]);
            }
            clearAbove(v, destination, quadwords);
        }
    }

    /** VPMOVMSKB, VMOVMSKPS and VMOVMSKPD. */
    static final class Signs extends VexOp {
        private static final int BYTES = 0xD7;

        private final int general;
        private final int perQuadword;

        Signs(Instruction in) {
            super(in);
            general = in.reg;
            perQuadword = in.opcode == BYTES ? 8 : in.pp == Instruction.PP_NONE ? 2 : 1;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            long signs = 0;
            for (int i = quadwords - 1; i >= 0; i--) {
                long lane = v[source + i];
                signs = signs << perQuadword
                        | switch (perQuadword) {
                            case 8 -> PackedShuffle.pmovmskb(lane);
                            case 2 -> PackedShuffle.movmskps(lane);
                            default -> lane >>> 63;
                        };
            }
            cpu.r[general] = signs & 0xFFFF_FFFFL;
        }
    }

    /** VPTEST, VTESTPS and VTESTPD. */
    static final class Test extends VexOp {
        private final long mask;

        Test(Instruction in) {
            super(in);
            mask = switch (in.opcode) {
                case 0x0E -> 0x8000_0000_8000_0000L;
                case 0x0F -> Long.MIN_VALUE;
                default -> -1L;
            };
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long both = 0;
            long second = 0;
            for (int i = 0; i < quadwords; i++) {
                both |= v[destination + i] & v[s + i];
                second |= ~v[destination + i] & v[s + i];
            }
            cpu.setArithmeticFlags(((both & mask) == 0 ? Cpu.ZF : 0) | ((second & mask) == 0 ? Cpu.CF : 0));
        }
    }
}
