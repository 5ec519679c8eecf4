package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.Float80;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;
import dev.kagami.cpu.x86.softfloat.PackedDecimal;

/** Loads and stores of the x87 unit: FLD, FILD, FBLD, FST, FIST, FISTTP, FBSTP, FXCH, FCMOV and the constants. */
final class X87Transfer {
    private static final long UNSIGNED_32 = 0xFFFF_FFFFL;
    private static final int EXTENDED_BYTES = 10;

    private X87Transfer() {}

    /** What a memory operand holds. */
    enum Format {
        SINGLE(4),
        DOUBLE(8),
        EXTENDED(EXTENDED_BYTES),
        INTEGER_16(2),
        INTEGER_32(4),
        INTEGER_64(8),
        DECIMAL(EXTENDED_BYTES);

        final int bytes;

        Format(int bytes) {
            this.bytes = bytes;
        }
    }

    /** FLD, FILD and FBLD from memory. */
    static final class Load extends X87Op {
        private final Format format;

        Load(Instruction in, Format format) {
            super(in, format.bytes, false);
            this.format = format;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            long address = address(cpu);
            switch (format) {
                case SINGLE -> Float80.load(c, FloatFormat.BINARY32, cpu.readInt(address) & UNSIGNED_32);
                case DOUBLE -> Float80.load(c, FloatFormat.BINARY64, cpu.readLong(address));
                case INTEGER_16 -> Float80.fromInteger(c, (short) cpu.readShort(address));
                case INTEGER_32 -> Float80.fromInteger(c, cpu.readInt(address));
                case INTEGER_64 -> Float80.fromInteger(c, cpu.readLong(address));
                case EXTENDED -> {
                    c.significand = cpu.readLong(address);
                    c.signExponent = cpu.readShort(addressAt(cpu, 8, 2, false));
                }
                case DECIMAL -> {
                    long low = cpu.readLong(address);
                    PackedDecimal.load(c, low, cpu.readShort(addressAt(cpu, 8, 2, false)));
                }
            }
            record(cpu);
            if (!x87.isEmpty(-1)) {
                if (x87.overflow()) {
                    x87.pushIndefinite();
                }
            } else if (x87.commitLoad()) {
                x87.push(c.signExponent, c.significand);
            }
        }
    }

    /** FST and FSTP to memory in a floating-point format. */
    static final class Store extends X87Op {
        private final Format format;
        private final boolean pops;

        Store(Instruction in, Format format, boolean pops) {
            super(in, format.bytes, true);
            this.format = format;
            this.pops = pops;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            long address = address(cpu);
            int savedStatus = x87.status;
            int se = Float80.INDEFINITE_SIGN_EXPONENT;
            long s = Float80.INDEFINITE_SIGNIFICAND;
            boolean empty = x87.isEmpty(0);
            if (!empty) {
                se = x87.signExponent(0);
                s = x87.significand(0);
            }
            long bits = switch (format) {
                case SINGLE -> Float80.store(c, FloatFormat.BINARY32, se, s);
                case DOUBLE -> Float80.store(c, FloatFormat.BINARY64, se, s);
                default -> s;
            };
            if (!(empty ? x87.underflow() : x87.commitStore())) {
                record(cpu);
                return;
            }
            try {
                switch (format) {
                    case SINGLE -> cpu.writeInt(address, (int) bits);
                    case DOUBLE -> cpu.writeLong(address, bits);
                    default -> {
                        long behind = addressAt(cpu, 8, 2, true);
                        cpu.mmu.probe(behind, 2, true);
                        cpu.writeLong(address, s);
                        cpu.writeShort(behind, se);
                    }
                }
            } catch (Fault fault) {
                // The flags of an instruction that did not complete must not stay.
                x87.status = savedStatus;
                throw fault;
            }
            record(cpu);
            if (pops) {
                x87.pop();
            }
        }
    }

    /** FIST, FISTP, FISTTP and FBSTP. */
    static final class StoreInteger extends X87Op {
        private final Format format;
        private final boolean pops;
        private final boolean truncate;

        StoreInteger(Instruction in, Format format, boolean pops, boolean truncate) {
            super(in, format.bytes, true);
            this.format = format;
            this.pops = pops;
            this.truncate = truncate;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            long address = address(cpu);
            int savedStatus = x87.status;
            boolean empty = x87.isEmpty(0);
            int se = empty ? Float80.INDEFINITE_SIGN_EXPONENT : x87.signExponent(0);
            long s = empty ? Float80.INDEFINITE_SIGNIFICAND : x87.significand(0);
            int decimalHigh = 0;
            long value;
            if (format == Format.DECIMAL) {
                decimalHigh = PackedDecimal.store(c, se, s);
                value = c.significand;
            } else {
                int rounding = truncate ? FloatContext.ROUND_ZERO : c.rounding;
                value = Float80.toInteger(c, se, s, rounding, 8 * format.bytes);
            }
            if (!(empty ? x87.underflow() : x87.commitStore())) {
                record(cpu);
                return;
            }
            try {
                switch (format) {
                    case INTEGER_16 -> cpu.writeShort(address, (int) value);
                    case INTEGER_32 -> cpu.writeInt(address, (int) value);
                    case INTEGER_64 -> cpu.writeLong(address, value);
                    default -> {
                        long behind = addressAt(cpu, 8, 2, true);
                        cpu.mmu.probe(behind, 2, true);
                        cpu.writeLong(address, value);
                        cpu.writeShort(behind, decimalHigh);
                    }
                }
            } catch (Fault fault) {
                x87.status = savedStatus;
                throw fault;
            }
            record(cpu);
            if (pops) {
                x87.pop();
            }
        }
    }

    /** FLD ST(i). */
    static final class Duplicate extends X87Op {
        private final int operand;

        Duplicate(Instruction in) {
            super(in);
            operand = in.rm & 7;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            begin(cpu);
            record(cpu);
            boolean empty = x87.isEmpty(operand);
            if (empty || !x87.isEmpty(-1)) {
                if (empty ? x87.underflow() : x87.overflow()) {
                    x87.pushIndefinite();
                }
            } else {
                x87.status &= ~X87.C1;
                x87.push(x87.signExponent(operand), x87.significand(operand));
            }
        }
    }

    /** FST ST(i) and FSTP ST(i). */
    static final class Copy extends X87Op {
        private final int target;
        private final boolean pops;
        /** D9 D8 to DF, which no manual lists, pops an empty register without an exception. */
        private final boolean silent;

        Copy(Instruction in, boolean pops) {
            super(in);
            target = in.rm & 7;
            this.pops = pops;
            silent = in.opcode == 0xD9;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            begin(cpu);
            record(cpu);
            if (x87.isEmpty(0)) {
                if (!silent) {
                    if (!x87.underflow()) {
                        return;
                    }
                    x87.setIndefinite(target);
                }
            } else {
                x87.status &= ~X87.C1;
                x87.set(target, x87.signExponent(0), x87.significand(0));
            }
            if (pops) {
                x87.pop();
            }
        }
    }

    /** FXCH. */
    static final class Exchange extends X87Op {
        private final int operand;

        Exchange(Instruction in) {
            super(in);
            operand = in.rm & 7;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            begin(cpu);
            record(cpu);
            boolean emptyTop = x87.isEmpty(0);
            boolean emptyOther = x87.isEmpty(operand);
            if (emptyTop || emptyOther) {
                if (!x87.underflow()) {
                    return;
                }
                if (emptyTop) {
                    x87.setIndefinite(0);
                }
                if (emptyOther) {
                    x87.setIndefinite(operand);
                }
            } else {
                x87.status &= ~X87.C1;
            }
            int se = x87.signExponent(0);
            long s = x87.significand(0);
            x87.set(0, x87.signExponent(operand), x87.significand(operand));
            x87.set(operand, se, s);
        }
    }

    /** FCMOVcc. */
    static final class ConditionalMove extends X87Op {
        private final int operand;
        private final int condition;

        /**
         * Creates the op.
         *
         * @param in the instruction; opcode DB has the negated conditions
         */
        ConditionalMove(Instruction in) {
            super(in);
            operand = in.rm & 7;
            // B, E, BE and U are the even condition codes 2, 4, 6 and 10 of Jcc.
            int code = switch (in.group()) {
                case 0 -> 2;
                case 1 -> 4;
                case 2 -> 6;
                default -> 10;
            };
            condition = in.opcode == 0xDB ? code | 1 : code;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            begin(cpu);
            record(cpu);
            if (x87.isEmpty(0) || x87.isEmpty(operand)) {
                if (x87.underflow()) {
                    x87.setIndefinite(0);
                }
                return;
            }
            if (cpu.condition(condition)) {
                x87.set(0, x87.signExponent(operand), x87.significand(operand));
            }
        }
    }

    /** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2 and FLDZ. */
    static final class Constant extends X87Op {
        // Exponents and significands truncated to 64 bits; the second column is the one rounded to nearest.
        private static final int[] EXPONENTS = {0x3FFF, 0x4000, 0x3FFF, 0x4000, 0x3FFD, 0x3FFE, 0};
        private static final long[] TRUNCATED = {
            0x8000_0000_0000_0000L,
            0xD49A_784B_CD1B_8AFEL,
            0xB8AA_3B29_5C17_F0BBL,
            0xC90F_DAA2_2168_C234L,
            0x9A20_9A84_FBCF_F798L,
            0xB172_17F7_D1CF_79ABL,
            0
        };
        private static final int[] NEAREST_ADDS = {0, 0, 1, 1, 1, 1, 0};
        private static final int[] UP_ADDS = {0, 1, 1, 1, 1, 1, 0};

        /** Number of constants. */
        static final int COUNT = 7;

        private final int index;

        Constant(Instruction in) {
            super(in);
            index = in.rm & 7;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            FloatContext c = begin(cpu);
            record(cpu);
            if (!x87.isEmpty(-1)) {
                if (x87.overflow()) {
                    x87.pushIndefinite();
                }
                return;
            }
            x87.status &= ~X87.C1;
            int adds = switch (c.rounding) {
                case FloatContext.ROUND_NEAREST -> NEAREST_ADDS[index];
                case FloatContext.ROUND_UP -> UP_ADDS[index];
                default -> 0;
            };
            x87.push(EXPONENTS[index], TRUNCATED[index] + adds);
        }
    }
}
