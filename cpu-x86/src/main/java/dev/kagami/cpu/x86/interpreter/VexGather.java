package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * VPGATHERDD and its relatives (SDM 2C, VGATHERDPS): loads the elements that the mask in VEX.vvvv selects, at a base plus
 * scaled indexes from a vector register. An element's mask is cleared when it is loaded, so a gather that has faulted goes
 * on where it was.
 */
final class VexGather extends VexOp {
    private final int indexes;
    private final int scale;
    private final boolean wide;
    private final boolean wideIndexes;
    private final int count;

    private VexGather(Instruction in, int index) {
        super(in, in.w ? 8 : 4, false);
        indexes = index * STRIDE;
        scale = in.scale;
        wide = in.w;
        wideIndexes = (in.opcode & 1) != 0;
        count = vectorBytes(in) / (wide || wideIndexes ? 8 : 4);
    }

    static @Nullable Op create(Instruction in) {
        int index = in.index;
        if (!in.isMemory() || in.reg == in.vvvv || in.reg == index || in.vvvv == index) {
            return null;
        }
        // What is left is the common part of the addresses.
        in.index = Instruction.NONE;
        return new VexGather(in, index);
    }

    @Override
    void execute(Cpu cpu) {
        require(cpu);
        long[] v = cpu.vec;
        for (int i = 0; i < count; i++) {
            VexMasked.set(v, first, i, wide, VexMasked.selected(v, first, i, wide) ? -1 : 0);
        }
        // Quadwords of the destination and the mask; four doublewords for four quadword indexes are half as long.
        int used = (count * (wide ? 8 : 4) + 7) / 8;
        clearAbove(v, first, used);
        for (int i = 0; i < count; i++) {
            if (VexMasked.selected(v, first, i, wide)) {
                long index = wideIndexes ? v[indexes + i] : doubleword(v, indexes, i);
                VexMasked.set(v, destination, i, wide, cpu.read(addressAt(cpu, index << scale, bytes, false), bytes));
                VexMasked.set(v, first, i, wide, 0);
            }
        }
        clearAbove(v, first, 0);
        clearAbove(v, destination, used);
    }
}
