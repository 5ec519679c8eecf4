package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Instructions that leave the code segment: far JMP, CALL and RET, INT, IRET and BOUND. */
final class FarOps {
    private FarOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        return switch (in.opcode) {
            case 0x62 -> in.isMemory() ? new Bound(in) : null;
            case 0x9A, 0xEA -> new FarImmediate(in);
            case 0xCA, 0xCB -> new FarReturn(in);
            case 0xCC, 0xCD, 0xCE, 0xF1 -> new SoftwareInterrupt(in);
            case 0xCF -> new Iret(in);
            case 0xFF -> (in.group() == 3 || in.group() == 5) && in.isMemory() ? new FarIndirect(in) : null;
            default -> null;
        };
    }

    /** JMP and CALL ptr16:16 and ptr16:32. */
    private static final class FarImmediate extends BranchOp {
        private final int selector;
        private final long offsetInSegment;
        private final int size;
        private final boolean call;

        FarImmediate(Instruction in) {
            super(in);
            size = in.operandSize;
            selector = in.immediate2;
            offsetInSegment = in.immediate & (size == 2 ? 0xFFFFL : 0xFFFF_FFFFL);
            call = in.opcode == 0x9A;
        }

        @Override
        void execute(Cpu cpu) {
            FarTransfer.to(cpu, selector, offsetInSegment, size, call, cpu.r[Cpu.RIP] + offset + length);
        }

        @Override
        boolean usesStack() {
            return call;
        }
    }

    /** JMP and CALL m16:16, m16:32 and m16:64. */
    private static final class FarIndirect extends BranchOp {
        private final AddressOperand operand;
        private final int size;
        private final boolean call;

        FarIndirect(Instruction in) {
            super(in);
            size = in.operandSize;
            operand = new AddressOperand(in, size + 2, false);
            call = in.group() == 3;
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            operand.place(offset, ordinal);
        }

        @Override
        void execute(Cpu cpu) {
            long address = operand.address(cpu);
            long target = cpu.read(address, size);
            int selector = cpu.readShort(cpu.wrap(address + size));
            FarTransfer.to(cpu, selector, target, size, call, cpu.r[Cpu.RIP] + offset + length);
        }

        @Override
        boolean usesStack() {
            return operand.usesStack();
        }
    }

    private static final class FarReturn extends BranchOp {
        private final int size;
        private final int release;

        FarReturn(Instruction in) {
            super(in);
            size = in.operandSize;
            release = (int) in.immediate & 0xFFFF;
        }

        @Override
        void execute(Cpu cpu) {
            FarTransfer.back(cpu, size, release);
        }

        @Override
        boolean usesStack() {
            return true;
        }
    }

    private static final class Iret extends BranchOp {
        private final int size;

        Iret(Instruction in) {
            super(in);
            size = in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            InterruptReturn.execute(cpu, size, cpu.r[Cpu.RIP] + offset + length);
        }

        @Override
        boolean usesStack() {
            return true;
        }
    }

    /** INT n, INT3, INTO and INT1. */
    private static final class SoftwareInterrupt extends BranchOp {
        private final int vector;
        private final Interrupts.Kind kind;
        private final boolean onOverflow;

        SoftwareInterrupt(Instruction in) {
            super(in);
            onOverflow = in.opcode == 0xCE;
            switch (in.opcode) {
                case 0xCC -> {
                    vector = Vector.BREAKPOINT;
                    kind = Interrupts.Kind.BREAKPOINT;
                }
                case 0xCE -> {
                    vector = Vector.OVERFLOW;
                    kind = Interrupts.Kind.BREAKPOINT;
                }
                case 0xF1 -> {
                    vector = Vector.DEBUG;
                    kind = Interrupts.Kind.DEBUG;
                }
                default -> {
                    vector = (int) in.immediate & 0xFF;
                    kind = Interrupts.Kind.SOFTWARE;
                }
            }
        }

        @Override
        void execute(Cpu cpu) {
            long start = cpu.r[Cpu.RIP];
            long next = start + offset + length;
            if (onOverflow && !cpu.overflowFlag()) {
                cpu.r[Cpu.RIP] = cpu.mode == 64 ? next : next & 0xFFFF_FFFFL;
                return;
            }
            if (kind == Interrupts.Kind.SOFTWARE && cpu.virtual8086() && (cpu.systemFlags & Cpu.IOPL) != Cpu.IOPL) {
                throw cpu.generalProtection();
            }
            int task = cpu.selector[Cpu.TR];
            cpu.r[Cpu.RIP] = next;
            try {
                Interrupts.deliver(cpu, vector, kind, false, 0);
            } catch (Fault fault) {
                if (cpu.selector[Cpu.TR] != task) {
                    // Already in the task of a task gate: the fault is that task's.
                    Interrupts.raise(cpu, fault.vector, fault.hasErrorCode, fault.errorCode);
                    return;
                }
                cpu.r[Cpu.RIP] = start;
                throw fault;
            }
        }
    }

    /** BOUND: raises #BR when an index is outside of two signed bounds (SDM 2A). */
    private static final class Bound extends MemOp {
        private final int size;
        private final int register;

        Bound(Instruction in) {
            super(in, 2 * Math.min(in.operandSize, 4), false);
            size = Math.min(in.operandSize, 4);
            register = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long address = address(cpu);
            long second = cpu.wrap(address + size);
            int index;
            int lower;
            int upper;
            if (size == 2) {
                index = (short) cpu.r[register];
                lower = (short) cpu.readShort(address);
                upper = (short) cpu.readShort(second);
            } else {
                index = (int) cpu.r[register];
                lower = cpu.readInt(address);
                upper = cpu.readInt(second);
            }
            if (index < lower || index > upper) {
                throw cpu.fault(Vector.BOUND_RANGE);
            }
        }
    }
}
