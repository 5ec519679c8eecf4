package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * BT, BTS, BTR, BTC, BSF and BSR (SDM 2A).
 *
 * <p>Bit tests set CF only. BSF and BSR of 0 set ZF and leave the destination alone, upper half included, as processors
 * do although the manual calls it undefined; Linux relies on that.
 */
final class BitTestOps {
    // As in bits 3-4 of the opcode, and in ModRM.reg of group 8 less 4.
    private static final int TEST = 0;
    private static final int SET = 1;
    private static final int RESET = 2;

    private BitTestOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_0F) {
            return null;
        }
        int opcode = in.opcode;
        return switch (opcode) {
            case 0xA3, 0xAB, 0xB3, 0xBB -> byRegister(in, opcode >> 3 & 3);
            case 0xBA -> in.group() >= 4 ? byConstant(in, in.group() - 4) : null;
            // With F3 these are TZCNT and LZCNT.
            case 0xBC, 0xBD -> in.rep ? null : scan(in);
            default -> null;
        };
    }

    private static Op byRegister(Instruction in, int operation) {
        return in.isMemory() ? new MemoryByRegister(in, operation) : new RegisterByRegister(in, operation);
    }

    private static Op byConstant(Instruction in, int operation) {
        return in.isMemory() ? new MemoryByConstant(in, operation) : new RegisterByConstant(in, operation);
    }

    private static Op scan(Instruction in) {
        return in.isMemory() ? new ScanMemory(in) : new ScanRegister(in);
    }

    static long change(int operation, long value, long bit) {
        return switch (operation) {
            case SET -> value | bit;
            case RESET -> value & ~bit;
            default -> value ^ bit;
        };
    }

    private static final class RegisterByRegister extends Op {
        private final int operation;
        private final int size;
        private final int d;
        private final int s;
        private final int mask;

        RegisterByRegister(Instruction in, int operation) {
            super(in);
            this.operation = operation;
            size = in.operandSize;
            d = in.rm;
            s = in.reg;
            mask = 8 * size - 1;
        }

        @Override
        void execute(Cpu cpu) {
            int n = (int) cpu.r[s] & mask;
            long value = cpu.r[d];
            if (operation != TEST) {
                Operands.setRegister(cpu, d, size, false, change(operation, value, 1L << n));
            }
            cpu.setCarry((value >>> n & 1) != 0);
        }
    }

    private static final class RegisterByConstant extends Op {
        private final int operation;
        private final int size;
        private final int d;
        private final long bit;

        RegisterByConstant(Instruction in, int operation) {
            super(in);
            this.operation = operation;
            size = in.operandSize;
            d = in.rm;
            bit = 1L << (in.immediate & 8 * size - 1);
        }

        @Override
        void execute(Cpu cpu) {
            long value = cpu.r[d];
            if (operation != TEST) {
                Operands.setRegister(cpu, d, size, false, change(operation, value, bit));
            }
            cpu.setCarry((value & bit) != 0);
        }
    }

    /** The bit's number is signed and not bounded by the operand: it selects another word of memory. */
    private static final class MemoryByRegister extends MemOp {
        private final int operation;
        private final int size;
        private final int s;
        private final int mask;

        MemoryByRegister(Instruction in, int operation) {
            super(in, in.operandSize, operation != TEST);
            this.operation = operation;
            size = in.operandSize;
            s = in.reg;
            mask = 8 * size - 1;
        }

        @Override
        void execute(Cpu cpu) {
            long number = Operands.signExtend(cpu.r[s], size);
            long distance = (number & ~(long) mask) >> 3;
            long address = addressAt(cpu, distance, size, operation != TEST);
            long bit = 1L << (number & mask);
            long value;
            if (operation == TEST) {
                value = cpu.read(address, size);
            } else {
                value = Operands.readToModify(cpu, address, size);
                Operands.modify(cpu, size, change(operation, value, bit));
            }
            cpu.setCarry((value & bit) != 0);
        }
    }

    private static final class MemoryByConstant extends MemOp {
        private final int operation;
        private final int size;
        private final long bit;

        MemoryByConstant(Instruction in, int operation) {
            super(in, in.operandSize, operation != TEST);
            this.operation = operation;
            size = in.operandSize;
            bit = 1L << (in.immediate & 8 * size - 1);
        }

        @Override
        void execute(Cpu cpu) {
            long value;
            if (operation == TEST) {
                value = cpu.read(address(cpu), size);
            } else {
                value = Operands.readToModify(cpu, address(cpu), size);
                Operands.modify(cpu, size, change(operation, value, bit));
            }
            cpu.setCarry((value & bit) != 0);
        }
    }

    private static void scan(Cpu cpu, int size, int d, boolean reverse, long value) {
        if (value == 0) {
            // ZF and PF set, the rest clear, as Intel processors have it; only ZF is defined.
            cpu.logic(0);
            return;
        }
        long index = reverse ? 63 - Long.numberOfLeadingZeros(value) : Long.numberOfTrailingZeros(value);
        Operands.setRegister(cpu, d, size, false, index);
        // A result that isn't 0, so that ZF is clear whatever the index.
        cpu.logic(value);
    }

    private static final class ScanRegister extends Op {
        private final int size;
        private final boolean reverse;
        private final int d;
        private final int s;

        ScanRegister(Instruction in) {
            super(in);
            size = in.operandSize;
            reverse = in.opcode == 0xBD;
            d = in.reg;
            s = in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            scan(cpu, size, d, reverse, Operands.register(cpu, s, size, false));
        }
    }

    private static final class ScanMemory extends MemOp {
        private final int size;
        private final boolean reverse;
        private final int d;

        ScanMemory(Instruction in) {
            super(in, in.operandSize, false);
            size = in.operandSize;
            reverse = in.opcode == 0xBD;
            d = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            scan(cpu, size, d, reverse, cpu.read(address(cpu), size));
        }
    }
}
