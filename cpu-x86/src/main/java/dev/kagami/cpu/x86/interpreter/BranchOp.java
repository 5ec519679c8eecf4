package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * The last op of a block. {@link #execute} sets {@link Cpu#r}[{@link Cpu#RIP}] to where to go on, and may name the next
 * block in {@link Cpu#next}.
 *
 * <p>A branch remembers the blocks that it led to. Within its own page that holds as long as the block is valid: whoever
 * runs this block has translated this page already. On another page it holds while the block is the one found at that
 * address, until any translation of code is forgotten.
 */
abstract class BranchOp extends Op {
    // Not objects of their own: what isn't in the caches of the host is most of what a branch costs.
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
        Block block = wasTaken ? taken : notTaken;
        if (block != null
                && (samePage
                        ? block.valid
                        : block.linear == target + cpu.codeBase && block.generation == cpu.code.generation)) {
            cpu.next = block;
        } else {
            cpu.linkFrom = this;
            cpu.linkTaken = wasTaken;
        }
    }

    /** Remembers the block that the branch led to, see {@link Cpu#linkTaken}. */
    final void link(Block block, boolean wasTaken) {
        if (wasTaken) {
            taken = block;
        } else {
            notTaken = block;
        }
    }
}
