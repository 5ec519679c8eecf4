package dev.kagami.cpu.x86.interpreter;

import static dev.kagami.cpu.x86.interpreter.VexLanes.ANY_LENGTH;
import static dev.kagami.cpu.x86.interpreter.VexLanes.DIRECT;
import static dev.kagami.cpu.x86.interpreter.VexLanes.IMMEDIATE;
import static dev.kagami.cpu.x86.interpreter.VexLanes.NARROW;
import static dev.kagami.cpu.x86.interpreter.VexLanes.NARROWS;
import static dev.kagami.cpu.x86.interpreter.VexLanes.SCALAR;
import static dev.kagami.cpu.x86.interpreter.VexLanes.SHARED;
import static dev.kagami.cpu.x86.interpreter.VexLanes.SHIFT;
import static dev.kagami.cpu.x86.interpreter.VexLanes.UNARY;
import static dev.kagami.cpu.x86.interpreter.VexLanes.W0;
import static dev.kagami.cpu.x86.interpreter.VexLanes.W1;
import static dev.kagami.cpu.x86.interpreter.VexLanes.WIDENS;
import static dev.kagami.cpu.x86.interpreter.VexLanes.WRITES_XMM0;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** AVX, AVX2, FMA, F16C, VAES and VPCLMULQDQ: what VEX encodes besides BMI. */
final class VexOps {
    private static final int SCALAR_BINARY = SCALAR | ANY_LENGTH;
    private static final int SCALAR_DIRECT = DIRECT | UNARY | ANY_LENGTH;

    private VexOps() {}

    /**
     * Makes the op of an instruction.
     *
     * @param in the instruction, VEX-encoded
     * @return the op, or null when this group has no such instruction
     */
    static @Nullable Op create(Instruction in) {
        Op op = MaskOps.create(in);
        if (op != null) {
            return op;
        }
        return switch (in.map) {
            case Instruction.MAP_0F -> map0F(in);
            case Instruction.MAP_0F38 -> in.pp == Instruction.PP_66 ? map0F38(in) : null;
            case Instruction.MAP_0F3A -> in.pp == Instruction.PP_66 ? map0F3A(in) : null;
            default -> null;
        };
    }

    private static @Nullable Op lanes(Instruction in, int form) {
        return VexLanes.create(in, form);
    }

    private static @Nullable Op map0F(Instruction in) {
        int pp = in.pp;
        boolean memory = in.isMemory();
        boolean packed = pp == Instruction.PP_NONE || pp == Instruction.PP_66;
        boolean integer = pp == Instruction.PP_66;
        switch (in.opcode) {
            case 0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2B, 0x6E, 0x6F, 0x7E, 0x7F, 0xD6, 0xE7, 0xF0:
                return moves(in);
            case 0x14, 0x15, 0xC6:
                return packed ? lanes(in, in.opcode == 0xC6 && integer ? 2 * IMMEDIATE : 0) : null;
            case 0x54, 0x55, 0x56, 0x57:
                return packed ? VexPacked.logic(in) : null;
            case 0x50:
                return packed && !memory && in.vvvv == 0 ? new VexPacked.Signs(in) : null;
            case 0x51:
                return lanes(in, packed ? UNARY : SCALAR_BINARY);
            case 0x52, 0x53:
                return pp == Instruction.PP_NONE
                        ? lanes(in, UNARY)
                        : pp == Instruction.PP_F3 ? lanes(in, SCALAR_BINARY) : null;
            case 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F:
                return lanes(in, packed ? 0 : SCALAR_BINARY);
            case 0x5A:
                return lanes(in, packed ? UNARY | (integer ? NARROWS : WIDENS) : SCALAR_BINARY);
            case 0x5B:
                return pp == Instruction.PP_F2 ? null : lanes(in, UNARY);
            case 0xE6:
                return pp == Instruction.PP_NONE
                        ? null
                        : lanes(in, UNARY | (pp == Instruction.PP_F3 ? WIDENS : NARROWS));
            case 0x7C, 0x7D, 0xD0:
                return integer || pp == Instruction.PP_F2 ? lanes(in, 0) : null;
            case 0x2A:
                return packed ? null : lanes(in, SCALAR_BINARY);
            case 0x2C, 0x2D:
                return packed ? null : lanes(in, SCALAR_DIRECT);
            case 0x2E, 0x2F:
                return packed ? lanes(in, SCALAR_DIRECT) : null;
            case 0x77:
                return pp == Instruction.PP_NONE && in.vvvv == 0 ? new VexMoves.Clear(in) : null;
            case 0xAE:
                boolean control = pp == Instruction.PP_NONE && memory && (in.group() == 2 || in.group() == 3);
                return control ? lanes(in, DIRECT | UNARY | NARROW) : null;
            case 0xC2:
                return VexFloats.compare(in);
            default:
                return packedInteger(in);
        }
    }

    private static @Nullable Op packedInteger(Instruction in) {
        boolean memory = in.isMemory();
        if (in.opcode == 0x70) {
            return in.pp == Instruction.PP_NONE ? null : lanes(in, UNARY);
        }
        if (in.pp != Instruction.PP_66) {
            return null;
        }
        Op op = VexPacked.create(in);
        if (op != null) {
            return op;
        }
        return switch (in.opcode) {
            case 0x60, 0x61, 0x62, 0x63, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D -> lanes(in, 0);
            case 0x71, 0x72, 0x73 -> memory ? null : lanes(in, SHIFT);
            case 0xC4 -> lanes(in, SCALAR | NARROW);
            case 0xC5 -> memory ? null : lanes(in, DIRECT | UNARY | NARROW);
            case 0xD1, 0xD2, 0xD3, 0xE1, 0xE2, 0xF1, 0xF2, 0xF3 -> lanes(in, SHARED);
            case 0xD7 -> memory || in.vvvv != 0 ? null : new VexPacked.Signs(in);
            case 0xF7 -> memory ? null : lanes(in, DIRECT | UNARY | NARROW);
            default -> null;
        };
    }

    /** Makes a move; those between registers are all done in the direction of a load. */
    private static @Nullable Op moves(Instruction in) {
        int pp = in.pp;
        boolean memory = in.isMemory();
        boolean packed = pp == Instruction.PP_NONE || pp == Instruction.PP_66;
        boolean integer = pp == Instruction.PP_66;
        boolean scalar = !packed;
        int opcode = in.opcode;
        if (!memory && (opcode == 0x11 || opcode == 0x29 || opcode == 0x7F || opcode == 0xD6 && integer)) {
            int reg = in.reg;
            in.reg = in.rm;
            in.rm = reg;
            switch (opcode) {
                case 0x11 -> opcode = 0x10;
                case 0x29 -> opcode = 0x28;
                case 0x7F -> opcode = 0x6F;
                default -> {
                    opcode = 0x7E;
                    in.pp = Instruction.PP_F3;
                    pp = Instruction.PP_F3;
                }
            }
            in.opcode = opcode;
        }
        return switch (opcode) {
            case 0x10 -> scalar ? lanes(in, SCALAR_BINARY | (memory ? UNARY : 0)) : VexMoves.move(in, false, false);
            case 0x11 -> scalar ? lanes(in, SCALAR_DIRECT) : VexMoves.move(in, true, false);
            case 0x12 ->
                switch (pp) {
                    case Instruction.PP_F2 -> lanes(in, in.vectorLength == 0 ? UNARY | WIDENS : UNARY);
                    case Instruction.PP_F3 -> lanes(in, UNARY);
                    default -> memory || !integer ? lanes(in, SCALAR | NARROW) : null;
                };
            case 0x16 ->
                switch (pp) {
                    case Instruction.PP_F2 -> null;
                    case Instruction.PP_F3 -> lanes(in, UNARY);
                    default -> memory || !integer ? lanes(in, SCALAR | NARROW) : null;
                };
            case 0x13, 0x17 -> packed && memory ? lanes(in, DIRECT | UNARY | NARROW) : null;
            case 0x28 -> packed ? VexMoves.move(in, false, true) : null;
            case 0x29 -> packed ? VexMoves.move(in, true, true) : null;
            case 0x2B -> packed && memory ? VexMoves.move(in, true, true) : null;
            case 0x6E -> integer ? lanes(in, SCALAR | UNARY | NARROW) : null;
            case 0x6F -> integer || pp == Instruction.PP_F3 ? VexMoves.move(in, false, integer) : null;
            case 0x7E ->
                switch (pp) {
                    case Instruction.PP_66 -> lanes(in, DIRECT | UNARY | NARROW);
                    case Instruction.PP_F3 -> lanes(in, SCALAR | UNARY | NARROW);
                    default -> null;
                };
            case 0x7F -> integer || pp == Instruction.PP_F3 ? VexMoves.move(in, true, integer) : null;
            case 0xD6 -> integer ? lanes(in, DIRECT | UNARY | NARROW) : null;
            case 0xE7 -> integer && memory ? VexMoves.move(in, true, true) : null;
            default -> pp == Instruction.PP_F2 && memory ? VexMoves.move(in, false, false) : null;
        };
    }

    private static @Nullable Op map0F38(Instruction in) {
        boolean memory = in.isMemory();
        int opcode = in.opcode;
        if (opcode >= 0x96 && (opcode & 15) >= 6 && opcode <= 0xBF) {
            return VexFused.create(in);
        }
        Op op = VexPacked.create(in);
        if (op != null) {
            return op;
        }
        return switch (opcode) {
            case 0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x2B -> lanes(in, 0);
            case 0x20, 0x23, 0x25, 0x30, 0x33, 0x35 -> lanes(in, UNARY | WIDENS);
            case 0x21, 0x24, 0x31, 0x34 -> lanes(in, UNARY | 2 * WIDENS);
            case 0x22, 0x32 -> lanes(in, UNARY | 3 * WIDENS);
            case 0x0C, 0x0D -> in.w ? null : new VexPermutes.InLane(in);
            case 0x0E, 0x0F, 0x17 -> in.vvvv != 0 || opcode != 0x17 && in.w ? null : new VexPacked.Test(in);
            case 0x13 -> VexFloats.fromHalf(in);
            case 0x16, 0x36 -> in.w || in.vectorLength == 0 ? null : new VexPermutes.Doublewords(in);
            case 0x18, 0x19, 0x1A, 0x58, 0x59, 0x5A, 0x78, 0x79 -> VexPermutes.broadcast(in);
            case 0x2A -> memory && in.vvvv == 0 ? VexMoves.move(in, false, true) : null;
            case 0x2C, 0x2D, 0x2E, 0x2F -> memory && !in.w ? VexMasked.create(in) : null;
            case 0x8C, 0x8E -> memory ? VexMasked.create(in) : null;
            case 0x41, 0xDB -> lanes(in, UNARY | NARROW);
            case 0x45, 0x47 -> new VexPermutes.VariableShift(in);
            case 0x46 -> in.w ? null : new VexPermutes.VariableShift(in);
            case 0x90, 0x91, 0x92, 0x93 -> VexGather.create(in);
            case 0xDC, 0xDD, 0xDE, 0xDF -> lanes(in, 0);
            default -> null;
        };
    }

    private static @Nullable Op map0F3A(Instruction in) {
        boolean wide = in.vectorLength != 0;
        return switch (in.opcode) {
            case 0x00, 0x01 -> in.w && wide && in.vvvv == 0 ? new VexPermutes.Quadwords(in) : null;
            case 0x02 -> in.w ? null : new VexPermutes.BlendDoublewords(in);
            case 0x04 -> {
                // VPERMILPS by an immediate is PSHUFD.
                in.map = Instruction.MAP_0F;
                in.opcode = 0x70;
                yield lanes(in, UNARY | W0);
            }
            case 0x05 -> in.w || in.vvvv != 0 ? null : new VexPermutes.Doubles(in);
            case 0x06, 0x46 -> in.w || !wide ? null : new VexPermutes.Halves(in);
            case 0x08, 0x09 -> lanes(in, UNARY);
            case 0x0A, 0x0B -> lanes(in, SCALAR_BINARY);
            case 0x0C -> lanes(in, 4 * IMMEDIATE);
            case 0x0D -> lanes(in, 2 * IMMEDIATE);
            case 0x0E, 0x0F, 0x40, 0x44 -> lanes(in, 0);
            case 0x14, 0x15, 0x16, 0x17 -> lanes(in, DIRECT | UNARY | NARROW);
            case 0x18, 0x38 -> in.w || !wide ? null : new VexPermutes.Insert(in);
            case 0x19, 0x39 -> in.w || !wide || in.vvvv != 0 ? null : new VexPermutes.Extract(in);
            case 0x1D -> VexFloats.toHalf(in);
            case 0x20, 0x21, 0x22 -> lanes(in, SCALAR | NARROW);
            case 0x41 -> lanes(in, NARROW);
            case 0x42 -> lanes(in, 3 * IMMEDIATE);
            case 0x4A, 0x4B, 0x4C -> in.w ? null : new VexPermutes.BlendVariable(in);
            case 0x60, 0x62 -> lanes(in, DIRECT | UNARY | NARROW | WRITES_XMM0);
            case 0x61, 0x63 -> lanes(in, DIRECT | UNARY | NARROW);
            case 0xCE, 0xCF -> lanes(in, W1);
            case 0xDF -> lanes(in, UNARY | NARROW);
            default -> null;
        };
    }
}
