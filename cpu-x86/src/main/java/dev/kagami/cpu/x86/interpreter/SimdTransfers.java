package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedShuffle;

/** Instructions that take single elements in and out of XMM registers, or tell about them in general registers and flags. */
final class SimdTransfers {
    private SimdTransfers() {}

    /** Returns log2 of the bytes of the element that PINSR and PEXTR in map 0F3A move. */
    private static int elementShift(Instruction in) {
        return switch (in.opcode) {
            case 0x14, 0x20 -> 0;
            case 0x15, 0xC4, 0xC5 -> 1;
            default -> in.w && in.opcode != 0x17 ? 3 : 2;
        };
    }

    /** PINSRB, PINSRW, PINSRD and PINSRQ. */
    static final class Insert extends MemOp {
        private final int shift;
        private final int general;
        private final int slot;
        private final int number;

        Insert(Instruction in) {
            super(in, 1 << elementShift(in), false);
            shift = elementShift(in);
            general = in.isMemory() ? -1 : in.rm;
            int perQuadword = 8 >> shift;
            int element = (int) in.immediate & 2 * perQuadword - 1;
            slot = in.reg * SimdOp.STRIDE + element / perQuadword;
            number = element % perQuadword;
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long value = general >= 0 ? cpu.r[general] : cpu.read(address(cpu), 1 << shift);
            long[] v = cpu.vec;
            long old = v[slot];
            v[slot] = switch (shift) {
                case 0 -> PackedShuffle.insertByte(old, value, number);
                case 1 -> PackedShuffle.insertWord(old, value, number);
                case 2 -> PackedShuffle.insertDoubleword(old, value, number);
                default -> value;
            };
        }
    }

    /** PEXTRB, PEXTRW, PEXTRD, PEXTRQ and EXTRACTPS. */
    static final class Extract extends MemOp {
        private final int bytes;
        private final int general;
        private final int slot;
        private final int position;
        private final long mask;

        /**
         * Creates the op.
         *
         * @param in the instruction
         * @param vector number of the vector register
         * @param general number of the general register, unless the destination is in memory
         */
        Extract(Instruction in, int vector, int general) {
            super(in, 1 << elementShift(in), true);
            bytes = 1 << elementShift(in);
            this.general = in.isMemory() ? -1 : general;
            int byteNumber = (int) in.immediate * bytes & SimdOp.BYTES - 1;
            slot = vector * SimdOp.STRIDE + (byteNumber >> 3);
            position = (byteNumber & 7) << 3;
            mask = -1L >>> 64 - (bytes << 3);
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long value = cpu.vec[slot] >>> position & mask;
            if (general >= 0) {
                cpu.r[general] = value;
            } else {
                cpu.write(address(cpu), bytes, value);
            }
        }
    }

    /** PMOVMSKB. */
    static final class ByteSigns extends SimdOp {
        ByteSigns(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            cpu.r[destination / STRIDE] =
                    PackedShuffle.pmovmskb(v[source]) | PackedShuffle.pmovmskb(v[source + 1]) << 8;
        }
    }

    /** MOVMSKPS and MOVMSKPD. */
    static final class FloatSigns extends SimdOp {
        private final boolean singles;

        FloatSigns(Instruction in) {
            super(in);
            singles = in.pp == Instruction.PP_NONE;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long low = cpu.vec[source];
            long high = cpu.vec[source + 1];
            cpu.r[destination / STRIDE] = singles
                    ? PackedShuffle.movmskps(low) | PackedShuffle.movmskps(high) << 2
                    : low >>> 63 | high >>> 63 << 1;
        }
    }

    /** PTEST. */
    static final class Test extends SimdOp {
        Test(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            int zero = (low & v[s] | high & v[s + 1]) == 0 ? Cpu.ZF : 0;
            int carry = (~low & v[s] | ~high & v[s + 1]) == 0 ? Cpu.CF : 0;
            cpu.setArithmeticFlags(zero | carry);
        }
    }

    /** MOVNTI, which needs no SSE state: it stores a general register. */
    static final class StoreGeneral extends MemOp {
        private final int general;
        private final boolean quadword;

        StoreGeneral(Instruction in) {
            super(in, in.w ? Long.BYTES : Integer.BYTES, true);
            general = in.reg;
            quadword = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            long value = cpu.r[general];
            if (quadword) {
                cpu.writeLong(address(cpu), value);
            } else {
                cpu.writeInt(address(cpu), (int) value);
            }
        }
    }

    /** MASKMOVDQU. */
    static final class StoreMasked extends MemOp {
        private final int data;
        private final int mask;

        StoreMasked(Instruction in) {
            super(atDi(in), 1, true);
            data = in.reg * SimdOp.STRIDE;
            mask = in.rm * SimdOp.STRIDE;
        }

        /** Makes DS:DI, EDI or RDI the memory operand. */
        static Instruction atDi(Instruction in) {
            in.base = Cpu.RDI;
            in.index = Instruction.NONE;
            in.displacement = 0;
            in.defaultSegment = Instruction.DS;
            return in;
        }

        @Override
        void execute(Cpu cpu) {
            SimdOp.require(cpu);
            long[] v = cpu.vec;
            int bytes = PackedShuffle.pmovmskb(v[mask]) | PackedShuffle.pmovmskb(v[mask + 1]) << 8;
            store(this, cpu, bytes, v[data], v[data + 1]);
        }

        /** Stores those bytes whose bits are set; faults before any of them changes. */
        static void store(MemOp op, Cpu cpu, int bytes, long low, long high) {
            if (bytes == 0) {
                return;
            }
            int first = Integer.numberOfTrailingZeros(bytes);
            int last = 31 - Integer.numberOfLeadingZeros(bytes);
            long start = op.addressAt(cpu, first, last - first + 1, true);
            cpu.mmu.probe(start, last - first + 1, true);
            for (int i = first; i <= last; i++) {
                if ((bytes >> i & 1) != 0) {
                    cpu.writeByte(op.addressAt(cpu, i, 1, true), (int) ((i < 8 ? low : high) >>> ((i & 7) << 3)));
                }
            }
        }
    }
}
