package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * The last op of a block. {@link #execute} sets {@link Cpu#r}[{@link Cpu#RIP}] to where to go on, and may name the next
 * block in {@link Cpu#next}.
 *
 * <p>A branch remembers the blocks that it led to. Within its own page that holds as long as the block is valid: whoever
 * runs this block has translated this page already. On another page it holds for the same target address until any
 * translation is forgotten.
 */
abstract class BranchOp extends Op {
    private final Link taken = new Link();
    private final Link notTaken = new Link();

    /** Where a branch led to the last time. */
    static final class Link {
        private @Nullable Block block;
        private long target;
        private int generation;

        /** Remembers a block. */
        void set(Cpu cpu, Block block) {
            this.block = block;
            target = cpu.r[Cpu.RIP];
            generation = cpu.code.generation;
        }
    }

    BranchOp(Instruction in) {
        super(in);
    }

    BranchOp(int length) {
        super(length);
    }

    @Override
    final boolean endsBlock() {
        return true;
    }

    /**
     * Goes on at a target that is at a fixed distance from the block.
     *
     * @param cpu the CPU
     * @param target instruction pointer to go on at
     * @param wasTaken which of the two links to use
     */
    final void go(Cpu cpu, long target, boolean wasTaken) {
        long[] r = cpu.r;
        boolean samePage = ((r[Cpu.RIP] ^ target) & -Mmu.PAGE_SIZE) == 0;
        r[Cpu.RIP] = target;
        if (!cpu.linksBlocks) {
            return;
        }
        Link link = wasTaken ? taken : notTaken;
        Block block = link.block;
        if (block != null
                && block.valid
                && (samePage || link.target == target && link.generation == cpu.code.generation)) {
            cpu.next = block;
        } else {
            cpu.linkFrom = link;
        }
    }
}
