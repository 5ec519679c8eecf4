package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Moves of whole vector registers, and the instructions that clear them. */
final class VexMoves {
    private VexMoves() {}

    /**
     * Makes the op of a move; between registers it is always a load.
     *
     * @param in the instruction
     * @param store whether memory is written
     * @param aligned whether memory must be aligned to the operand's size
     */
    static @Nullable Op move(Instruction in, boolean store, boolean aligned) {
        if (in.vvvv != 0) {
            return null;
        }
        if (!in.isMemory()) {
            return new Copy(in);
        }
        return store ? new Store(in, aligned) : new Load(in, aligned);
    }

    private static final class Copy extends VexOp {
        Copy(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long[] v = cpu.vec;
            v[destination] = v[source];
            v[destination + 1] = v[source + 1];
            if (quadwords == 4) {
                v[destination + 2] = v[source + 2];
                v[destination + 3] = v[source + 3];
            }
            clearAbove(v, destination, quadwords);
        }
    }

    private static final class Load extends VexOp {
        private final boolean aligned;

        Load(Instruction in, boolean aligned) {
            super(in);
            this.aligned = aligned;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            long address = aligned ? alignedAddress(cpu) : address(cpu);
            long[] v = cpu.vec;
            cpu.read128(address);
            if (quadwords == 4) {
                long low = cpu.low;
                long high = cpu.high;
                cpu.read128(cpu.wrap(address + 16));
                v[destination] = low;
                v[destination + 1] = high;
                v[destination + 2] = cpu.low;
                v[destination + 3] = cpu.high;
            } else {
                v[destination] = cpu.low;
                v[destination + 1] = cpu.high;
            }
            clearAbove(v, destination, quadwords);
        }
    }

    private static final class Store extends VexOp {
        private final boolean aligned;

        Store(Instruction in, boolean aligned) {
            super(in, vectorBytes(in), true);
            this.aligned = aligned;
        }

        @Override
        void execute(Cpu cpu) {
            require(cpu);
            store(cpu, aligned ? alignedAddress(cpu) : address(cpu), destination);
        }
    }

    /** VZEROUPPER and VZEROALL. */
    static final class Clear extends Op {
        private final int from;

        Clear(Instruction in) {
            super(in);
            from = in.vectorLength == 0 ? 2 : 0;
        }

        @Override
        void execute(Cpu cpu) {
            VexOp.require(cpu);
            int registers = cpu.mode == 64 ? 16 : 8;
            for (int i = 0; i < registers; i++) {
                VexOp.clearAbove(cpu.vec, i * VexOp.STRIDE, from);
            }
        }
    }
}
