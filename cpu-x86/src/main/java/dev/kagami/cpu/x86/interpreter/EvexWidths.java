package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** Moves that make elements wider or narrower. */
final class EvexWidths {
    private EvexWidths() {}

    /** VPMOVSX and VPMOVZX. */
    static final class Widen extends EvexOp {
        private final int operation;
        private final int perQuadword;

        Widen(Instruction in) {
            super(in);
            operation = in.mapAndOpcode();
            perQuadword = Long.BYTES / form.element * form.memoryElement;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            for (int i = 0; i < quadwords; i++) {
                int at = i * perQuadword;
                v[RESULT + i] = SimdLanes.widen(operation, v[s + (at >> 3)] >>> ((at & 7) << 3));
            }
            finish(cpu);
        }
    }

    /** VPMOVWB, VPMOVDB, VPMOVQB, VPMOVDW, VPMOVQW and VPMOVQD, and those that saturate. */
    static final class Narrow extends EvexOp {
        private static final int UNSIGNED = 1;
        private static final int SIGNED = 2;

        private final int from;
        private final int kind;
        private final int wide;
        private final int length;

        Narrow(Instruction in) {
            super(in);
            from = in.reg * STRIDE;
            kind = in.opcode >> 4;
            wide = form.element
                    * switch (form.tuple) {
                        case HALF_MEMORY -> 2;
                        case QUARTER_MEMORY -> 4;
                        default -> 8;
                    };
            length = form.memoryBytes(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            int size = form.element;
            long largest = kind == UNSIGNED ? ones(8 * size) : ones(8 * size - 1);
            for (int i = 0; i < length / size; i++) {
                long value = kind == SIGNED ? getSigned(v, from, i, wide) : get(v, from, i, wide);
                if (kind == SIGNED) {
                    value = Math.clamp(value, ~largest, largest);
                } else if (kind == UNSIGNED && Long.compareUnsigned(value, largest) > 0) {
                    value = largest;
                }
                set(v, RESULT, i, size, value);
            }
            finish(cpu, length);
        }
    }

    /** VPCOMPRESS and VCOMPRESS: the selected elements, one behind the other; no others are written to memory. */
    static final class Compress extends EvexOp {
        private final int from;
        private final int size;
        private final int count;

        Compress(Instruction in) {
            super(in);
            from = in.reg * STRIDE;
            size = form.element;
            count = quadwords * Long.BYTES / size;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            long selected = selected(cpu) & ones(count);
            int used = 0;
            for (int i = 0; i < count; i++) {
                if ((selected >> i & 1) != 0) {
                    set(v, RESULT, used++, size, get(v, from, i, size));
                }
            }
            if (destination < 0) {
                store(cpu, used);
                return;
            }
            for (int i = used; i < count; i++) {
                set(v, RESULT, i, size, zeroing ? 0 : get(v, destination, i, size));
            }
            for (int i = 0; i < quadwords; i++) {
                v[destination + i] = v[RESULT + i];
            }
            VexOp.clearAbove(v, destination, quadwords);
        }

        private void store(Cpu cpu, int used) {
            for (int i = 0; i < used; i++) {
                cpu.mmu.probe(addressAt(cpu, (long) i * size, size, true), size, true);
            }
            for (int i = 0; i < used; i++) {
                cpu.write(addressAt(cpu, (long) i * size, size, true), size, get(cpu.vec, RESULT, i, size));
            }
        }
    }

    /** VPEXPAND and VEXPAND: successive elements go to where the opmask selects; no others are read from memory. */
    static final class Expand extends EvexOp {
        private final int size;
        private final int count;

        Expand(Instruction in) {
            super(in);
            size = form.element;
            count = quadwords * Long.BYTES / size;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            long selected = selected(cpu) & ones(count);
            int used = 0;
            for (int i = 0; i < count; i++) {
                if ((selected >> i & 1) != 0) {
                    long value = source >= 0
                            ? get(v, source, used, size)
                            : cpu.read(addressAt(cpu, (long) used * size, size, false), size);
                    set(v, RESULT, i, size, value);
                    used++;
                }
            }
            finish(cpu);
        }
    }
}
