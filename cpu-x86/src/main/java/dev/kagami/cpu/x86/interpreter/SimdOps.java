package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** MMX and SSE instructions that neither compute with nor convert floating-point numbers. */
final class SimdOps {
    private SimdOps() {}

    /**
     * Makes the op of an instruction.
     *
     * @param in the instruction
     * @return the op, or null when this group has no such instruction
     */
    static @Nullable Op create(Instruction in) {
        if (in.encoding != Instruction.ENCODING_LEGACY || in.lock) {
            return null;
        }
        return switch (in.map) {
            case Instruction.MAP_0F -> map0F(in);
            case Instruction.MAP_0F38 -> map0F38(in);
            case Instruction.MAP_0F3A -> map0F3A(in);
            default -> null;
        };
    }

    private static @Nullable Op map0F(Instruction in) {
        boolean memory = in.isMemory();
        boolean packed = in.pp == Instruction.PP_NONE || in.pp == Instruction.PP_66;
        switch (in.opcode) {
            case 0x14:
                return packed
                        ? in.pp == Instruction.PP_66 ? SimdPlain.interleaveQuadwords(in) : SimdPlain.create(in)
                        : null;
            case 0x15:
                return packed ? SimdPacked.interleaveHigh(in) : null;
            case 0x50:
                return packed && !memory ? new SimdTransfers.FloatSigns(in) : null;
            case 0x54, 0x55, 0x56, 0x57:
                return packed ? SimdPlain.create(in) : null;
            case 0xC3:
                return in.pp == Instruction.PP_NONE && memory ? new SimdTransfers.StoreGeneral(in) : null;
            case 0xC6:
                if (!packed) {
                    return null;
                }
                return in.pp == Instruction.PP_66
                        ? new SimdPermutes.ShuffleDoubles(in)
                        : new SimdPermutes.ShuffleSingles(in);
            default:
                break;
        }
        Op move = SimdMoves.create(in);
        if (move != null) {
            return move;
        }
        return switch (in.pp) {
            case Instruction.PP_NONE -> MmxOps.create(in);
            case Instruction.PP_66 -> map660F(in);
            case Instruction.PP_F3 ->
                switch (in.opcode) {
                    case 0x70 -> new SimdPermutes.ShuffleWords(in, 1);
                    case 0xD6 -> memory ? null : MmxOps.toVector(in);
                    default -> null;
                };
            default ->
                switch (in.opcode) {
                    case 0x70 -> new SimdPermutes.ShuffleWords(in, 0);
                    case 0xD6 -> memory ? null : MmxOps.fromVector(in);
                    default -> null;
                };
        };
    }

    private static @Nullable Op map660F(Instruction in) {
        boolean memory = in.isMemory();
        switch (in.opcode) {
            case 0x70:
                return new SimdPermutes.ShuffleDoublewords(in);
            case 0xC4:
                return new SimdTransfers.Insert(in);
            case 0xC5:
                return memory ? null : new SimdTransfers.Extract(in, in.rm, in.reg);
            case 0xD7:
                return memory ? null : new SimdTransfers.ByteSigns(in);
            case 0xF7:
                return memory ? null : new SimdTransfers.StoreMasked(in);
            default:
                break;
        }
        Op op = SimdPlain.create(in);
        return op != null ? op : SimdPacked.create(in);
    }

    private static @Nullable Op map0F38(Instruction in) {
        Op op = CryptoOps.create(in);
        if (op != null) {
            return op;
        }
        if (in.pp == Instruction.PP_NONE) {
            return MmxOps.create(in);
        }
        if (in.pp != Instruction.PP_66) {
            return null;
        }
        switch (in.opcode) {
            case 0x10, 0x14, 0x15:
                return new SimdPermutes.BlendVariable(in);
            case 0x17:
                return new SimdTransfers.Test(in);
            case 0x2A:
                return in.isMemory() ? SimdMoves.loadNonTemporal(in) : null;
            case 0x41:
                return new SimdPermutes.MinimumPosition(in);
            default:
                break;
        }
        op = SimdPlain.create(in);
        return op != null ? op : SimdPacked.create(in);
    }

    private static @Nullable Op map0F3A(Instruction in) {
        Op op = CryptoOps.create(in);
        if (op != null) {
            return op;
        }
        if (in.pp == Instruction.PP_NONE) {
            return MmxOps.create(in);
        }
        if (in.pp != Instruction.PP_66) {
            return null;
        }
        return switch (in.opcode) {
            case 0x0C, 0x0D, 0x0E -> new SimdPermutes.Blend(in);
            case 0x0F -> new SimdPermutes.Align(in);
            case 0x14, 0x15, 0x16, 0x17 -> new SimdTransfers.Extract(in, in.reg, in.rm);
            case 0x20, 0x22 -> new SimdTransfers.Insert(in);
            case 0x21 -> new SimdPermutes.InsertSingle(in);
            case 0x42 -> new SimdPermutes.SumDifferences(in);
            case 0x60, 0x61, 0x62, 0x63 -> new SimdText(in);
            default -> null;
        };
    }
}
