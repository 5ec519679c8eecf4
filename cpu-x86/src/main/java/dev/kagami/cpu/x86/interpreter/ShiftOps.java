package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * Shifts and rotates (SDM 2B, "RCL/RCR/ROL/ROR" and "SAL/SAR/SHL/SHR"; SHLD and SHRD).
 *
 * <p>A count of 0 leaves the flags alone. For counts above 1 OF is undefined: it gets the value that the last
 * single-bit step would give. 32- and 64-bit register forms with a constant count have a class each; the others share.
 */
final class ShiftOps {
    // Operation numbers as in ModRM.reg of group 2.
    private static final int ROL = 0;
    private static final int ROR = 1;
    private static final int RCL = 2;
    private static final int RCR = 3;
    static final int SHL = 4;
    static final int SHR = 5;
    static final int SAL = 6;
    static final int SAR = 7;

    /** The carry out of the last bit and the one below it in {@link Cpu#flagAux}. */
    static final long CARRIES = 3L << 62;

    private ShiftOps() {}

    static @Nullable Op create(Instruction in) {
        int opcode = in.opcode;
        if (in.map == Instruction.MAP_0F) {
            return switch (opcode) {
                case 0xA4, 0xA5, 0xAC, 0xAD -> in.isMemory() ? new DoubleMemory(in) : new DoubleRegister(in);
                default -> null;
            };
        }
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        return switch (opcode) {
            case 0xC0 -> shift(in, 1, (int) in.immediate);
            case 0xC1 -> shift(in, in.operandSize, (int) in.immediate);
            case 0xD0 -> shift(in, 1, 1);
            case 0xD1 -> shift(in, in.operandSize, 1);
            case 0xD2 -> shift(in, 1, -1);
            case 0xD3 -> shift(in, in.operandSize, -1);
            default -> null;
        };
    }

    private static Op shift(Instruction in, int size, int count) {
        int operation = in.group() == SAL ? SHL : in.group();
        boolean constant = (in.opcode & ~1) != 0xD2;
        int masked = count & (size == 8 ? 63 : 31);
        if (in.isMemory()) {
            return constant ? new MemoryConstant(in, operation, size, masked) : new MemoryCl(in, operation, size);
        }
        if (!constant) {
            return new RegisterCl(in, operation, size);
        }
        if (masked != 0 && size == 8) {
            switch (operation) {
                case SHL:
                    return new ShiftLeft64(in, masked);
                case SHR:
                    return new ShiftRight64(in, masked);
                case SAR:
                    return new ShiftRightArithmetic64(in, masked);
                case ROL:
                    return new RotateLeft64(in, masked);
                case ROR:
                    return new RotateRight64(in, masked);
                default:
                    break;
            }
        } else if (masked != 0 && size == 4) {
            switch (operation) {
                case SHL:
                    return new ShiftLeft32(in, masked);
                case SHR:
                    return new ShiftRight32(in, masked);
                case SAR:
                    return new ShiftRightArithmetic32(in, masked);
                case ROL:
                    return new RotateLeft32(in, masked);
                case ROR:
                    return new RotateRight32(in, masked);
                default:
                    break;
            }
        }
        return new RegisterConstant(in, operation, size, masked);
    }

    // ---------------------------------------------------------------- all operations and sizes

    /**
     * Shifts or rotates and sets the flags.
     *
     * @param cpu the CPU
     * @param operation one of the constants above
     * @param bits 8, 16, 32 or 64
     * @param value the operand, zero-extended
     * @param count 1 to 31, or to 63 for 64 bits
     * @return the result, zero-extended
     */
    private static long apply(Cpu cpu, int operation, int bits, long value, int count) {
        return switch (operation) {
            case ROL -> rotateLeft(cpu, bits, value, count);
            case ROR -> rotateRight(cpu, bits, value, count);
            case RCL -> rotateLeftThroughCarry(cpu, bits, value, count);
            case RCR -> rotateRightThroughCarry(cpu, bits, value, count);
            case SHL -> shiftLeft(cpu, bits, value, count);
            case SHR -> shiftRight(cpu, bits, value, count);
            default -> shiftRightArithmetic(cpu, bits, value, count);
        };
    }

    private static long shiftLeft(Cpu cpu, int bits, long value, int count) {
        int up = 64 - bits;
        // All but the last step; then bit 63 is CF and bit 62 the result's sign, which is CF xor OF.
        long almost = value << up << count - 1;
        long result = almost << 1;
        cpu.flagAux = almost & CARRIES;
        cpu.flagResult = result >> up;
        return result >>> up;
    }

    private static long shiftRight(Cpu cpu, int bits, long value, int count) {
        long almost = value >>> count - 1;
        // OF is the sign before the last step.
        setShiftedOut(cpu, almost, almost >>> bits - 1);
        cpu.flagResult = almost >>> 1;
        return almost >>> 1;
    }

    private static long shiftRightArithmetic(Cpu cpu, int bits, long value, int count) {
        int up = 64 - bits;
        long almost = value << up >> up >> count - 1;
        long result = almost >> 1;
        cpu.flagAux = almost << 63 >> 1 & CARRIES;
        cpu.flagResult = result;
        return result << up >>> up;
    }

    /** Sets CF and OF from the low bits of two values, and clears AF. */
    private static void setShiftedOut(Cpu cpu, long carry, long overflow) {
        cpu.flagAux = carry << 63 | (carry ^ overflow) << 63 >>> 1;
    }

    /** Sets CF and OF from the low bits of two values, and leaves the other flags. */
    private static void setRotated(Cpu cpu, long carry, long overflow) {
        cpu.flagAux = cpu.flagAux & ~CARRIES | carry << 63 | (carry ^ overflow) << 63 >>> 1;
    }

    private static long rotateLeft(Cpu cpu, int bits, long value, int count) {
        int n = count & bits - 1;
        // A byte or word may turn by a multiple of its size: the value stays, but CF and OF are set.
        long result = (value << n | value >>> bits - n) & -1L >>> 64 - bits;
        setRotated(cpu, result, result ^ result >>> bits - 1);
        return result;
    }

    private static long rotateRight(Cpu cpu, int bits, long value, int count) {
        int n = count & bits - 1;
        long result = (value >>> n | value << bits - n) & -1L >>> 64 - bits;
        cpu.flagAux = cpu.flagAux & ~CARRIES | result << 64 - bits & CARRIES;
        return result;
    }

    private static long rotateLeftThroughCarry(Cpu cpu, int bits, long value, int count) {
        int n = count % (bits + 1);
        if (n == 0) {
            return value;
        }
        long result = value << n | cpu.carry() << n - 1;
        if (n > 1) {
            result |= value >>> bits + 1 - n;
        }
        result &= -1L >>> 64 - bits;
        long carry = value >>> bits - n;
        setRotated(cpu, carry, carry ^ result >>> bits - 1);
        return result;
    }

    private static long rotateRightThroughCarry(Cpu cpu, int bits, long value, int count) {
        int n = count % (bits + 1);
        if (n == 0) {
            return value;
        }
        long result = value >>> n | cpu.carry() << bits - n;
        if (n > 1) {
            result |= value << bits + 1 - n;
        }
        result &= -1L >>> 64 - bits;
        setRotated(cpu, value >>> n - 1, result >>> bits - 1 ^ result >>> bits - 2);
        return result;
    }

    private abstract static class Register extends Op {
        final byte operation;
        final byte size;
        final byte register;
        final boolean highByte;

        Register(Instruction in, int operation, int size) {
            super(in);
            this.operation = (byte) operation;
            this.size = (byte) size;
            register = (byte) in.rm;
            highByte = Operands.isHighByte(in, in.rm, size);
        }

        final void run(Cpu cpu, int count) {
            long value = Operands.register(cpu, register, size, highByte);
            if (count != 0) {
                value = apply(cpu, operation, 8 * size, value, count);
            }
            // Written even for a count of 0: a 32-bit register then loses its upper half.
            Operands.setRegister(cpu, register, size, highByte, value);
        }
    }

    private static final class RegisterConstant extends Register {
        private final int count;

        RegisterConstant(Instruction in, int operation, int size, int count) {
            super(in, operation, size);
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            run(cpu, count);
        }
    }

    private static final class RegisterCl extends Register {
        private final int countMask;

        RegisterCl(Instruction in, int operation, int size) {
            super(in, operation, size);
            countMask = size == 8 ? 63 : 31;
        }

        @Override
        void execute(Cpu cpu) {
            run(cpu, (int) cpu.r[Cpu.RCX] & countMask);
        }
    }

    private abstract static class Memory extends MemOp {
        final byte operation;
        final byte size;

        Memory(Instruction in, int operation, int size) {
            super(in, size, true);
            this.operation = (byte) operation;
            this.size = (byte) size;
        }

        final void run(Cpu cpu, int count) {
            long value = Operands.readToModify(cpu, address(cpu), size);
            if (count != 0) {
                value = apply(cpu, operation, 8 * size, value, count);
            }
            Operands.modify(cpu, size, value);
        }
    }

    private static final class MemoryConstant extends Memory {
        private final int count;

        MemoryConstant(Instruction in, int operation, int size, int count) {
            super(in, operation, size);
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            run(cpu, count);
        }
    }

    private static final class MemoryCl extends Memory {
        private final int countMask;

        MemoryCl(Instruction in, int operation, int size) {
            super(in, operation, size);
            countMask = size == 8 ? 63 : 31;
        }

        @Override
        void execute(Cpu cpu) {
            run(cpu, (int) cpu.r[Cpu.RCX] & countMask);
        }
    }

    // ---------------------------------------------------------------- frequent forms

    private static final class ShiftLeft64 extends Op {
        private final byte d;
        private final int count;

        ShiftLeft64(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            long almost = cpu.r[d] << count - 1;
            long result = almost << 1;
            cpu.flagAux = almost & CARRIES;
            cpu.flagResult = result;
            cpu.r[d] = result;
        }
    }

    private static final class ShiftLeft32 extends Op {
        private final byte d;
        private final int count;

        ShiftLeft32(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            long almost = cpu.r[d] << 31 + count;
            long result = almost << 1;
            cpu.flagAux = almost & CARRIES;
            cpu.flagResult = result >> 32;
            cpu.r[d] = result >>> 32;
        }
    }

    private static final class ShiftRight64 extends Op {
        private final byte d;
        private final int count;

        ShiftRight64(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            long almost = cpu.r[d] >>> count - 1;
            setShiftedOut(cpu, almost, almost >>> 63);
            cpu.flagResult = almost >>> 1;
            cpu.r[d] = almost >>> 1;
        }
    }

    private static final class ShiftRight32 extends Op {
        private final byte d;
        private final int count;

        ShiftRight32(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            int almost = (int) cpu.r[d] >>> count - 1;
            setShiftedOut(cpu, almost, almost >>> 31);
            cpu.flagResult = almost >>> 1;
            cpu.r[d] = almost >>> 1;
        }
    }

    private static final class ShiftRightArithmetic64 extends Op {
        private final byte d;
        private final int count;

        ShiftRightArithmetic64(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            long almost = cpu.r[d] >> count - 1;
            cpu.flagAux = almost << 63 >> 1;
            cpu.flagResult = almost >> 1;
            cpu.r[d] = almost >> 1;
        }
    }

    private static final class ShiftRightArithmetic32 extends Op {
        private final byte d;
        private final int count;

        ShiftRightArithmetic32(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            int almost = (int) cpu.r[d] >> count - 1;
            cpu.flagAux = (long) almost << 63 >> 1;
            cpu.flagResult = almost >> 1;
            cpu.r[d] = almost >> 1 & 0xFFFF_FFFFL;
        }
    }

    private static final class RotateLeft64 extends Op {
        private final byte d;
        private final int count;

        RotateLeft64(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            long result = Long.rotateLeft(cpu.r[d], count);
            setRotated(cpu, result, result ^ result >>> 63);
            cpu.r[d] = result;
        }
    }

    private static final class RotateRight64 extends Op {
        private final byte d;
        private final int count;

        RotateRight64(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            long result = Long.rotateRight(cpu.r[d], count);
            cpu.flagAux = cpu.flagAux & ~CARRIES | result & CARRIES;
            cpu.r[d] = result;
        }
    }

    private static final class RotateLeft32 extends Op {
        private final byte d;
        private final int count;

        RotateLeft32(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            int result = Integer.rotateLeft((int) cpu.r[d], count);
            setRotated(cpu, result, result ^ result >>> 31);
            cpu.r[d] = result & 0xFFFF_FFFFL;
        }
    }

    private static final class RotateRight32 extends Op {
        private final byte d;
        private final int count;

        RotateRight32(Instruction in, int count) {
            super(in);
            d = (byte) in.rm;
            this.count = count;
        }

        @Override
        void execute(Cpu cpu) {
            int result = Integer.rotateRight((int) cpu.r[d], count);
            cpu.flagAux = cpu.flagAux & ~CARRIES | (long) result << 32 & CARRIES;
            cpu.r[d] = result & 0xFFFF_FFFFL;
        }
    }

    // ---------------------------------------------------------------- SHLD, SHRD

    /**
     * Shifts a value and fills it from another (SHLD, SHRD).
     *
     * @param right SHRD
     * @param bits 16, 32 or 64
     * @param value the destination, zero-extended
     * @param fill where the bits shifted in come from, zero-extended
     * @param count 1 to 31, or to 63 for 64 bits
     * @return the result, zero-extended
     */
    private static long shiftDouble(Cpu cpu, boolean right, int bits, long value, long fill, int count) {
        long result;
        long carry;
        if (bits == 64) {
            result = right ? value >>> count | fill << 64 - count : value << count | fill >>> 64 - count;
            carry = right ? value >>> count - 1 : value >>> 64 - count;
        } else if (bits == 32) {
            if (right) {
                long both = fill << 32 | value;
                result = both >>> count & 0xFFFF_FFFFL;
                carry = both >>> count - 1;
            } else {
                long both = value << 32 | fill;
                result = both << count >>> 32;
                carry = both >>> 64 - count;
            }
        } else {
            // Counts above 16 are undefined; processors go on with the destination's own bits.
            long three = value << 32 | fill << 16 | value;
            if (right) {
                result = three >>> count & 0xFFFF;
                carry = three >>> count - 1;
            } else {
                result = three << count >>> 32 & 0xFFFF;
                carry = three >>> 48 - count;
            }
        }
        int up = 64 - bits;
        setShiftedOut(cpu, carry, (value ^ result) >>> bits - 1);
        cpu.flagResult = result << up >> up;
        return result;
    }

    private static boolean byCl(Instruction in) {
        return (in.opcode & 1) != 0;
    }

    private static boolean isRight(Instruction in) {
        return (in.opcode & 8) != 0;
    }

    private static final class DoubleRegister extends Op {
        private final boolean right;
        private final byte size;
        private final byte d;
        private final byte s;
        private final boolean byCl;
        private final int count;

        DoubleRegister(Instruction in) {
            super(in);
            right = isRight(in);
            size = (byte) in.operandSize;
            d = (byte) in.rm;
            s = (byte) in.reg;
            byCl = byCl(in);
            count = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int n = (byCl ? (int) cpu.r[Cpu.RCX] : count) & (size == 8 ? 63 : 31);
            long value = Operands.register(cpu, d, size, false);
            if (n != 0) {
                value = shiftDouble(cpu, right, 8 * size, value, Operands.register(cpu, s, size, false), n);
            }
            Operands.setRegister(cpu, d, size, false, value);
        }
    }

    private static final class DoubleMemory extends MemOp {
        private final boolean right;
        private final byte size;
        private final byte s;
        private final boolean byCl;
        private final int count;

        DoubleMemory(Instruction in) {
            super(in, in.operandSize, true);
            right = isRight(in);
            size = (byte) in.operandSize;
            s = (byte) in.reg;
            byCl = byCl(in);
            count = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int n = (byCl ? (int) cpu.r[Cpu.RCX] : count) & (size == 8 ? 63 : 31);
            long value = Operands.readToModify(cpu, address(cpu), size);
            if (n != 0) {
                value = shiftDouble(cpu, right, 8 * size, value, Operands.register(cpu, s, size, false), n);
            }
            Operands.modify(cpu, size, value);
        }
    }
}
