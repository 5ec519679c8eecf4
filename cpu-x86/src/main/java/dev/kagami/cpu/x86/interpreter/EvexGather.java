package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * VPGATHERDD, VPSCATTERDD and relatives (SDM 2C): loads or stores the elements that the opmask selects, from the lowest on, at a base
 * plus scaled indexes from a vector register. An element's bit is cleared when it is done, so that an instruction that has faulted
 * goes on where it was.
 */
final class EvexGather extends EvexOp {
    private final int indexes;
    private final int scale;
    private final int vector;
    private final int indexSize;
    private final int count;

    private EvexGather(Instruction in, int index) {
        super(in);
        indexes = index * STRIDE;
        scale = in.scale;
        vector = in.reg * STRIDE;
        indexSize = (in.opcode & 1) != 0 ? Long.BYTES : Integer.BYTES;
        count = quadwords * Long.BYTES / Math.max(indexSize, bytes);
    }

    static Op create(Instruction in) {
        int index = in.index;
        // What is left is the common part of the addresses.
        in.index = Instruction.NONE;
        return new EvexGather(in, index);
    }

    @Override
    void execute(Cpu cpu) {
        require(cpu);
        long[] v = cpu.vec;
        for (int i = 0; i < count; i++) {
            if ((v[opmask] >> i & 1) != 0) {
                long address = addressAt(cpu, getSigned(v, indexes, i, indexSize) << scale, bytes, form.stores);
                if (form.stores) {
                    cpu.write(address, bytes, get(v, vector, i, bytes));
                } else {
                    set(v, vector, i, bytes, cpu.read(address, bytes));
                }
                v[opmask] &= ~(1L << i);
            }
        }
        v[opmask] = 0;
        if (!form.stores) {
            VexOp.clearAbove(v, vector, count * bytes / Long.BYTES);
        }
    }
}
