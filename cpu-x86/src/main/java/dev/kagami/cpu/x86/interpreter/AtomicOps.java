package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * CMPXCHG, CMPXCHG8B, CMPXCHG16B and XADD without a LOCK prefix (SDM 2A and 2B); with it, see {@link LockedOps}.
 */
final class AtomicOps {
    /** Bytes that CMPXCHG16B accesses, and their alignment. */
    static final int WIDE = 16;

    private AtomicOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_0F) {
            return null;
        }
        return switch (in.opcode) {
            case 0xB0 -> compareExchange(in, 1);
            case 0xB1 -> compareExchange(in, in.operandSize);
            case 0xC0 -> exchangeAdd(in, 1);
            case 0xC1 -> exchangeAdd(in, in.operandSize);
            case 0xC7 -> {
                if (in.group() != 1 || !in.isMemory()) {
                    yield null;
                }
                yield in.operandSize == 8 ? new CompareExchange16B(in) : new CompareExchange8B(in);
            }
            default -> null;
        };
    }

    private static Op compareExchange(Instruction in, int size) {
        return in.isMemory() ? new CompareExchangeMemory(in, size) : new CompareExchangeRegister(in, size);
    }

    private static Op exchangeAdd(Instruction in, int size) {
        return in.isMemory() ? new ExchangeAddMemory(in, size) : new ExchangeAddRegister(in, size);
    }

    private static final class CompareExchangeRegister extends Op {
        private final int size;
        private final int d;
        private final boolean highD;
        private final int s;
        private final boolean highS;

        CompareExchangeRegister(Instruction in, int size) {
            super(in);
            this.size = size;
            d = in.rm;
            highD = Operands.isHighByte(in, in.rm, size);
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long accumulator = Operands.register(cpu, Cpu.RAX, size, false);
            long old = Operands.register(cpu, d, size, highD);
            if (accumulator == old) {
                Operands.setRegister(cpu, d, size, highD, Operands.register(cpu, s, size, highS));
            } else {
                // A 32-bit destination that stays keeps its upper half too, as Intel processors have it.
                Operands.setRegister(cpu, Cpu.RAX, size, false, old);
            }
            Operands.compare(cpu, size, accumulator, old);
        }
    }

    private static final class CompareExchangeMemory extends MemOp {
        private final int size;
        private final int s;
        private final boolean highS;

        CompareExchangeMemory(Instruction in, int size) {
            super(in, size, true);
            this.size = size;
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long accumulator = Operands.register(cpu, Cpu.RAX, size, false);
            long old = Operands.readToModify(cpu, address(cpu), size);
            boolean equal = accumulator == old;
            Operands.modify(cpu, size, equal ? Operands.register(cpu, s, size, highS) : old);
            if (!equal) {
                Operands.setRegister(cpu, Cpu.RAX, size, false, old);
            }
            Operands.compare(cpu, size, accumulator, old);
        }
    }

    private static final class CompareExchange8B extends MemOp {
        CompareExchange8B(Instruction in) {
            super(in, 8, true);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long expected = r[Cpu.RDX] << 32 | r[Cpu.RAX] & 0xFFFF_FFFFL;
            long old = cpu.readLongToModify(address(cpu));
            boolean equal = old == expected;
            cpu.modifyLong(equal ? r[Cpu.RCX] << 32 | r[Cpu.RBX] & 0xFFFF_FFFFL : old);
            if (!equal) {
                r[Cpu.RAX] = old & 0xFFFF_FFFFL;
                r[Cpu.RDX] = old >>> 32;
            }
            cpu.setZero(equal);
        }
    }

    private static final class CompareExchange16B extends MemOp {
        CompareExchange16B(Instruction in) {
            super(in, WIDE, true);
        }

        @Override
        void execute(Cpu cpu) {
            long address = address(cpu);
            probeWide(cpu, address);
            compareExchangeWide(cpu, address);
        }
    }

    /** Raises what CMPXCHG16B raises: permission to write comes first, as the read must not succeed without. */
    static void probeWide(Cpu cpu, long address) {
        if ((address & WIDE - 1) != 0) {
            throw cpu.generalProtection();
        }
        cpu.mmu.probe(address, WIDE, true);
    }

    /** Does what CMPXCHG16B does, at an address that {@link #probeWide} has checked. */
    static void compareExchangeWide(Cpu cpu, long address) {
        long[] r = cpu.r;
        cpu.read128(address);
        long low = cpu.low;
        long high = cpu.high;
        boolean equal = low == r[Cpu.RAX] && high == r[Cpu.RDX];
        if (equal) {
            cpu.write128(address, r[Cpu.RBX], r[Cpu.RCX]);
        } else {
            cpu.write128(address, low, high);
            r[Cpu.RAX] = low;
            r[Cpu.RDX] = high;
        }
        cpu.setZero(equal);
    }

    private static final class ExchangeAddRegister extends Op {
        private final int size;
        private final int d;
        private final boolean highD;
        private final int s;
        private final boolean highS;

        ExchangeAddRegister(Instruction in, int size) {
            super(in);
            this.size = size;
            d = in.rm;
            highD = Operands.isHighByte(in, in.rm, size);
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long old = Operands.register(cpu, d, size, highD);
            long sum = Operands.add(cpu, size, old, Operands.register(cpu, s, size, highS));
            // In this order, so that the sum stays when both are the same register.
            Operands.setRegister(cpu, s, size, highS, old);
            Operands.setRegister(cpu, d, size, highD, sum);
        }
    }

    private static final class ExchangeAddMemory extends MemOp {
        private final int size;
        private final int s;
        private final boolean highS;

        ExchangeAddMemory(Instruction in, int size) {
            super(in, size, true);
            this.size = size;
            s = in.reg;
            highS = Operands.isHighByte(in, in.reg, size);
        }

        @Override
        void execute(Cpu cpu) {
            long old = Operands.readToModify(cpu, address(cpu), size);
            Operands.modify(cpu, size, Operands.add(cpu, size, old, Operands.register(cpu, s, size, highS)));
            Operands.setRegister(cpu, s, size, highS, old);
        }
    }
}
