package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** PUSH, POP, PUSHA, POPA, ENTER, LEAVE, PUSHF and POPF (SDM 2B). Segment registers are in {@link SegmentOps}. */
final class StackOps {
    private StackOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        int opcode = in.opcode;
        if (opcode >= 0x50 && opcode <= 0x57) {
            int register = opcode & 7 | in.rexB();
            return size(in) == 8 ? new Push64(in, register) : new Push(in, register);
        }
        if (opcode >= 0x58 && opcode <= 0x5F) {
            int register = opcode & 7 | in.rexB();
            return size(in) == 8 ? new Pop64(in, register) : new Pop(in, register);
        }
        return switch (opcode) {
            case 0x60 -> new PushAll(in);
            case 0x61 -> new PopAll(in);
            case 0x68, 0x6A -> new PushImmediate(in);
            case 0x8F -> in.group() != 0 ? null : in.isMemory() ? new PopMemory(in) : popRegister(in);
            case 0x9C -> new PushFlags(in);
            case 0x9D -> new PopFlags(in);
            case 0xC8 -> new Enter(in);
            case 0xC9 -> size(in) == 8 ? new Leave64(in) : new Leave(in);
            case 0xFF -> in.group() != 6 ? null : in.isMemory() ? new PushMemory(in) : pushRegister(in);
            default -> null;
        };
    }

    /** {@return the bytes that a push or pop moves: 64-bit mode knows 8 and 2 only} */
    static int size(Instruction in) {
        return in.mode == 64 ? in.operandSize == 2 ? 2 : 8 : in.operandSize;
    }

    private static Op pushRegister(Instruction in) {
        return size(in) == 8 ? new Push64(in, in.rm) : new Push(in, in.rm);
    }

    private static Op popRegister(Instruction in) {
        return size(in) == 8 ? new Pop64(in, in.rm) : new Pop(in, in.rm);
    }

    private static void setRegister(Cpu cpu, int register, int size, long value) {
        if (size == 2) {
            cpu.setReg16(register, (int) value);
        } else {
            cpu.r[register] = value;
        }
    }

    /** An op that accesses the stack and nothing else. */
    private abstract static class StackOp extends Op {
        StackOp(Instruction in) {
            super(in);
        }

        @Override
        final boolean usesStack() {
            return true;
        }
    }

    private static final class Push64 extends StackOp {
        private final byte register;

        Push64(Instruction in, int register) {
            super(in);
            this.register = (byte) register;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long pointer = r[Cpu.RSP] - 8;
            cpu.writeLong(pointer, r[register]);
            r[Cpu.RSP] = pointer;
        }
    }

    private static final class Pop64 extends StackOp {
        private final byte register;

        Pop64(Instruction in, int register) {
            super(in);
            this.register = (byte) register;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long pointer = r[Cpu.RSP];
            long value = cpu.readLong(pointer);
            r[Cpu.RSP] = pointer + 8;
            r[register] = value;
        }
    }

    private static final class Leave64 extends StackOp {
        Leave64(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long frame = r[Cpu.RBP];
            r[Cpu.RBP] = cpu.readLong(frame);
            r[Cpu.RSP] = frame + 8;
        }
    }

    private static final class Push extends StackOp {
        private final byte register;
        private final byte size;

        Push(Instruction in, int register) {
            super(in);
            this.register = (byte) register;
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.push(size, cpu.r[register]);
        }
    }

    private static final class Pop extends StackOp {
        private final byte register;
        private final byte size;

        Pop(Instruction in, int register) {
            super(in);
            this.register = (byte) register;
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            setRegister(cpu, register, size, cpu.pop(size));
        }
    }

    private static final class PushImmediate extends StackOp {
        private final long value;
        private final byte size;

        PushImmediate(Instruction in) {
            super(in);
            value = in.immediate;
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.push(size, value);
        }
    }

    /** Tells a non-canonical stack pointer, #SS, from a non-canonical operand of the same instruction. */
    private static Fault ofStack(Fault fault) {
        if (fault.nonCanonical) {
            fault.nonCanonical = false;
            fault.vector = Vector.STACK_FAULT;
        }
        return fault;
    }

    private static final class PushMemory extends MemOp {
        private final byte size;

        PushMemory(Instruction in) {
            super(in, size(in), false);
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            long value = cpu.read(address(cpu), size);
            try {
                cpu.push(size, value);
            } catch (Fault fault) {
                throw ofStack(fault);
            }
        }
    }

    /** POP to memory; an address by RSP is taken after the pop (SDM 2B POP). */
    private static final class PopMemory extends MemOp {
        private final byte size;

        PopMemory(Instruction in) {
            super(in, size(in), true);
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            long before = cpu.r[Cpu.RSP];
            long value;
            try {
                value = cpu.pop(size);
            } catch (Fault fault) {
                throw ofStack(fault);
            }
            try {
                cpu.write(address(cpu), size, value);
            } catch (Fault fault) {
                cpu.r[Cpu.RSP] = before;
                throw fault;
            }
        }
    }

    /** PUSHA and PUSHAD. */
    private static final class PushAll extends StackOp {
        private final byte size;

        PushAll(Instruction in) {
            super(in);
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            long pointer = cpu.r[Cpu.RSP];
            long mask = cpu.stackMask();
            for (int i = 0; i < 8; i++) {
                long at = pointer - (i + 1L) * size & mask;
                cpu.write(cpu.stackLinear(at, size, true), size, cpu.r[i]);
            }
            cpu.setStackPointer(pointer - 8L * size);
        }
    }

    /** POPA and POPAD; the saved stack pointer is skipped. */
    private static final class PopAll extends StackOp {
        private final byte size;

        PopAll(Instruction in) {
            super(in);
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            // A fault may come late, so no register changes before the last of them was read.
            cpu.peek(0, size);
            long last = cpu.peek(7 * size, size);
            for (int i = 1; i < 7; i++) {
                if (i != 3) {
                    cpu.peek(i * size, size);
                }
            }
            for (int i = 0; i < 7; i++) {
                if (i != 3) {
                    setRegister(cpu, 7 - i, size, cpu.peek(i * size, size));
                }
            }
            setRegister(cpu, Cpu.RAX, size, last);
            cpu.setStackPointer(cpu.r[Cpu.RSP] + 8L * size);
        }
    }

    private static final class Enter extends StackOp {
        private static final int LEVELS = 32;

        private final byte size;
        private final int bytes;
        private final int level;

        Enter(Instruction in) {
            super(in);
            size = (byte) size(in);
            bytes = (int) in.immediate & 0xFFFF;
            level = in.immediate2 % LEVELS;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long savedPointer = r[Cpu.RSP];
            try {
                cpu.push(size, r[Cpu.RBP]);
                long frame = r[Cpu.RSP];
                if (level > 0) {
                    long mask = cpu.stackMask();
                    long display = r[Cpu.RBP];
                    for (int i = 1; i < level; i++) {
                        display -= size;
                        cpu.push(size, cpu.read(cpu.stackLinear(display & mask, size, false), size));
                    }
                    cpu.push(size, frame);
                }
                // The new top of the stack must be writable, though nothing is written (SDM 2A ENTER).
                long top = r[Cpu.RSP] - bytes & cpu.stackMask();
                cpu.mmu.probe(cpu.stackLinear(top, size, true), size, true);
                cpu.setStackPointer(top);
                setRegister(cpu, Cpu.RBP, size, size == 4 ? frame & 0xFFFF_FFFFL : frame);
            } catch (Fault fault) {
                r[Cpu.RSP] = savedPointer;
                throw fault;
            }
        }
    }

    private static final class Leave extends StackOp {
        private final byte size;

        Leave(Instruction in) {
            super(in);
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            long mask = cpu.stackMask();
            long frame = cpu.r[Cpu.RBP] & mask;
            long value = cpu.read(cpu.stackLinear(frame, size, false), size);
            cpu.setStackPointer(frame + size);
            setRegister(cpu, Cpu.RBP, size, value);
        }
    }

    private static void checkVirtual8086(Cpu cpu) {
        if (cpu.virtual8086() && (cpu.systemFlags & Cpu.IOPL) != Cpu.IOPL) {
            throw cpu.generalProtection();
        }
    }

    private static final class PushFlags extends StackOp {
        private final byte size;

        PushFlags(Instruction in) {
            super(in);
            size = (byte) size(in);
        }

        @Override
        void execute(Cpu cpu) {
            checkVirtual8086(cpu);
            cpu.push(size, cpu.flags() & ~(Cpu.VM | Cpu.RF));
        }
    }

    /** POPF; ends its block because single-step, interrupts and the view of memory may change. */
    private static final class PopFlags extends StackOp {
        private final byte size;

        PopFlags(Instruction in) {
            super(in);
            size = (byte) size(in);
        }

        @Override
        boolean endsBlock() {
            return true;
        }

        @Override
        void execute(Cpu cpu) {
            checkVirtual8086(cpu);
            int mask = SystemFlags.writable(cpu, size);
            if (size > 2) {
                // RF is always cleared; VIF and VIP are too, where they could be written at all.
                mask |= Cpu.RF | (cpu.cpl == 0 ? Cpu.VIF | Cpu.VIP : 0);
            }
            int flags = (int) cpu.pop(size);
            SystemFlags.write(cpu, flags & ~(Cpu.RF | Cpu.VIF | Cpu.VIP), mask);
        }
    }
}
