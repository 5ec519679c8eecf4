package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** VMASKMOVPS, VMASKMOVPD, VPMASKMOVD and VPMASKMOVQ: elements that are not selected are not accessed and can't fault. */
final class VexMasked {
    private VexMasked() {}

    static Op create(Instruction in) {
        boolean wide = in.opcode >= 0x80 ? in.w : (in.opcode & 1) != 0;
        boolean store = in.opcode == 0x8E || in.opcode == 0x2E || in.opcode == 0x2F;
        return store ? new Store(in, wide) : new Load(in, wide);
    }

    /** {@return whether an element's sign is set; elements have 4 or 8 bytes} */
    static boolean selected(long[] v, int mask, int number, boolean wide) {
        return (wide ? v[mask + number] : VexOp.doubleword(v, mask, number)) < 0;
    }

    /** Puts an element of 4 or 8 bytes into a register. */
    static void set(long[] v, int slot, int number, boolean wide, long value) {
        if (wide) {
            v[slot + number] = value;
        } else {
            int at = slot + (number >> 1);
            int position = (number & 1) << 5;
            v[at] = v[at] & ~(0xFFFF_FFFFL << position) | (value & 0xFFFF_FFFFL) << position;
        }
    }

    private static final class Load extends VexOp {
        private final boolean wide;

        Load(Instruction in, boolean wide) {
            super(in, vectorBytes(in), false);
            this.wide = wide;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            int size = wide ? 8 : 4;
            for (int i = 0; i < bytes / size; i++) {
                long value =
                        selected(v, first, i, wide) ? cpu.read(addressAt(cpu, (long) i * size, size, false), size) : 0;
                set(v, RESULT, i, wide, value);
            }
            finishResult(v);
        }
    }

    private static final class Store extends VexOp {
        private final boolean wide;

        Store(Instruction in, boolean wide) {
            super(in, vectorBytes(in), true);
            this.wide = wide;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            int size = wide ? 8 : 4;
            int count = bytes / size;
            for (int i = 0; i < count; i++) {
                if (selected(v, first, i, wide)) {
                    cpu.mmu.probe(addressAt(cpu, (long) i * size, size, true), size, true);
                }
            }
            for (int i = 0; i < count; i++) {
                if (selected(v, first, i, wide)) {
                    long value = wide ? v[destination + i] : doubleword(v, destination, i);
                    cpu.write(addressAt(cpu, (long) i * size, size, true), size, value);
                }
            }
        }
    }
}
