package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** The instructions with a LOCK prefix, and XCHG with memory, which needs none. */
final class LockedOps {
    private LockedOps() {}

    /**
     * Makes the op of a locked instruction.
     *
     * @param in the instruction; with LOCK only where that is allowed
     * @return the op, or null when the instruction is not locked
     */
    static @Nullable Op create(Instruction in) {
        if (!in.isMemory() || in.encoding != Instruction.ENCODING_LEGACY) {
            return null;
        }
        int opcode = in.opcode;
        if (in.map == Instruction.MAP_PRIMARY && (opcode & ~1) == 0x86) {
            return new Exchange(in, size(in));
        }
        if (!in.lock) {
            return null;
        }
        if (in.map == Instruction.MAP_PRIMARY) {
            return switch (opcode) {
                case 0x80, 0x81, 0x82, 0x83 -> new Arithmetic(in, in.group(), Cpu.ZERO, in.immediate);
                case 0xF6, 0xF7 -> new Arithmetic(in, in.group() == 2 ? AluOps.NOT : AluOps.NEG, Cpu.ZERO, 0);
                case 0xFE, 0xFF -> new Arithmetic(in, in.group() == 0 ? AluOps.INC : AluOps.DEC, Cpu.ZERO, 0);
                default -> new Arithmetic(in, opcode >> 3, in.reg, 0);
            };
        }
        return switch (opcode) {
            case 0xAB, 0xB3, 0xBB -> new BitByRegister(in, opcode >> 3 & 3);
            case 0xBA -> new BitByConstant(in, in.group() - 4);
            case 0xB0, 0xB1 -> new CompareExchange(in, size(in));
            case 0xC0, 0xC1 -> new ExchangeAdd(in, size(in));
            case 0xC7 -> in.operandSize == 8 ? new CompareExchange16B(in) : new CompareExchange8B(in);
            default -> null;
        };
    }

    /** {@return the size of the operand, which bit 0 of all these opcodes tells} */
    private static int size(Instruction in) {
        return (in.opcode & 1) == 0 ? 1 : in.operandSize;
    }

    /** ADD, OR, ADC, SBB, AND, SUB, XOR, NOT, NEG, INC and DEC. */
    private static final class Arithmetic extends LockedOp {
        private final int operation;
        private final int s;
        private final boolean highS;
        private final long immediate;

        Arithmetic(Instruction in, int operation, int s, long immediate) {
            super(in, LockedOps.size(in));
            this.operation = operation;
            this.s = s;
            highS = s != Cpu.ZERO && Operands.isHighByte(in, s, size);
            this.immediate = immediate;
        }

        @Override
        void execute(Cpu cpu) {
            modify(cpu, address(cpu));
        }

        @Override
        long change(Cpu cpu, long old) {
            long b = s == Cpu.ZERO ? immediate : Operands.register(cpu, s, size, highS);
            return switch (size) {
                case 8 -> AluOps.compute64(cpu, operation, old, b);
                case 4 -> AluOps.compute32(cpu, operation, (int) old, (int) b);
                default -> AluOps.computeSmall(cpu, operation, size, (int) old, (int) b);
            };
        }
    }

    private static final class Exchange extends LockedOp {
        private final int s;
        private final boolean highS;

        Exchange(Instruction in, int size) {
            super(in, size);
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long old = modify(cpu, address(cpu));
            Operands.setRegister(cpu, s, size, highS, old);
        }

        @Override
        long change(Cpu cpu, long old) {
            return Operands.register(cpu, s, size, highS);
        }
    }

    private static final class ExchangeAdd extends LockedOp {
        private final int s;
        private final boolean highS;

        ExchangeAdd(Instruction in, int size) {
            super(in, size);
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long old = modify(cpu, address(cpu));
            Operands.setRegister(cpu, s, size, highS, old);
        }

        @Override
        long change(Cpu cpu, long old) {
            return Operands.add(cpu, size, old, Operands.register(cpu, s, size, highS));
        }
    }

    private static final class CompareExchange extends LockedOp {
        private final int s;
        private final boolean highS;

        CompareExchange(Instruction in, int size) {
            super(in, size);
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long accumulator = Operands.register(cpu, Cpu.RAX, size, false);
            long old = modify(cpu, address(cpu));
            if (old != accumulator) {
                Operands.setRegister(cpu, Cpu.RAX, size, false, old);
            }
            Operands.compare(cpu, size, accumulator, old);
        }

        @Override
        long change(Cpu cpu, long old) {
            // What is not replaced is written all the same (SDM 2A, CMPXCHG).
            return Operands.register(cpu, Cpu.RAX, size, false) == old ? Operands.register(cpu, s, size, highS) : old;
        }
    }

    private static final class CompareExchange8B extends LockedOp {
        CompareExchange8B(Instruction in) {
            super(in, 8);
        }

        private static long pair(Cpu cpu, int high, int low) {
            return cpu.r[high] << 32 | cpu.r[low] & 0xFFFF_FFFFL;
        }

        @Override
        void execute(Cpu cpu) {
            long expected = pair(cpu, Cpu.RDX, Cpu.RAX);
            long old = modify(cpu, address(cpu));
            if (old != expected) {
                cpu.r[Cpu.RAX] = old & 0xFFFF_FFFFL;
                cpu.r[Cpu.RDX] = old >>> 32;
            }
            cpu.setZero(old == expected);
        }

        @Override
        long change(Cpu cpu, long old) {
            return old == pair(cpu, Cpu.RDX, Cpu.RAX) ? pair(cpu, Cpu.RCX, Cpu.RBX) : old;
        }
    }

    /** The host has no such access for us, so other CPUs must wait. */
    private static final class CompareExchange16B extends MemOp {
        CompareExchange16B(Instruction in) {
            super(in, AtomicOps.WIDE, true);
        }

        @Override
        void execute(Cpu cpu) {
            long address = address(cpu);
            AtomicOps.probeWide(cpu, address);
            cpu.rendezvous.begin(cpu);
            try {
                AtomicOps.compareExchangeWide(cpu, address);
            } finally {
                cpu.rendezvous.end(cpu);
            }
        }
    }

    /** BTS, BTR and BTC with the bit's number in a register: it selects another word of memory. */
    private static final class BitByRegister extends LockedOp {
        private final int operation;
        private final int s;
        private final int mask;

        BitByRegister(Instruction in, int operation) {
            super(in, in.operandSize);
            this.operation = operation;
            s = in.reg;
            mask = 8 * size - 1;
        }

        private long bit(Cpu cpu) {
            return 1L << (cpu.r[s] & mask);
        }

        @Override
        void execute(Cpu cpu) {
            long number = Operands.signExtend(cpu.r[s], size);
            long old = modify(cpu, addressAt(cpu, (number & ~(long) mask) >> 3, size, true));
            cpu.setCarry((old & bit(cpu)) != 0);
        }

        @Override
        long change(Cpu cpu, long old) {
            return BitTestOps.change(operation, old, bit(cpu));
        }
    }

    private static final class BitByConstant extends LockedOp {
        private final int operation;
        private final long bit;

        BitByConstant(Instruction in, int operation) {
            super(in, in.operandSize);
            this.operation = operation;
            bit = 1L << (in.immediate & 8 * size - 1);
        }

        @Override
        void execute(Cpu cpu) {
            long old = modify(cpu, address(cpu));
            cpu.setCarry((old & bit) != 0);
        }

        @Override
        long change(Cpu cpu, long old) {
            return BitTestOps.change(operation, old, bit);
        }
    }
}
