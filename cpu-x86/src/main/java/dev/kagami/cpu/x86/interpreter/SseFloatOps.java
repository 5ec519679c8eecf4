package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import org.jspecify.annotations.Nullable;

/** SSE to SSE4.1 floating-point arithmetic, comparison and conversion, LDMXCSR and STMXCSR. */
final class SseFloatOps {
    static final int COMIS = 0x2F;
    static final int CONVERT_TRUNCATED = 0x2C;
    static final int CONVERT_DOUBLE_INTEGER = 0xE6;
    static final int HORIZONTAL_ADD = 0x7C;
    static final int HORIZONTAL_SUBTRACT = 0x7D;
    static final int ADD_SUBTRACT = 0xD0;
    static final int ROUND_PD = 0x09;
    static final int ROUND_SS = 0x0A;
    static final int ROUND_SD = 0x0B;
    static final int DOT_PRODUCT_PD = 0x41;

    private static final int UCOMIS = 0x2E;
    private static final int CONVERT_FROM_INTEGER = 0x2A;
    private static final int CONVERT_TO_INTEGER = 0x2D;
    private static final int CONVERT_FLOAT = 0x5A;
    private static final int CONVERT_SINGLE_INTEGER = 0x5B;
    private static final int COMPARE = 0xC2;
    private static final int GROUP_15 = 0xAE;
    private static final int ROUND_PS = 0x08;
    private static final int DOT_PRODUCT_PS = 0x40;

    private SseFloatOps() {}

    /**
     * Makes the op of an instruction of this group.
     *
     * @param in the instruction
     * @return the op, or null if the instruction is of another group or doesn't exist
     */
    static @Nullable Op create(Instruction in) {
        return switch (in.map) {
            case Instruction.MAP_0F -> createMap0F(in);
            case Instruction.MAP_0F3A -> in.pp == Instruction.PP_66 ? createMap0F3A(in) : null;
            default -> null;
        };
    }

    private static @Nullable Op createMap0F(Instruction in) {
        if (SseFloatLanes.isArithmetic(in.opcode)) {
            return switch (in.pp) {
                case Instruction.PP_F2 -> SseFloatArithmetic.scalarDouble(in);
                case Instruction.PP_F3 -> SseFloatArithmetic.scalarSingle(in);
                case Instruction.PP_66 -> new SseFloatArithmetic.PackedDouble(in);
                default -> new SseFloatArithmetic.PackedSingle(in);
            };
        }
        boolean scalar = in.pp == Instruction.PP_F2 || in.pp == Instruction.PP_F3;
        return switch (in.opcode) {
            case SseFloatLanes.RECIPROCAL, SseFloatLanes.RECIPROCAL_SQUARE_ROOT ->
                switch (in.pp) {
                    case Instruction.PP_NONE -> new SseFloatArithmetic.PackedSingle(in);
                    case Instruction.PP_F3 -> SseFloatArithmetic.scalarSingle(in);
                    default -> null;
                };
            case COMPARE -> new SseFloatArithmetic.Compare(in);
            case COMIS, UCOMIS -> scalar ? null : new SseFloatArithmetic.CompareToFlags(in);
            case CONVERT_FROM_INTEGER -> scalar ? new SseFloatConvert.FromGeneral(in) : new SseFloatConvert.FromMmx(in);
            case CONVERT_TO_INTEGER, CONVERT_TRUNCATED ->
                scalar ? new SseFloatConvert.ToGeneral(in) : new SseFloatConvert.ToMmx(in);
            case CONVERT_FLOAT ->
                switch (in.pp) {
                    case Instruction.PP_NONE -> new SseFloatConvert.Widen(in);
                    case Instruction.PP_66 -> new SseFloatConvert.Narrow(in);
                    default -> new SseFloatConvert.Scalar(in);
                };
            case CONVERT_SINGLE_INTEGER -> in.pp == Instruction.PP_F2 ? null : new SseFloatConvert.SameSize(in);
            case CONVERT_DOUBLE_INTEGER ->
                switch (in.pp) {
                    case Instruction.PP_NONE -> null;
                    case Instruction.PP_F3 -> new SseFloatConvert.Widen(in);
                    default -> new SseFloatConvert.Narrow(in);
                };
            case HORIZONTAL_ADD, HORIZONTAL_SUBTRACT, ADD_SUBTRACT ->
                switch (in.pp) {
                    case Instruction.PP_66 -> new SseFloatCombine.Doubles(in);
                    case Instruction.PP_F2 -> new SseFloatCombine.Singles(in);
                    default -> null;
                };
            case GROUP_15 -> controlRegister(in);
            default -> null;
        };
    }

    private static @Nullable Op createMap0F3A(Instruction in) {
        return switch (in.opcode) {
            case ROUND_PS, ROUND_PD, ROUND_SS, ROUND_SD -> new SseFloatCombine.Round(in);
            case DOT_PRODUCT_PS, DOT_PRODUCT_PD -> new SseFloatCombine.DotProduct(in);
            default -> null;
        };
    }

    private static @Nullable Op controlRegister(Instruction in) {
        if (!in.isMemory() || in.pp != Instruction.PP_NONE) {
            return null;
        }
        return switch (in.group()) {
            case 2 -> new LoadControl(in);
            case 3 -> new StoreControl(in);
            default -> null;
        };
    }

    /** {@return the size of the memory operand of an instruction in ps, pd, ss and sd forms} */
    static int operandBytes(int pp) {
        return pp == Instruction.PP_F2 ? 8 : pp == Instruction.PP_F3 ? 4 : 16;
    }

    /** {@return ZF, PF and CF for a comparison's result (SDM 2A COMISD)} */
    static int relationFlags(int relation) {
        return switch (relation) {
            case BinaryFloat.LESS -> Cpu.CF;
            case BinaryFloat.EQUAL -> Cpu.ZF;
            case BinaryFloat.UNORDERED -> Cpu.ZF | Cpu.PF | Cpu.CF;
            default -> 0;
        };
    }

    /** LDMXCSR. */
    private static final class LoadControl extends SseFloatOp {
        LoadControl(Instruction in) {
            super(in, 4);
        }

        @Override
        void execute(Cpu cpu) {
            begin(cpu);
            int value = cpu.readInt(address(cpu));
            if ((value & ~X87State.MXCSR_MASK) != 0) {
                throw cpu.generalProtection();
            }
            cpu.mxcsr = value;
        }
    }

    /** STMXCSR. */
    private static final class StoreControl extends MemOp {
        StoreControl(Instruction in) {
            super(in, 4, true);
        }

        @Override
        void execute(Cpu cpu) {
            SseFloatOp.begin(cpu);
            cpu.writeInt(address(cpu), cpu.mxcsr);
        }
    }
}
