package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.Crc32c;
import org.jspecify.annotations.Nullable;

/**
 * Bit manipulation on general registers: BMI1, BMI2, ADX, MOVBE, POPCNT, LZCNT, TZCNT and CRC32 (SDM 2). Flags that the manual
 * leaves undefined come out as of a logical operation.
 */
final class BitOps {
    private static final long LOW_DOUBLEWORD = 0xFFFF_FFFFL;
    /** {@link Cpu#flagAux} for CF set and OF clear. */
    private static final long CARRY = 3L << 62;

    private BitOps() {}

    /**
     * Makes the op of an instruction.
     *
     * @param in the instruction, legacy or VEX
     * @return the op, or null when this group has no such instruction
     */
    static @Nullable Op create(Instruction in) {
        if (in.lock) {
            return null;
        }
        return switch (in.encoding) {
            case Instruction.ENCODING_LEGACY -> legacy(in);
            case Instruction.ENCODING_VEX -> in.vectorLength == 0 ? vector(in) : null;
            default -> null;
        };
    }

    private static @Nullable Op legacy(Instruction in) {
        boolean memory = in.isMemory();
        return switch (in.mapAndOpcode()) {
            case 0x1B8 -> in.pp == Instruction.PP_F3 ? new PopulationCount(in) : null;
            case 0x1BC -> in.pp == Instruction.PP_F3 ? new TrailingZeros(in) : null;
            case 0x1BD -> in.pp == Instruction.PP_F3 ? new LeadingZeros(in) : null;
            case 0x2F0 ->
                switch (in.pp) {
                    case Instruction.PP_F2 -> new Crc(in, 1);
                    case Instruction.PP_F3 -> null;
                    default -> memory ? new LoadSwapped(in) : null;
                };
            case 0x2F1 ->
                switch (in.pp) {
                    case Instruction.PP_F2 -> new Crc(in, in.operandSize);
                    case Instruction.PP_F3 -> null;
                    default -> memory ? new StoreSwapped(in) : null;
                };
            case 0x2F6 ->
                switch (in.pp) {
                    case Instruction.PP_66 -> in.w && !memory ? new AddRegisterWithCarry(in) : new AddWithCarry(in);
                    case Instruction.PP_F3 ->
                        in.w && !memory ? new AddRegisterWithOverflow(in) : new AddWithOverflow(in);
                    default -> null;
                };
            default -> null;
        };
    }

    private static @Nullable Op vector(Instruction in) {
        return switch (in.mapAndOpcode()) {
            case 0x2F2 -> in.pp == Instruction.PP_NONE ? new AndNot(in) : null;
            case 0x2F3 -> in.pp == Instruction.PP_NONE && in.group() >= 1 && in.group() <= 3 ? new LowestBit(in) : null;
            case 0x2F5 ->
                switch (in.pp) {
                    case Instruction.PP_NONE -> new ZeroHighBits(in);
                    case Instruction.PP_F3 -> new ParallelBits(in, false);
                    case Instruction.PP_F2 -> new ParallelBits(in, true);
                    default -> null;
                };
            case 0x2F6 -> in.pp == Instruction.PP_F2 ? multiply(in) : null;
            case 0x2F7 -> in.pp == Instruction.PP_NONE ? new ExtractBits(in) : new Shift(in);
            // VEX.vvvv must be 1111, which the decoder hands over as 0.
            case 0x3F0 -> in.pp == Instruction.PP_F2 && in.vvvv == 0 ? new RotateRight(in) : null;
            default -> null;
        };
    }

    /** An instruction with a register or memory operand that it reads. */
    private abstract static class BitOp extends MemOp {
        /** ModRM.reg. */
        final int reg;
        /** Register named by VEX.vvvv. */
        final int second;
        /** Operand size in bytes. */
        final int size;

        final boolean wide;
        private final int rm;

        BitOp(Instruction in, int size) {
            super(in, size, false);
            this.size = size;
            wide = size == Long.BYTES;
            reg = in.reg;
            second = in.vvvv;
            rm = in.isMemory() ? -1 : in.rm;
        }

        BitOp(Instruction in) {
            this(in, in.operandSize);
        }

        /** {@return the operand named by ModRM.rm, zero-extended} */
        final long source(Cpu cpu) {
            if (rm < 0) {
                long address = address(cpu);
                return wide ? cpu.readLong(address) : cpu.read(address, size);
            }
            return cpu.r[rm] & -1L >>> 64 - (size << 3);
        }

        /** {@return a register, zero-extended when the operand size is 32 bits} */
        final long register(Cpu cpu, int number) {
            return wide ? cpu.r[number] : cpu.r[number] & LOW_DOUBLEWORD;
        }

        /** Writes a register of the operand size. */
        final void write(Cpu cpu, int number, long value) {
            if (wide) {
                cpu.r[number] = value;
            } else if (size == Short.BYTES) {
                cpu.setReg16(number, (int) value);
            } else {
                cpu.r[number] = value & LOW_DOUBLEWORD;
            }
        }

        /** Sets SF and ZF by a result of the operand size, OF to 0, and CF. */
        final void flags(Cpu cpu, long value, boolean carry) {
            cpu.flagResult = wide ? value : (int) value;
            cpu.flagAux = carry ? CARRY : 0;
        }
    }

    private static final class PopulationCount extends BitOp {
        PopulationCount(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            write(cpu, reg, Long.bitCount(value));
            cpu.setArithmeticFlags(value == 0 ? Cpu.ZF : 0);
        }
    }

    private static final class TrailingZeros extends BitOp {
        TrailingZeros(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            int count = value == 0 ? size << 3 : Long.numberOfTrailingZeros(value);
            write(cpu, reg, count);
            flags(cpu, count, value == 0);
        }
    }

    private static final class LeadingZeros extends BitOp {
        LeadingZeros(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            int count = Long.numberOfLeadingZeros(value) - 64 + (size << 3);
            write(cpu, reg, count);
            flags(cpu, count, value == 0);
        }
    }

    private static final class Crc extends BitOp {
        /** Register operand when it is ah, ch, dh or bh. */
        private final int highByte;

        Crc(Instruction in, int size) {
            super(in, size);
            highByte = size == 1 && !in.isMemory() && !in.rex && in.rm >= 4 ? in.rm : -1;
        }

        @Override
        void execute(Cpu cpu) {
            long value = highByte >= 0 ? cpu.reg8(highByte, true) : source(cpu);
            int crc = (int) cpu.r[reg];
            int result = switch (size) {
                case 1 -> Crc32c.update8(crc, (int) value);
                case 2 -> Crc32c.update16(crc, (int) value);
                case 4 -> Crc32c.update32(crc, (int) value);
                default -> Crc32c.update64(crc, value);
            };
            cpu.r[reg] = result & LOW_DOUBLEWORD;
        }
    }

    /** MOVBE from memory. */
    private static final class LoadSwapped extends BitOp {
        LoadSwapped(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            write(cpu, reg, Long.reverseBytes(source(cpu)) >>> 64 - (size << 3));
        }
    }

    /** MOVBE to memory. */
    private static final class StoreSwapped extends MemOp {
        private final int register;
        private final int size;

        StoreSwapped(Instruction in) {
            super(in, in.operandSize, true);
            register = in.reg;
            size = in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.write(address(cpu), size, Long.reverseBytes(cpu.r[register]) >>> 64 - (size << 3));
        }
    }

    /** ADCX and ADOX, whose operand size is 32 or 64 bits whatever prefix 66 says. */
    private abstract static class Add extends BitOp {
        Add(Instruction in) {
            super(in, in.w ? Long.BYTES : Integer.BYTES);
        }

        /** Adds into the register and returns the carry out as the sign. */
        final long add(Cpu cpu, long carry) {
            long b = source(cpu);
            long a = register(cpu, reg);
            long sum = a + b + carry;
            write(cpu, reg, sum);
            return wide ? a & b | (a | b) & ~sum : -(sum >>> 32);
        }
    }

    // Carries of long numbers are as good as random, so they decide no branch.

    /** Sets CF to the sign of {@code carry}. */
    private static void carryOut(Cpu cpu, long carry) {
        long aux = cpu.flagAux;
        cpu.flagAux = aux ^ (aux ^ carry) >> 63 & CARRY;
    }

    /** Sets OF to the sign of {@code carry}. */
    private static void overflowOut(Cpu cpu, long carry) {
        long aux = cpu.flagAux;
        cpu.flagAux = aux ^ (aux ^ aux << 1 ^ carry) >>> 63 << 62;
    }

    /** {@return OF as 0 or 1} */
    private static long overflow(Cpu cpu) {
        long aux = cpu.flagAux;
        return (aux ^ aux << 1) >>> 63;
    }

    /** ADCX or ADOX of 64-bit registers, what multiplication of long numbers mostly is. */
    private abstract static class AddRegister extends Op {
        private final byte d;
        private final byte s;

        AddRegister(Instruction in) {
            super(in);
            d = (byte) in.reg;
            s = (byte) in.rm;
        }

        /** Adds into the register and returns the carry out as the sign. */
        final long add(Cpu cpu, long carry) {
            long[] r = cpu.r;
            long a = r[d];
            long b = r[s];
            long sum = a + b + carry;
            r[d] = sum;
            return a & b | (a | b) & ~sum;
        }
    }

    private static final class AddRegisterWithCarry extends AddRegister {
        AddRegisterWithCarry(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            carryOut(cpu, add(cpu, cpu.carry()));
        }
    }

    private static final class AddRegisterWithOverflow extends AddRegister {
        AddRegisterWithOverflow(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            overflowOut(cpu, add(cpu, overflow(cpu)));
        }
    }

    private static final class AddWithCarry extends Add {
        AddWithCarry(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            carryOut(cpu, add(cpu, cpu.carry()));
        }
    }

    private static final class AddWithOverflow extends Add {
        AddWithOverflow(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            overflowOut(cpu, add(cpu, overflow(cpu)));
        }
    }

    private static final class AndNot extends BitOp {
        AndNot(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu) & ~cpu.r[second];
            write(cpu, reg, value);
            flags(cpu, value, false);
        }
    }

    /** BLSR, BLSMSK and BLSI; the destination is the register of VEX.vvvv. */
    private static final class LowestBit extends BitOp {
        private static final int RESET = 1;
        private static final int MASK = 2;

        private final int operation;

        LowestBit(Instruction in) {
            super(in);
            operation = in.group();
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            long result = switch (operation) {
                case RESET -> value & value - 1;
                case MASK -> value ^ value - 1;
                default -> value & -value;
            };
            boolean isolate = operation != RESET && operation != MASK;
            write(cpu, second, result);
            flags(cpu, result, value == 0 != isolate);
        }
    }

    /** BZHI. */
    private static final class ZeroHighBits extends BitOp {
        ZeroHighBits(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            int index = (int) cpu.r[second] & 0xFF;
            boolean past = index >= size << 3;
            long result = past ? value : value & (1L << index) - 1;
            write(cpu, reg, result);
            flags(cpu, result, past);
        }
    }

    /** BEXTR. */
    private static final class ExtractBits extends BitOp {
        ExtractBits(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            int control = (int) cpu.r[second];
            int start = control & 0xFF;
            int length = control >> 8 & 0xFF;
            long shifted = start < 64 ? value >>> start : 0;
            long result = length < 64 ? shifted & (1L << length) - 1 : shifted;
            write(cpu, reg, result);
            flags(cpu, result, false);
        }
    }

    /** PDEP and PEXT. */
    private static final class ParallelBits extends BitOp {
        private final boolean deposit;

        ParallelBits(Instruction in, boolean deposit) {
            super(in);
            this.deposit = deposit;
        }

        @Override
        void execute(Cpu cpu) {
            // Zero-extended operands make the 64-bit operation right for 32 bits too.
            long mask = source(cpu);
            long value = register(cpu, second);
            write(cpu, reg, deposit ? Long.expand(value, mask) : Long.compress(value, mask));
        }
    }

    private static Op multiply(Instruction in) {
        return in.operandSize == Long.BYTES && in.isMemory() ? new MultiplyByMemory64(in) : new Multiply(in);
    }

    /** MULX of 64 bits with a memory operand, as long numbers are multiplied. */
    private static final class MultiplyByMemory64 extends MemOp {
        private final byte highRegister;
        private final byte lowRegister;

        MultiplyByMemory64(Instruction in) {
            super(in, Long.BYTES, false);
            highRegister = (byte) in.reg;
            lowRegister = (byte) in.vvvv;
        }

        @Override
        void execute(Cpu cpu) {
            long b = cpu.readLong(address(cpu));
            long[] r = cpu.r;
            long a = r[Cpu.RDX];
            r[lowRegister] = a * b;
            // When both destinations are the same register, it gets the high half.
            r[highRegister] = Math.unsignedMultiplyHigh(a, b);
        }
    }

    /** MULX. */
    private static final class Multiply extends BitOp {
        Multiply(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long a = register(cpu, Cpu.RDX);
            long b = source(cpu);
            long product = a * b;
            // When both destinations are the same register, it gets the high half.
            write(cpu, second, product);
            write(cpu, reg, wide ? Math.unsignedMultiplyHigh(a, b) : product >>> 32);
        }
    }

    /** SHLX, SARX and SHRX. */
    private static final class Shift extends BitOp {
        private final int prefix;

        Shift(Instruction in) {
            super(in);
            prefix = in.pp;
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            int count = (int) cpu.r[second] & (wide ? 63 : 31);
            write(
                    cpu,
                    reg,
                    switch (prefix) {
                        case Instruction.PP_66 -> value << count;
                        case Instruction.PP_F3 -> (wide ? value : (int) value) >> count;
                        default -> value >>> count;
                    });
        }
    }

    /** RORX. */
    private static final class RotateRight extends BitOp {
        private final int count;

        RotateRight(Instruction in) {
            super(in);
            count = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            write(cpu, reg, wide ? Long.rotateRight(value, count) : Integer.rotateRight((int) value, count));
        }
    }
}
