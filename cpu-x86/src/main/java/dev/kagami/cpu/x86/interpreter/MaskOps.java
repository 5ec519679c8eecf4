package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.decode.MaskForm;
import org.jspecify.annotations.Nullable;

/** The instructions on opmask registers, which are encoded with VEX (SDM 2B, KADDW to KXORW). */
final class MaskOps {
    private MaskOps() {}

    /** {@return the op of an instruction, or null when it isn't one of these} */
    static @Nullable Op create(Instruction in) {
        int bits = MaskForm.bits(in);
        if (bits == 0) {
            return null;
        }
        return switch (in.map == Instruction.MAP_0F3A ? 0 : in.opcode) {
            case 0 -> new Shift(in, bits);
            case 0x44 -> new Not(in, bits);
            case 0x98, 0x99 -> new Test(in, bits);
            case 0x90 -> new Load(in, bits);
            case 0x91 -> new Store(in, bits);
            case 0x92 -> new FromGeneral(in, bits);
            case 0x93 -> new ToGeneral(in, bits);
            default -> new Combine(in, bits);
        };
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

        Combine(Instruction in, int bits) {
            super(in, bits, false);
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
        Not(Instruction in, int bits) {
            super(in, bits, false);
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

        Test(Instruction in, int bits) {
            super(in, bits, false);
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

        Shift(Instruction in, int bits) {
            super(in, bits, false);
            left = (in.opcode & 2) != 0;
            count = (int) in.immediate & 0xFF;
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

        Load(Instruction in, int bits) {
            super(in, bits, false);
            memory = in.isMemory();
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.vec[destination] = ones & (memory ? cpu.read(address(cpu), bits / 8) : cpu.vec[source]);
        }
    }

    private static final class Store extends MaskOp {
        Store(Instruction in, int bits) {
            super(in, bits, true);
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.write(address(cpu), bits / 8, cpu.vec[destination]);
        }
    }

    private static final class FromGeneral extends MaskOp {
        private final int register;

        FromGeneral(Instruction in, int bits) {
            super(in, bits, false);
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

        ToGeneral(Instruction in, int bits) {
            super(in, bits, false);
            register = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            EvexOp.require(cpu);
            cpu.r[register] = cpu.vec[source] & ones;
        }
    }
}
