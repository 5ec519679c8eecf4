package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * The last op of a block. {@link #execute} sets {@link Cpu#r}[{@link Cpu#RIP}] to where to go on, and may name the next
 * block in {@link Cpu#next}.
 *
 * <p>A branch within its own page may remember its targets: whoever runs this block has translated this page already, so
 * the target's translation is the same. A target on another page is looked up each time.
 */
abstract class BranchOp extends Op {
    private @Nullable Block taken;
    private @Nullable Block notTaken;

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

    /** Remembers the block that a branch led to. */
    final void link(Block block, boolean wasTaken) {
        if (wasTaken) {
            taken = block;
        } else {
            notTaken = block;
        }
    }

    /**
     * Goes on at a target in the block's own page or elsewhere.
     *
     * @param cpu the CPU
     * @param target instruction pointer to go on at
     * @param wasTaken which of the two links to use
     */
    final void go(Cpu cpu, long target, boolean wasTaken) {
        long[] r = cpu.r;
        boolean samePage = ((r[Cpu.RIP] ^ target) & -Mmu.PAGE_SIZE) == 0;
        r[Cpu.RIP] = target;
        if (!samePage || !cpu.linksBlocks) {
            return;
        }
        Block block = wasTaken ? taken : notTaken;
        if (block != null && block.valid) {
            cpu.next = block;
        } else {
            cpu.linkFrom = this;
            cpu.linkTaken = wasTaken;
        }
    }
}
