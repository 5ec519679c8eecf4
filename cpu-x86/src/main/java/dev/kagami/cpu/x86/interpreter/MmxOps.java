package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedShift;
import dev.kagami.cpu.x86.simd.PackedShuffle;
import org.jspecify.annotations.Nullable;

/**
 * MMX instructions, including those that SSE to SSSE3 added (SDM 1 chapter 9). The registers are the significands of the
 * x87 registers; each instruction but EMMS makes TOP 0 and all tags valid once nothing can fault any more.
 */
final class MmxOps {
    private static final int TOP = 7 << 11;
    private static final int EXCEPTIONS = 0x3F;
    private static final short INTEGER_EXPONENT = -1;

    private MmxOps() {}

    /** Creates the op of an instruction without a mandatory prefix, or returns null when it is none of these. */
    static @Nullable Op create(Instruction in) {
        boolean memory = in.isMemory();
        int operation = in.mapAndOpcode();
        // These came with SSE4.1 and later, for XMM registers only.
        boolean vectorOnly = operation == 0x22B || operation == 0x2CF || operation >= 0x228 && operation <= 0x240;
        if (vectorOnly) {
            return null;
        }
        int group = SimdLanes.group(operation);
        if (group != SimdLanes.GROUP_NONE) {
            return new Lane(in, group);
        }
        if (SimdLanes.isPair(operation)) {
            return new Pair(in);
        }
        if (SimdLanes.isShift(operation)) {
            return new Shift(in);
        }
        return switch (operation) {
            case 0x160, 0x161, 0x162 -> new InterleaveLow(in);
            case 0x168, 0x169, 0x16A -> new InterleaveHigh(in);
            case 0x16E -> new FromGeneral(in);
            case 0x16F -> new Move(in);
            case 0x170 -> new ShuffleWords(in);
            case 0x171, 0x172, 0x173 -> {
                int shift = SimdLanes.immediateShift(in.opcode, in.group());
                yield memory || shift == 0 ? null : new ShiftByImmediate(in, shift);
            }
            case 0x17E -> new ToGeneral(in);
            case 0x17F -> memory ? new Store(in) : new MoveReverse(in);
            case 0x1C4 -> new InsertWord(in);
            case 0x1C5 -> memory ? null : new ExtractWord(in);
            case 0x1D7 -> memory ? null : new ByteSigns(in);
            case 0x1E7 -> memory ? new Store(in) : null;
            case 0x1F7 -> memory ? null : new StoreMasked(in);
            case 0x200 -> new ShuffleBytes(in);
            case 0x30F -> new Align(in);
            default -> null;
        };
    }

    /** {@return MOVQ2DQ} */
    static Op toVector(Instruction in) {
        return new ToVector(in);
    }

    /** {@return MOVDQ2Q} */
    static Op fromVector(Instruction in) {
        return new FromVector(in);
    }

    /** Checks that MMX instructions may run (SDM 3A 12.1 and table 12-1). */
    private static void require(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0) {
            throw (cpu.cr0 & Cpu.CR0_EM) != 0 ? cpu.undefined() : cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
        }
        X87 x87 = cpu.x87;
        if ((x87.status & ~x87.control & EXCEPTIONS) != 0) {
            throw cpu.fault(Vector.FLOATING_POINT);
        }
    }

    /** Makes the x87 registers MMX registers. */
    private static void enter(X87 x87) {
        x87.status &= ~TOP;
        x87.tag = 0;
    }

    private static void set(Cpu cpu, int register, long value) {
        X87 x87 = cpu.x87;
        enter(x87);
        x87.significand[register] = value;
        x87.signExponent[register] = INTEGER_EXPONENT;
    }

    /** An instruction whose first operand is an MMX register, and whose second one is an MMX register or memory. */
    private abstract static class MmxOp extends MemOp {
        final int destination;
        /** Number of the second register, or -1 when the operand is in memory; may name a general register. */
        final int source;

        final int operation;

        private final int bytes;

        MmxOp(Instruction in, int bytes, boolean write) {
            super(in, bytes, write);
            destination = in.reg & 7;
            source = in.isMemory() ? -1 : in.rm & 7;
            operation = in.mapAndOpcode();
            this.bytes = bytes;
        }

        MmxOp(Instruction in) {
            this(in, Long.BYTES, false);
        }

        /** {@return the second operand, after all checks} */
        final long source(Cpu cpu) {
            require(cpu);
            return source >= 0 ? cpu.x87.significand[source] : cpu.read(address(cpu), bytes);
        }
    }

    private static final class Lane extends MmxOp {
        private final int group;

        Lane(Instruction in, int group) {
            super(in);
            this.group = group;
        }

        @Override
        void execute(Cpu cpu) {
            long b = source(cpu);
            set(cpu, destination, SimdLanes.combine(group, operation, cpu.x87.significand[destination], b));
        }
    }

    private static final class Pair extends MmxOp {
        Pair(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long high = source(cpu);
            set(cpu, destination, SimdLanes.pair(operation, cpu.x87.significand[destination], high));
        }
    }

    private static final class Shift extends MmxOp {
        Shift(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long count = source(cpu);
            set(cpu, destination, SimdLanes.shift(operation, cpu.x87.significand[destination], count));
        }
    }

    private static final class ShiftByImmediate extends MmxOp {
        private final int shift;
        private final int count;

        ShiftByImmediate(Instruction in, int shift) {
            super(in);
            this.shift = shift;
            count = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            long value = source(cpu);
            set(cpu, source, SimdLanes.shift(shift, value, count));
        }
    }

    /** PUNPCKLBW, PUNPCKLWD and PUNPCKLDQ read only 32 bits of memory. */
    private static final class InterleaveLow extends MmxOp {
        InterleaveLow(Instruction in) {
            super(in, Integer.BYTES, false);
        }

        @Override
        void execute(Cpu cpu) {
            long b = source(cpu);
            set(cpu, destination, SimdLanes.interleaveLow(operation, cpu.x87.significand[destination], b));
        }
    }

    private static final class InterleaveHigh extends MmxOp {
        InterleaveHigh(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long b = source(cpu);
            set(cpu, destination, SimdLanes.interleaveHigh(operation & 3, cpu.x87.significand[destination], b));
        }
    }

    private static final class Move extends MmxOp {
        Move(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            set(cpu, destination, source(cpu));
        }
    }

    /** MOVQ to the register that ModRM.rm names. */
    private static final class MoveReverse extends MmxOp {
        MoveReverse(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            set(cpu, source, cpu.x87.significand[destination]);
        }
    }

    /** MOVQ and MOVNTQ to memory. */
    private static final class Store extends MmxOp {
        Store(Instruction in) {
            super(in, Long.BYTES, true);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            cpu.writeLong(address(cpu), cpu.x87.significand[destination]);
            enter(cpu.x87);
        }
    }

    /** MOVD and MOVQ from a general register or memory. */
    private static final class FromGeneral extends MmxOp {
        private final int general;
        private final int bytes;

        FromGeneral(Instruction in) {
            super(in, in.w ? Long.BYTES : Integer.BYTES, false);
            general = in.isMemory() ? -1 : in.rm;
            bytes = in.w ? Long.BYTES : Integer.BYTES;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long value = general >= 0 ? cpu.r[general] : cpu.read(address(cpu), bytes);
            set(cpu, destination, bytes == Long.BYTES ? value : value & 0xFFFF_FFFFL);
        }
    }

    /** MOVD and MOVQ to a general register or memory. */
    private static final class ToGeneral extends MmxOp {
        private final int general;
        private final int bytes;

        ToGeneral(Instruction in) {
            super(in, in.w ? Long.BYTES : Integer.BYTES, true);
            general = in.isMemory() ? -1 : in.rm;
            bytes = in.w ? Long.BYTES : Integer.BYTES;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long value = cpu.x87.significand[destination];
            if (general >= 0) {
                cpu.r[general] = bytes == Long.BYTES ? value : value & 0xFFFF_FFFFL;
            } else {
                cpu.write(address(cpu), bytes, value);
            }
            enter(cpu.x87);
        }
    }

    private static final class ShuffleWords extends MmxOp {
        private final int selectors;

        ShuffleWords(Instruction in) {
            super(in);
            selectors = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            set(cpu, destination, PackedShuffle.pshufw(source(cpu), selectors));
        }
    }

    private static final class ShuffleBytes extends MmxOp {
        ShuffleBytes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long indices = source(cpu);
            long bytes = cpu.x87.significand[destination];
            set(cpu, destination, PackedShuffle.pshufb(bytes, bytes, indices));
        }
    }

    private static final class Align extends MmxOp {
        private final int count;

        Align(Instruction in) {
            super(in);
            count = (int) in.immediate & 0xFF;
        }

        @Override
        void execute(Cpu cpu) {
            long low = source(cpu);
            long high = cpu.x87.significand[destination];
            long value = PackedShift.psrldqLow(low, high, count);
            set(cpu, destination, value);
        }
    }

    private static final class InsertWord extends MmxOp {
        private final int general;
        private final int number;

        InsertWord(Instruction in) {
            super(in, Short.BYTES, false);
            general = in.isMemory() ? -1 : in.rm;
            number = (int) in.immediate & 3;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long value = general >= 0 ? cpu.r[general] : cpu.readShort(address(cpu));
            set(cpu, destination, PackedShuffle.insertWord(cpu.x87.significand[destination], value, number));
        }
    }

    private static final class ExtractWord extends MmxOp {
        private final int general;
        private final int shift;

        ExtractWord(Instruction in) {
            super(in);
            general = in.reg;
            shift = ((int) in.immediate & 3) << 4;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[general] = source(cpu) >>> shift & 0xFFFF;
            enter(cpu.x87);
        }
    }

    private static final class ByteSigns extends MmxOp {
        private final int general;

        ByteSigns(Instruction in) {
            super(in);
            general = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[general] = PackedShuffle.pmovmskb(source(cpu));
            enter(cpu.x87);
        }
    }

    /** MASKMOVQ. */
    private static final class StoreMasked extends MmxOp {
        StoreMasked(Instruction in) {
            super(SimdTransfers.StoreMasked.atDi(in), 1, true);
        }

        @Override
        void execute(Cpu cpu) {
            int bytes = PackedShuffle.pmovmskb(source(cpu));
            SimdTransfers.StoreMasked.store(this, cpu, bytes, cpu.x87.significand[destination], 0);
            enter(cpu.x87);
        }
    }

    /** MOVQ2DQ. */
    private static final class ToVector extends MmxOp {
        private final int slot;

        ToVector(Instruction in) {
            super(in);
            slot = in.reg * SimdOp.STRIDE;
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long value = source(cpu);
            cpu.vec[slot] = value;
            cpu.vec[slot + 1] = 0;
            enter(cpu.x87);
        }
    }

    /** MOVDQ2Q. */
    private static final class FromVector extends MmxOp {
        private final int slot;

        FromVector(Instruction in) {
            super(in);
            slot = in.rm * SimdOp.STRIDE;
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            require(cpu);
            set(cpu, destination, cpu.vec[slot]);
        }
    }
}
