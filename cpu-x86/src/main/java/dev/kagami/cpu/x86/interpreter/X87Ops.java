package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.interpreter.X87Transfer.Format;
import org.jspecify.annotations.Nullable;

/** x87 instructions: opcodes D8 to DF, FWAIT, EMMS, and the instructions that save and restore extended state. */
final class X87Ops {
    private static final int FWAIT = 0x9B;
    private static final int EMMS = 0x77;
    private static final int GROUP_9 = 0xC7;
    private static final int GROUP_15 = 0xAE;

    private X87Ops() {}

    /**
     * Makes the op of an instruction of this group.
     *
     * @param in the instruction
     * @return the op, or null if the instruction is of another group or doesn't exist
     */
    static @Nullable Op create(Instruction in) {
        if (in.map == Instruction.MAP_PRIMARY) {
            if (in.opcode == FWAIT) {
                return new X87Control.Wait(in);
            }
            if (in.opcode < 0xD8 || in.opcode > 0xDF) {
                return null;
            }
            return in.isMemory() ? createMemory(in) : createRegister(in);
        }
        if (in.map != Instruction.MAP_0F) {
            return null;
        }
        return switch (in.opcode) {
            case EMMS -> in.pp == Instruction.PP_NONE ? new X87Control.EmptyMmx(in) : null;
            case GROUP_15, GROUP_9 -> X87State.create(in);
            default -> null;
        };
    }

    private static @Nullable Op createMemory(Instruction in) {
        int group = in.group();
        return switch (in.opcode) {
            case 0xD8, 0xDA, 0xDC, 0xDE -> new X87Arithmetic.Memory(in);
            case 0xD9 ->
                switch (group) {
                    case 0 -> new X87Transfer.Load(in, Format.SINGLE);
                    case 2, 3 -> new X87Transfer.Store(in, Format.SINGLE, group == 3);
                    case 4 -> new X87Control.Environment(in, false, false);
                    case 5 -> new X87Control.LoadControlWord(in);
                    case 6 -> new X87Control.Environment(in, true, false);
                    case 7 -> new X87Control.StoreWord(in, false);
                    default -> null;
                };
            case 0xDB ->
                switch (group) {
                    case 5 -> new X87Transfer.Load(in, Format.EXTENDED);
                    case 7 -> new X87Transfer.Store(in, Format.EXTENDED, true);
                    default -> integer(in, Format.INTEGER_32);
                };
            case 0xDD ->
                switch (group) {
                    case 0 -> new X87Transfer.Load(in, Format.DOUBLE);
                    case 1 -> new X87Transfer.StoreInteger(in, Format.INTEGER_64, true, true);
                    case 2, 3 -> new X87Transfer.Store(in, Format.DOUBLE, group == 3);
                    case 4 -> new X87Control.Environment(in, false, true);
                    case 6 -> new X87Control.Environment(in, true, true);
                    case 7 -> new X87Control.StoreWord(in, true);
                    default -> null;
                };
            default ->
                switch (group) {
                    case 4 -> new X87Transfer.Load(in, Format.DECIMAL);
                    case 5 -> new X87Transfer.Load(in, Format.INTEGER_64);
                    case 6 -> new X87Transfer.StoreInteger(in, Format.DECIMAL, true, false);
                    case 7 -> new X87Transfer.StoreInteger(in, Format.INTEGER_64, true, false);
                    default -> integer(in, Format.INTEGER_16);
                };
        };
    }

    private static @Nullable Op integer(Instruction in, Format format) {
        return switch (in.group()) {
            case 0 -> new X87Transfer.Load(in, format);
            case 1 -> new X87Transfer.StoreInteger(in, format, true, true);
            case 2 -> new X87Transfer.StoreInteger(in, format, false, false);
            case 3 -> new X87Transfer.StoreInteger(in, format, true, false);
            default -> null;
        };
    }

    private static @Nullable Op createRegister(Instruction in) {
        int group = in.group();
        int operand = in.rm & 7;
        return switch (in.opcode) {
            case 0xD8, 0xDC ->
                group == X87Arithmetic.COMPARE || group == X87Arithmetic.COMPARE_POP
                        ? new X87Arithmetic.Compare(in, operand, group - X87Arithmetic.COMPARE, true)
                        : new X87Arithmetic.Registers(in);
            case 0xD9 -> createD9(in, group, operand);
            case 0xDA -> {
                if (group < 4) {
                    yield new X87Transfer.ConditionalMove(in);
                }
                yield group == 5 && operand == 1 ? new X87Arithmetic.Compare(in, 1, 2, false) : null;
            }
            case 0xDB -> createDB(in, group, operand);
            case 0xDD ->
                switch (group) {
                    case 0 -> X87Function.Stack.free(in, false);
                    // DD C8, DF C8, DF D0 and others below are aliases that processors have and manuals don't list.
                    case 1 -> new X87Transfer.Exchange(in);
                    case 2, 3 -> new X87Transfer.Copy(in, group == 3);
                    case 4, 5 -> new X87Arithmetic.Compare(in, operand, group - 4, false);
                    default -> null;
                };
            case 0xDE ->
                switch (group) {
                    case 2 -> new X87Arithmetic.Compare(in, operand, 1, true);
                    case 3 -> operand == 1 ? new X87Arithmetic.Compare(in, 1, 2, true) : null;
                    default -> new X87Arithmetic.Registers(in);
                };
            default ->
                switch (group) {
                    case 0 -> X87Function.Stack.free(in, true);
                    case 1 -> new X87Transfer.Exchange(in);
                    case 2, 3 -> new X87Transfer.Copy(in, true);
                    case 4 -> operand == 0 ? new X87Control.Plain(in, X87Control.Plain.STATUS_TO_AX) : null;
                    case 5, 6 -> new X87Arithmetic.CompareToFlags(in, group == 6);
                    default -> null;
                };
        };
    }

    private static @Nullable Op createD9(Instruction in, int group, int operand) {
        int function = group << 3 | operand;
        return switch (group) {
            case 0 -> new X87Transfer.Duplicate(in);
            case 1 -> new X87Transfer.Exchange(in);
            case 2 -> operand == 0 ? X87Function.Stack.nothing(in) : null;
            case 3 -> new X87Transfer.Copy(in, true);
            case 5 -> operand < X87Transfer.Constant.COUNT ? new X87Transfer.Constant(in) : null;
            default ->
                switch (function) {
                    case X87Function.CHANGE_SIGN,
                            X87Function.ABSOLUTE,
                            X87Function.POWER,
                            X87Function.SQUARE_ROOT,
                            X87Function.ROUND,
                            X87Function.SINE,
                            X87Function.COSINE -> new X87Function.Unary(in, function);
                    case 0x24 -> new X87Arithmetic.Compare(in, X87Arithmetic.Compare.ZERO, 0, true);
                    case X87Function.EXAMINE -> new X87Function.Examine(in);
                    case X87Function.Y_LOG, X87Function.Y_LOG_PLUS_1, X87Function.ARCTANGENT ->
                        new X87Function.BinaryPop(in, function);
                    case X87Function.EXTRACT, X87Function.TANGENT, X87Function.SINE_COSINE ->
                        new X87Function.Pair(in, function);
                    case X87Function.SCALE, X87Function.REMAINDER, X87Function.REMAINDER_NEAREST ->
                        new X87Function.Binary(in, function);
                    case 0x36 -> X87Function.Stack.rotate(in, -1);
                    case 0x37 -> X87Function.Stack.rotate(in, 1);
                    default -> null;
                };
        };
    }

    private static @Nullable Op createDB(Instruction in, int group, int operand) {
        return switch (group) {
            case 4 ->
                switch (operand) {
                    case 0, 1, 4 -> new X87Control.Plain(in, X87Control.Plain.NOTHING);
                    case 2 -> new X87Control.Plain(in, X87Control.Plain.CLEAR_EXCEPTIONS);
                    case 3 -> new X87Control.Plain(in, X87Control.Plain.INITIALIZE);
                    default -> null;
                };
            case 5, 6 -> new X87Arithmetic.CompareToFlags(in, group == 6);
            case 7 -> null;
            default -> new X87Transfer.ConditionalMove(in);
        };
    }
}
