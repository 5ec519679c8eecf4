package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** Permutations across 128-bit lanes, and insertions and extractions of parts. */
final class EvexPermutes {
    private EvexPermutes() {}

    /** VPERMB, VPERMW, VPERMD, VPERMQ, VPERMPS and VPERMPD by a register: EVEX.vvvv selects. */
    static final class Elements extends EvexOp {
        Elements(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int size = form.element;
            int count = quadwords * Long.BYTES / size;
            for (int i = 0; i < count; i++) {
                set(v, RESULT, i, size, get(v, s, (int) get(v, first, i, size) & count - 1, size));
            }
            finish(cpu);
        }
    }

    /** VPERMI2 and VPERMT2: elements of two registers; the destination is the indexes or the first of both. */
    static final class TwoTables extends EvexOp {
        private final int indexes;
        private final int table;

        TwoTables(Instruction in) {
            super(in);
            boolean overIndexes = in.opcode < 0x78;
            indexes = overIndexes ? destination : first;
            table = overIndexes ? first : destination;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int size = form.element;
            int count = quadwords * Long.BYTES / size;
            for (int i = 0; i < count; i++) {
                int index = (int) get(v, indexes, i, size);
                set(v, RESULT, i, size, get(v, (index & count) == 0 ? table : s, index & count - 1, size));
            }
            finish(cpu);
        }
    }

    /** An op controlled by its immediate. */
    private abstract static class Controlled extends EvexOp {
        final int control;

        Controlled(Instruction in) {
            super(in);
            control = (int) in.immediate & 0xFF;
        }
    }

    /** VPERMQ and VPERMPD by an immediate: the same within each 256 bits. */
    static final class Quadwords extends Controlled {
        Quadwords(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = v[s + (i & ~3) + (control >> 2 * (i & 3) & 3)];
            }
            finish(cpu);
        }
    }

    /** VSHUFF32X4 and relatives: the low half has lanes of the first, the high half lanes of the second operand. */
    static final class Lanes extends Controlled {
        Lanes(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int lanes = quadwords / 2;
            int bits = lanes / 2;
            for (int i = 0; i < lanes; i++) {
                int from = (i < lanes / 2 ? first : s) + 2 * (control >> bits * i & lanes - 1);
                v[RESULT + 2 * i] = v[from];
                v[RESULT + 2 * i + 1] = v[from + 1];
            }
            finish(cpu);
        }
    }

    /** VALIGND and VALIGNQ. */
    static final class Align extends Controlled {
        Align(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int size = form.element;
            int count = quadwords * Long.BYTES / size;
            int shift = control & count - 1;
            for (int i = 0; i < count; i++) {
                int at = i + shift;
                set(v, RESULT, i, size, get(v, at < count ? s : first, at & count - 1, size));
            }
            finish(cpu);
        }
    }

    /** Broadcasts of the lowest element, or elements, of a register or of memory, or of a general register. */
    static final class Broadcast extends EvexOp {
        private final int general;

        Broadcast(Instruction in) {
            super(in);
            general = in.opcode >= 0x7A && in.opcode <= 0x7C ? in.rm : -1;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            if (bytes <= Long.BYTES) {
                long value = general >= 0 ? cpu.r[general] : v[s];
                long element = (value & ones(8 * bytes)) * Long.divideUnsigned(-1, ones(8 * bytes));
                for (int i = 0; i < quadwords; i++) {
                    v[RESULT + i] = element;
                }
            } else {
                for (int i = 0; i < quadwords; i++) {
                    v[RESULT + i] = v[s + (i & bytes / Long.BYTES - 1)];
                }
            }
            finish(cpu);
        }
    }

    /** VINSERTF32X4 and relatives. */
    static final class Insert extends Controlled {
        Insert(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            int part = bytes / Long.BYTES;
            int at = (control & quadwords / part - 1) * part;
            for (int i = 0; i < quadwords; i++) {
                v[RESULT + i] = i >= at && i < at + part ? v[s + i - at] : v[first + i];
            }
            finish(cpu);
        }
    }

    /** VEXTRACTF32X4 and relatives. */
    static final class Extract extends Controlled {
        private final int from;

        Extract(Instruction in) {
            super(in);
            int part = bytes / Long.BYTES;
            from = in.reg * STRIDE + (control & quadwords / part - 1) * part;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < bytes / Long.BYTES; i++) {
                v[RESULT + i] = v[from + i];
            }
            finish(cpu, bytes);
        }
    }
}
