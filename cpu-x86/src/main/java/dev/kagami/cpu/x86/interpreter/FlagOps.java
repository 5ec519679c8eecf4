package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Instructions on single flags: CLC to STD, LAHF and SAHF (SDM 1 7.3.13), and IN and OUT. */
final class FlagOps {
    /** Flags that LAHF and SAHF know. */
    private static final int LOW_FLAGS = Cpu.ARITHMETIC & ~Cpu.OF;

    private FlagOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        int opcode = in.opcode;
        return switch (opcode) {
            case 0x9E -> new StoreFlags(in);
            case 0x9F -> new LoadFlags(in);
            case 0xE4, 0xEC -> new Input(in, 1);
            case 0xE5, 0xED -> new Input(in, Math.min(in.operandSize, 4));
            case 0xE6, 0xEE -> new Output(in, 1);
            case 0xE7, 0xEF -> new Output(in, Math.min(in.operandSize, 4));
            case 0xF5 -> new ComplementCarry(in);
            case 0xF8, 0xF9 -> new SetCarry(in);
            case 0xFA -> new DisableInterrupts(in);
            case 0xFB -> new EnableInterrupts(in);
            case 0xFC, 0xFD -> new SetDirection(in);
            default -> null;
        };
    }

    /** SAHF. */
    private static final class StoreFlags extends Op {
        StoreFlags(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int flags = (int) cpu.r[Cpu.RAX] >> 8;
            cpu.setArithmeticFlags(flags & LOW_FLAGS | (cpu.overflowFlag() ? Cpu.OF : 0));
        }
    }

    /** LAHF. */
    private static final class LoadFlags extends Op {
        LoadFlags(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setReg8(4, true, cpu.arithmeticFlags() & LOW_FLAGS | 2);
        }
    }

    private static final class ComplementCarry extends Op {
        ComplementCarry(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setCarry(!cpu.carryFlag());
        }
    }

    private static final class SetCarry extends Op {
        private final boolean carry;

        SetCarry(Instruction in) {
            super(in);
            carry = in.opcode == 0xF9;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setCarry(carry);
        }
    }

    private static final class SetDirection extends Op {
        private final boolean down;

        SetDirection(Instruction in) {
            super(in);
            down = in.opcode == 0xFD;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.systemFlags = down ? cpu.systemFlags | Cpu.DF : cpu.systemFlags & ~Cpu.DF;
        }
    }

    private static void checkPrivilege(Cpu cpu) {
        if (cpu.cpl > (cpu.systemFlags & Cpu.IOPL) >> 12) {
            throw cpu.generalProtection();
        }
    }

    /** CLI. It need not end its block: nobody looks at interrupts before the end. */
    private static final class DisableInterrupts extends Op {
        DisableInterrupts(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            checkPrivilege(cpu);
            cpu.systemFlags &= ~Cpu.IF;
        }
    }

    private static final class EnableInterrupts extends Op {
        EnableInterrupts(Instruction in) {
            super(in);
        }

        @Override
        boolean endsBlock() {
            return true;
        }

        @Override
        void execute(Cpu cpu) {
            checkPrivilege(cpu);
            if ((cpu.systemFlags & Cpu.IF) == 0) {
                cpu.systemFlags |= Cpu.IF;
                // Interrupts wait for one more instruction (SDM 2B STI), which matters only if one is waiting.
                cpu.interruptShadow = true;
                SystemFlags.interruptsEnabled(cpu);
            }
        }
    }

    /** IN. */
    private static final class Input extends Op {
        private final int size;
        private final int port;

        Input(Instruction in, int size) {
            super(in);
            this.size = size;
            port = in.opcode < 0xE8 ? (int) in.immediate & 0xFF : -1;
        }

        @Override
        void execute(Cpu cpu) {
            int number = port >= 0 ? port : (int) cpu.r[Cpu.RDX] & 0xFFFF;
            IoPermission.check(cpu, number, size);
            Debug.portAccess(cpu, number, size);
            cpu.portReads++;
            int value = cpu.bus.readPort(number, size);
            Operands.setRegister(cpu, Cpu.RAX, size, false, value);
        }
    }

    /** OUT. Ends its block: the device may want the CPU's attention. */
    private static final class Output extends Op {
        private final int size;
        private final int port;

        Output(Instruction in, int size) {
            super(in);
            this.size = size;
            port = in.opcode < 0xE8 ? (int) in.immediate & 0xFF : -1;
        }

        @Override
        boolean endsBlock() {
            return true;
        }

        @Override
        void execute(Cpu cpu) {
            int number = port >= 0 ? port : (int) cpu.r[Cpu.RDX] & 0xFFFF;
            IoPermission.check(cpu, number, size);
            Debug.portAccess(cpu, number, size);
            cpu.portWrites++;
            cpu.bus.writePort(number, size, (int) cpu.r[Cpu.RAX]);
        }
    }
}
