package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** The instructions on opmask registers, which are encoded with VEX (SDM 2B, KADDW to KXORW). */
final class MaskOps {
    private static final int REGISTERS = 8;

    private MaskOps() {}

    /** {@return the op of an instruction, or null when it isn't one of these} */
    static @Nullable Op create(Instruction in) {
        if (in.map == Instruction.MAP_0F3A) {
            boolean shift = in.opcode >= 0x30 && in.opcode <= 0x33 && in.pp == Instruction.PP_66;
            return shift && between(in, false) ? new Shift(in) : null;
        }
        if (in.map != Instruction.MAP_0F) {
            return null;
        }
        boolean usual = in.pp == Instruction.PP_NONE || in.pp == Instruction.PP_66;
        return switch (in.opcode) {
            case 0x41, 0x42, 0x45, 0x46, 0x47, 0x4A -> usual && between(in, true) ? new Combine(in) : null;
            case 0x4B -> usual && between(in, true) && !(in.w && in.pp == Instruction.PP_66) ? new Combine(in) : null;
            case 0x44 -> usual && between(in, false) ? new Not(in) : null;
            case 0x98, 0x99 -> usual && between(in, false) ? new Test(in) : null;
            case 0x90 -> usual && narrow(in) && in.reg < REGISTERS && rmIsMask(in) ? new Load(in) : null;
            case 0x91 -> usual && narrow(in) && in.reg < REGISTERS && in.isMemory() ? new Store(in) : null;
            case 0x92 -> general(in) && in.reg < REGISTERS ? new FromGeneral(in) : null;
            case 0x93 -> general(in) && in.rm < REGISTERS ? new ToGeneral(in) : null;
            default -> null;
        };
    }

    private static boolean narrow(Instruction in) {
        return in.vectorLength == 0 && in.vvvv == 0;
    }

    private static boolean rmIsMask(Instruction in) {
        return in.isMemory() || in.rm < REGISTERS;
    }

    /** {@return whether the operands are two, or three, opmask registers} */
    private static boolean between(Instruction in, boolean three) {
        return !in.isMemory()
                && in.reg < REGISTERS
                && in.rm < REGISTERS
                && (three ? in.vectorLength == 1 && in.vvvv < REGISTERS : narrow(in));
    }

    private static boolean general(Instruction in) {
        boolean size = switch (in.pp) {
            case Instruction.PP_NONE, Instruction.PP_66 -> !in.w;
            case Instruction.PP_F2 -> !in.w || in.mode == 64;
            default -> false;
        };
        return size && !in.isMemory() && narrow(in);
    }

    /** {@return the bits of a register that most instructions use: 8, 16, 32 or 64} */
    private static int bits(Instruction in) {
        boolean prefix = in.pp == Instruction.PP_66;
        return in.w ? prefix ? 32 : 64 : prefix ? 8 : 16;
    }

    private abstract static class MaskOp extends MemOp {
        final int destination;
        final int first;
        final int source;
        final int bits;
        final long ones;

        MaskOp(Instruction in, int bits, boolean write) {
            super(in, bits / 8, write);
            this.bits = bits;
            ones = EvexOp.ones(bits);
            destination = EvexOp.MASKS + in.reg;
            first = EvexOp.MASKS + in.vvvv;
            source = EvexOp.MASKS + in.rm;
        }
    }

    private static final class Combine extends MaskOp {
        private final int operation;

        Combine(Instruction in) {
            super(in, bits(in), false);
            operation = in.opcode;
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            long[] v = cpu.vec;
            long a = v[first];
            long b = v[source];
            v[destination] = switch (operation) {
                case 0x41 -> a & b & ones;
                case 0x42 -> ~a & b & ones;
                case 0x45 -> (a | b) & ones;
                case 0x46 -> ~(a ^ b) & ones;
                case 0x47 -> (a ^ b) & ones;
                case 0x4A -> a + b & ones;
                default -> unpack(a, b);
            };
        }

        /** KUNPCKBW is encoded as one of 8 bits, KUNPCKWD as one of 16, but KUNPCKDQ as one of 64. */
        private long unpack(long a, long b) {
            int half = Math.min(bits, 32);
            return (a & EvexOp.ones(half)) << half | b & EvexOp.ones(half);
        }
    }

    private static final class Not extends MaskOp {
        Not(Instruction in) {
            super(in, bits(in), false);
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.vec[destination] = ~cpu.vec[source] & ones;
        }
    }

    /** KORTEST and KTEST. */
    private static final class Test extends MaskOp {
        private final boolean or;

        Test(Instruction in) {
            super(in, bits(in), false);
            or = in.opcode == 0x98;
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            long a = cpu.vec[destination];
            long b = cpu.vec[source];
            boolean zero = ((or ? a | b : a & b) & ones) == 0;
            boolean carry = or ? (~(a | b) & ones) == 0 : (~a & b & ones) == 0;
            cpu.setArithmeticFlags((zero ? Cpu.ZF : 0) | (carry ? Cpu.CF : 0));
        }
    }

    private static final class Shift extends MaskOp {
        private final boolean left;
        private final int count;

        Shift(Instruction in) {
            super(in, bits(in, (in.opcode & 1) != 0), false);
            left = (in.opcode & 2) != 0;
            count = (int) in.immediate & 0xFF;
        }

        private static int bits(Instruction in, boolean wide) {
            return wide ? in.w ? 64 : 32 : in.w ? 16 : 8;
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            long value = cpu.vec[source] & ones;
            cpu.vec[destination] = count >= bits ? 0 : left ? value << count & ones : value >>> count;
        }
    }

    /** KMOV from an opmask register or memory. */
    private static final class Load extends MaskOp {
        private final boolean memory;

        Load(Instruction in) {
            super(in, bits(in), false);
            memory = in.isMemory();
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.vec[destination] = ones & (memory ? cpu.read(address(cpu), bits / 8) : cpu.vec[source]);
        }
    }

    private static final class Store extends MaskOp {
        Store(Instruction in) {
            super(in, bits(in), true);
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.write(address(cpu), bits / 8, cpu.vec[destination]);
        }
    }

    /** {@return the bits that KMOV moves between opmask and general registers} */
    private static int generalBits(Instruction in) {
        return in.pp == Instruction.PP_F2 ? in.w ? 64 : 32 : bits(in);
    }

    private static final class FromGeneral extends MaskOp {
        private final int register;

        FromGeneral(Instruction in) {
            super(in, generalBits(in), false);
            register = in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.vec[destination] = cpu.r[register] & ones;
        }
    }

    private static final class ToGeneral extends MaskOp {
        private final int register;

        ToGeneral(Instruction in) {
            super(in, generalBits(in), false);
            register = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.r[register] = cpu.vec[source] & ones;
        }
    }
}
