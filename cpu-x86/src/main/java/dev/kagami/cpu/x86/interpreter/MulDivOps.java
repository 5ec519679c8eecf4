package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * MUL, IMUL, DIV, IDIV (SDM 2A). Multiplications set CF and OF; the flags that the manual leaves undefined are those of
 * the low half. Divisions leave all flags alone.
 */
final class MulDivOps {
    private static final long CARRY_AND_OVERFLOW = 1L << 63;

    private MulDivOps() {}

    static @Nullable Op create(Instruction in) {
        int opcode = in.opcode;
        if (in.map == Instruction.MAP_0F) {
            return opcode == 0xAF ? multiplySigned(in) : null;
        }
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        return switch (opcode) {
            case 0x69, 0x6B -> multiplySigned(in);
            case 0xF6 -> in.group() >= 4 ? wide(in, 1) : null;
            case 0xF7 -> in.group() >= 4 ? wide(in, in.operandSize) : null;
            default -> null;
        };
    }

    private static Op multiplySigned(Instruction in) {
        boolean immediate = in.opcode != 0xAF;
        if (in.isMemory()) {
            return new MultiplyMemory(in, immediate);
        }
        return switch (in.operandSize) {
            case 8 -> immediate ? new MultiplyImmediate64(in) : new MultiplyRegister64(in);
            case 4 -> immediate ? new MultiplyImmediate32(in) : new MultiplyRegister32(in);
            default -> new MultiplyRegister16(in, immediate);
        };
    }

    private static Op wide(Instruction in, int size) {
        return in.isMemory() ? new WideMemory(in, size) : new WideRegister(in, size);
    }

    // ---------------------------------------------------------------- IMUL with two and three operands

    private static long multiply64(Cpu cpu, long a, long b) {
        long result = a * b;
        cpu.flagResult = result;
        cpu.flagAux = Math.multiplyHigh(a, b) != result >> 63 ? CARRY_AND_OVERFLOW : 0;
        return result;
    }

    private static long multiply32(Cpu cpu, int a, int b) {
        long product = (long) a * b;
        int result = (int) product;
        cpu.flagResult = result;
        cpu.flagAux = product != result ? CARRY_AND_OVERFLOW : 0;
        return result & 0xFFFF_FFFFL;
    }

    private static int multiply16(Cpu cpu, int a, int b) {
        int product = (short) a * (short) b;
        short result = (short) product;
        cpu.flagResult = result;
        cpu.flagAux = product != result ? CARRY_AND_OVERFLOW : 0;
        return result;
    }

    private static final class MultiplyRegister64 extends Op {
        private final int d;
        private final int s;

        MultiplyRegister64(Instruction in) {
            super(in);
            d = in.reg;
            s = in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = multiply64(cpu, cpu.r[d], cpu.r[s]);
        }
    }

    private static final class MultiplyImmediate64 extends Op {
        private final int d;
        private final int s;
        private final long immediate;

        MultiplyImmediate64(Instruction in) {
            super(in);
            d = in.reg;
            s = in.rm;
            immediate = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = multiply64(cpu, cpu.r[s], immediate);
        }
    }

    private static final class MultiplyRegister32 extends Op {
        private final int d;
        private final int s;

        MultiplyRegister32(Instruction in) {
            super(in);
            d = in.reg;
            s = in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = multiply32(cpu, (int) cpu.r[d], (int) cpu.r[s]);
        }
    }

    private static final class MultiplyImmediate32 extends Op {
        private final int d;
        private final int s;
        private final int immediate;

        MultiplyImmediate32(Instruction in) {
            super(in);
            d = in.reg;
            s = in.rm;
            immediate = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = multiply32(cpu, (int) cpu.r[s], immediate);
        }
    }

    private static final class MultiplyRegister16 extends Op {
        private final int d;
        private final int s;
        private final boolean hasImmediate;
        private final int immediate;

        MultiplyRegister16(Instruction in, boolean hasImmediate) {
            super(in);
            d = in.reg;
            s = in.rm;
            this.hasImmediate = hasImmediate;
            immediate = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int a = (int) cpu.r[s];
            cpu.setReg16(d, multiply16(cpu, a, hasImmediate ? immediate : (int) cpu.r[d]));
        }
    }

    private static final class MultiplyMemory extends MemOp {
        private final int size;
        private final int d;
        private final boolean hasImmediate;
        private final long immediate;

        MultiplyMemory(Instruction in, boolean hasImmediate) {
            super(in, in.operandSize, false);
            size = in.operandSize;
            d = in.reg;
            this.hasImmediate = hasImmediate;
            immediate = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            long address = address(cpu);
            long b = hasImmediate ? immediate : cpu.r[d];
            switch (size) {
                case 8 -> cpu.r[d] = multiply64(cpu, cpu.readLong(address), b);
                case 4 -> cpu.r[d] = multiply32(cpu, cpu.readInt(address), (int) b);
                default -> cpu.setReg16(d, multiply16(cpu, cpu.readShort(address), (int) b));
            }
        }
    }

    // ---------------------------------------------------------------- double-width results and dividends

    private static final class WideRegister extends Op {
        private final int operation;
        private final int size;
        private final int register;
        private final boolean highByte;

        WideRegister(Instruction in, int size) {
            super(in);
            operation = in.group();
            this.size = size;
            register = in.rm;
            highByte = Operands.isHighByte(in, in.rm, size);
        }

        @Override
        void execute(Cpu cpu) {
            apply(cpu, operation, size, Operands.register(cpu, register, size, highByte));
        }
    }

    private static final class WideMemory extends MemOp {
        private final int operation;
        private final int size;

        WideMemory(Instruction in, int size) {
            super(in, size, false);
            operation = in.group();
            this.size = size;
        }

        @Override
        void execute(Cpu cpu) {
            apply(cpu, operation, size, cpu.read(address(cpu), size));
        }
    }

    private static void apply(Cpu cpu, int operation, int size, long operand) {
        switch (operation) {
            case 4 -> multiplyUnsigned(cpu, size, operand);
            case 5 -> multiplySigned(cpu, size, operand);
            case 6 -> divideUnsigned(cpu, size, operand);
            default -> divideSigned(cpu, size, operand);
        }
    }

    private static void multiplyUnsigned(Cpu cpu, int size, long b) {
        long[] r = cpu.r;
        long a = Operands.register(cpu, Cpu.RAX, size, false);
        long low = a * b;
        boolean overflow;
        if (size == 8) {
            long high = Math.unsignedMultiplyHigh(a, b);
            r[Cpu.RAX] = low;
            r[Cpu.RDX] = high;
            overflow = high != 0;
        } else {
            setProduct(cpu, size, low);
            overflow = low >>> 8 * size != 0;
        }
        cpu.flagResult = Operands.signExtend(low, size);
        cpu.flagAux = overflow ? CARRY_AND_OVERFLOW : 0;
    }

    private static void multiplySigned(Cpu cpu, int size, long operand) {
        long[] r = cpu.r;
        long a = Operands.signExtend(r[Cpu.RAX], size);
        long b = Operands.signExtend(operand, size);
        long low = a * b;
        boolean overflow;
        if (size == 8) {
            long high = Math.multiplyHigh(a, b);
            r[Cpu.RAX] = low;
            r[Cpu.RDX] = high;
            overflow = high != low >> 63;
        } else {
            setProduct(cpu, size, low);
            overflow = low != Operands.signExtend(low, size);
        }
        cpu.flagResult = Operands.signExtend(low, size);
        cpu.flagAux = overflow ? CARRY_AND_OVERFLOW : 0;
    }

    private static void setProduct(Cpu cpu, int size, long product) {
        switch (size) {
            case 1 -> cpu.setReg16(Cpu.RAX, (int) product);
            case 2 -> setPair16(cpu, (int) product, (int) product >> 16);
            default -> setPair32(cpu, product, product >>> 32);
        }
    }

    private static void setPair16(Cpu cpu, int low, int high) {
        cpu.setReg16(Cpu.RAX, low);
        cpu.setReg16(Cpu.RDX, high);
    }

    private static void setPair32(Cpu cpu, long low, long high) {
        cpu.r[Cpu.RAX] = low & 0xFFFF_FFFFL;
        cpu.r[Cpu.RDX] = high & 0xFFFF_FFFFL;
    }

    private static Fault divideError(Cpu cpu) {
        return cpu.fault(Vector.DIVIDE_ERROR);
    }

    /** {@return the dividend of a division by up to 32 bits: ax, dx:ax or edx:eax} */
    private static long dividend(Cpu cpu, int size) {
        long[] r = cpu.r;
        return switch (size) {
            case 1 -> r[Cpu.RAX] & 0xFFFF;
            case 2 -> (r[Cpu.RDX] & 0xFFFF) << 16 | r[Cpu.RAX] & 0xFFFF;
            default -> r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xFFFF_FFFFL;
        };
    }

    private static void setQuotient(Cpu cpu, int size, long quotient, long remainder) {
        switch (size) {
            case 1 -> cpu.setReg16(Cpu.RAX, (int) quotient & 0xFF | (int) remainder << 8);
            case 2 -> setPair16(cpu, (int) quotient, (int) remainder);
            default -> setPair32(cpu, quotient, remainder);
        }
    }

    private static void divideUnsigned(Cpu cpu, int size, long divisor) {
        if (divisor == 0) {
            throw divideError(cpu);
        }
        if (size == 8) {
            long[] r = cpu.r;
            long high = r[Cpu.RDX];
            long low = r[Cpu.RAX];
            if (Long.compareUnsigned(high, divisor) >= 0) {
                throw divideError(cpu);
            }
            long quotient = divide128(high, low, divisor);
            r[Cpu.RAX] = quotient;
            r[Cpu.RDX] = low - quotient * divisor;
            return;
        }
        long dividend = dividend(cpu, size);
        long quotient = Long.divideUnsigned(dividend, divisor);
        if (quotient >>> 8 * size != 0) {
            throw divideError(cpu);
        }
        setQuotient(cpu, size, quotient, dividend - quotient * divisor);
    }

    private static void divideSigned(Cpu cpu, int size, long operand) {
        if (operand == 0) {
            throw divideError(cpu);
        }
        if (size == 8) {
            divideSigned64(cpu, operand);
            return;
        }
        long divisor = Operands.signExtend(operand, size);
        long dividend = Operands.signExtend(dividend(cpu, size), Math.min(8, 2 * size));
        // The only quotient that a long can't hold also overflows here: it comes out as Long.MIN_VALUE.
        long quotient = dividend / divisor;
        if (quotient != Operands.signExtend(quotient, size)) {
            throw divideError(cpu);
        }
        setQuotient(cpu, size, quotient, dividend - quotient * divisor);
    }

    private static void divideSigned64(Cpu cpu, long divisor) {
        long[] r = cpu.r;
        long high = r[Cpu.RDX];
        long low = r[Cpu.RAX];
        if (high == low >> 63 && (low != Long.MIN_VALUE || divisor != -1)) {
            long quotient = low / divisor;
            r[Cpu.RAX] = quotient;
            r[Cpu.RDX] = low - quotient * divisor;
            return;
        }
        boolean negativeDividend = high < 0;
        long absoluteLow = negativeDividend ? -low : low;
        long absoluteHigh = negativeDividend ? ~high + (low == 0 ? 1 : 0) : high;
        long absoluteDivisor = Math.abs(divisor); // 2^63 stays as it is, and is right when taken unsigned
        if (Long.compareUnsigned(absoluteHigh, absoluteDivisor) >= 0) {
            throw divideError(cpu);
        }
        long quotient = divide128(absoluteHigh, absoluteLow, absoluteDivisor);
        boolean negative = negativeDividend != divisor < 0;
        if (quotient < 0 && !(negative && quotient == Long.MIN_VALUE)) {
            throw divideError(cpu);
        }
        long signed = negative ? -quotient : quotient;
        r[Cpu.RAX] = signed;
        r[Cpu.RDX] = low - signed * divisor;
    }

    /**
     * Divides 128 bits by 64, all unsigned, digit by digit in base 2^32 (Knuth, The Art of Computer Programming 4.3.1,
     * algorithm D).
     *
     * @param high upper half of the dividend, below the divisor
     * @param low lower half of the dividend
     * @param divisor the divisor
     * @return the quotient
     */
    static long divide128(long high, long low, long divisor) {
        if (high == 0) {
            return Long.divideUnsigned(low, divisor);
        }
        int shift = Long.numberOfLeadingZeros(divisor);
        long d = divisor << shift;
        long top = shift == 0 ? high : high << shift | low >>> 64 - shift;
        long rest = low << shift;
        long q1 = digit(top, rest >>> 32, d);
        // Bits that overflow here cancel out: the true difference is below d.
        long middle = (top << 32 | rest >>> 32) - q1 * d;
        long q0 = digit(middle, rest & 0xFFFF_FFFFL, d);
        return (q1 << 32) + q0;
    }

    /** {@return one 32-bit digit of the quotient of {@code top:next} (64 and 32 bits) by a normalized divisor} */
    private static long digit(long top, long next, long divisor) {
        long d1 = divisor >>> 32;
        long d0 = divisor & 0xFFFF_FFFFL;
        long q = Long.divideUnsigned(top, d1);
        long remainder = top - q * d1;
        while (q >>> 32 != 0 || Long.compareUnsigned(q * d0, remainder << 32 | next) > 0) {
            q--;
            remainder += d1;
            if (remainder >>> 32 != 0) {
                break;
            }
        }
        return q;
    }
}
