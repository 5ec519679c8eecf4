package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Near control transfers: JMP, Jcc, CALL, RET, LOOP, JrCXZ (SDM 1 7.3.8). */
final class ControlOps {
    private ControlOps() {}

    static @Nullable Op create(Instruction in) {
        int opcode = in.opcode;
        if (in.map == Instruction.MAP_0F) {
            return opcode >= 0x80 && opcode <= 0x8F ? Jcc.of(in) : null;
        }
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        if (opcode >= 0x70 && opcode <= 0x7F) {
            return Jcc.of(in);
        }
        return switch (opcode) {
            case 0xE0, 0xE1, 0xE2, 0xE3 -> new Loop(in);
            case 0xE8 -> new Call(in);
            case 0xE9, 0xEB -> new Jump(in);
            case 0xC2, 0xC3 -> new Return(in);
            case 0xFF ->
                switch (in.group()) {
                    case 2, 4 -> in.isMemory() ? new IndirectMemory(in) : new IndirectRegister(in);
                    default -> null;
                };
            default -> null;
        };
    }

    /** {@return the size of near branches' operands in bytes: always 8 in 64-bit mode, as Intel processors have it} */
    static int branchSize(Instruction in) {
        return in.mode == 64 ? 8 : in.operandSize;
    }

    /** Raises #GP(0) when a target is outside of the code segment, or not canonical in 64-bit mode. */
    static void checkTarget(Cpu cpu, long target) {
        if (cpu.mode == 64) {
            if (!cpu.mmu.canonical(target)) {
                throw cpu.generalProtection();
            }
        } else if (target > cpu.limit[Cpu.CS]) {
            throw cpu.generalProtection();
        }
    }

    /** A branch with a displacement. */
    abstract static class Relative extends BranchOp {
        /** Bits that an instruction pointer has not: 0, 32 or 48. */
        private final byte narrow;

        private final int immediate;
        /** Distance from the block's start to the instruction behind. */
        short behind;

        /** Distance from the block's start to the target. */
        long distance;

        Relative(Instruction in) {
            super(in);
            narrow = (byte) (64 - 8 * branchSize(in));
            immediate = (int) in.immediate;
        }

        /** Joins a jump with the instruction before it; both are placed already. */
        Relative(Op first, Relative jump) {
            super(first.length + jump.length);
            narrow = jump.narrow;
            immediate = jump.immediate;
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            behind = (short) (offset + length);
            distance = behind + (long) immediate;
        }

        /** {@return whether the target, wherever the jump is placed, can be one that is not allowed} */
        final boolean mayFault() {
            return narrow != 0 || immediate > Integer.MAX_VALUE - Mmu.PAGE_SIZE;
        }

        final void take(Cpu cpu) {
            long target = target(cpu);
            if (narrow != 0 || distance > Integer.MAX_VALUE) {
                checkTarget(cpu, target);
            }
            go(cpu, target, true);
        }

        final void skip(Cpu cpu) {
            go(cpu, cpu.r[Cpu.RIP] + behind & (narrow == 0 ? -1L : 0xFFFF_FFFFL), false);
        }

        final long target(Cpu cpu) {
            return cpu.r[Cpu.RIP] + distance << narrow >>> narrow;
        }
    }

    static final class Jump extends Relative {
        Jump(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            take(cpu);
        }
    }

    /** Conditional jumps; one class a condition keeps each a few machine instructions. */
    abstract static class Jcc extends Relative {
        final byte condition;

        Jcc(Instruction in) {
            super(in);
            condition = (byte) (in.opcode & 15);
        }

        static Op of(Instruction in) {
            return switch (in.opcode & 15) {
                case 2 -> new JumpIfCarry(in);
                case 3 -> new JumpIfNotCarry(in);
                case 4 -> new JumpIfZero(in);
                case 5 -> new JumpIfNotZero(in);
                case 8 -> new JumpIfSign(in);
                case 9 -> new JumpIfNotSign(in);
                default -> new JumpIf(in);
            };
        }
    }

    private static final class JumpIf extends Jcc {
        JumpIf(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.condition(condition)) {
                take(cpu);
            } else {
                skip(cpu);
            }
        }
    }

    private static final class JumpIfZero extends Jcc {
        JumpIfZero(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.zeroFlag()) {
                take(cpu);
            } else {
                skip(cpu);
            }
        }
    }

    private static final class JumpIfNotZero extends Jcc {
        JumpIfNotZero(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.zeroFlag()) {
                skip(cpu);
            } else {
                take(cpu);
            }
        }
    }

    private static final class JumpIfCarry extends Jcc {
        JumpIfCarry(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.carryFlag()) {
                take(cpu);
            } else {
                skip(cpu);
            }
        }
    }

    private static final class JumpIfNotCarry extends Jcc {
        JumpIfNotCarry(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.carryFlag()) {
                skip(cpu);
            } else {
                take(cpu);
            }
        }
    }

    private static final class JumpIfSign extends Jcc {
        JumpIfSign(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.signFlag()) {
                take(cpu);
            } else {
                skip(cpu);
            }
        }
    }

    private static final class JumpIfNotSign extends Jcc {
        JumpIfNotSign(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.signFlag()) {
                skip(cpu);
            } else {
                take(cpu);
            }
        }
    }

    /** LOOPNE, LOOPE, LOOP and JrCXZ; the counter's size is the address size. */
    private static final class Loop extends Relative {
        private final int opcode;
        private final long counterMask;

        Loop(Instruction in) {
            super(in);
            opcode = in.opcode;
            counterMask = in.addressSize == 8 ? -1L : in.addressSize == 4 ? 0xFFFF_FFFFL : 0xFFFFL;
        }

        @Override
        void execute(Cpu cpu) {
            long rcx = cpu.r[Cpu.RCX];
            boolean taken;
            if (opcode == 0xE3) {
                taken = (rcx & counterMask) == 0;
            } else {
                long count = rcx - 1 & counterMask;
                taken = count != 0 && (opcode == 0xE2 || cpu.zeroFlag() == (opcode == 0xE1));
                if (taken) {
                    checkTarget(cpu, target(cpu));
                }
                // A 32-bit counter is written as every 32-bit register is: the upper half becomes 0.
                cpu.r[Cpu.RCX] = counterMask == 0xFFFFL ? rcx & ~0xFFFFL | count : count;
            }
            if (taken) {
                take(cpu);
            } else {
                skip(cpu);
            }
        }
    }

    private static final class Call extends Relative {
        private final int size;

        Call(Instruction in) {
            super(in);
            size = branchSize(in);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            if (size == 8) {
                long pointer = r[Cpu.RSP] - 8;
                cpu.writeLong(pointer, r[Cpu.RIP] + behind);
                r[Cpu.RSP] = pointer;
            } else {
                checkTarget(cpu, target(cpu));
                cpu.push(size, r[Cpu.RIP] + behind);
            }
            take(cpu);
        }

        @Override
        boolean usesStack() {
            return true;
        }
    }

    private static final class Return extends BranchOp {
        private final int size;
        private final int release;

        Return(Instruction in) {
            super(in);
            size = branchSize(in);
            release = (int) in.immediate & 0xFFFF;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            if (size == 8) {
                long pointer = r[Cpu.RSP];
                long target = cpu.readLong(pointer);
                checkTarget(cpu, target);
                r[Cpu.RSP] = pointer + 8 + release;
                r[Cpu.RIP] = target;
            } else {
                long target = cpu.peek(0, size);
                checkTarget(cpu, target);
                cpu.setStackPointer(r[Cpu.RSP] + size + release);
                r[Cpu.RIP] = target;
            }
        }

        @Override
        boolean usesStack() {
            return true;
        }
    }

    /** JMP and CALL to a register. */
    private static final class IndirectRegister extends BranchOp {
        private final int size;
        private final int register;
        private final boolean call;

        IndirectRegister(Instruction in) {
            super(in);
            size = branchSize(in);
            register = in.rm;
            call = in.group() == 2;
        }

        @Override
        void execute(Cpu cpu) {
            jump(cpu, this, cpu.r[register], size, call);
        }

        @Override
        boolean usesStack() {
            return call;
        }
    }

    /** JMP and CALL through memory. */
    private static final class IndirectMemory extends BranchOp {
        private final Operand operand;
        private final int size;
        private final boolean call;

        IndirectMemory(Instruction in) {
            super(in);
            size = branchSize(in);
            operand = new Operand(in, size);
            call = in.group() == 2;
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            operand.place(offset, ordinal);
        }

        @Override
        void execute(Cpu cpu) {
            jump(cpu, this, cpu.read(operand.address(cpu), size), size, call);
        }

        @Override
        boolean usesStack() {
            return call || operand.usesStack();
        }
    }

    /** Only an address; for ops that can't be a {@link MemOp}. */
    static final class Operand extends MemOp {
        Operand(Instruction in, int size) {
            super(in, size, false);
        }

        @Override
        void execute(Cpu cpu) {
            throw new AssertionError("not an instruction");
        }
    }

    private static void jump(Cpu cpu, Op op, long target, int size, boolean call) {
        long[] r = cpu.r;
        if (size < 8) {
            target &= size == 4 ? 0xFFFF_FFFFL : 0xFFFFL;
        }
        checkTarget(cpu, target);
        if (call) {
            cpu.push(size, r[Cpu.RIP] + op.offset + op.length);
        }
        r[Cpu.RIP] = target;
    }
}
