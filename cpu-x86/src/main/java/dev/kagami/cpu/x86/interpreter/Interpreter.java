package dev.kagami.cpu.x86.interpreter;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The run loop. */
final class Interpreter {
    private final Cpu cpu;
    private final BlockBuilder builder;

    Interpreter(Cpu cpu) {
        this.cpu = cpu;
        builder = new BlockBuilder(cpu);
    }

    /** Runs until an event wants the CPU's attention or the CPU faults; used by the run loop and by tests. */
    void runBlocks() {
        Cpu cpu = this.cpu;
        Block block = null;
        while (true) {
            int i = 0;
            try {
                if (cpu.events() != 0) {
                    return;
                }
                if (block == null) {
                    block = lookUp();
                }
                Op[] ops = block.ops;
                cpu.next = null;
                for (i = 0; i < ops.length; i++) {
                    ops[i].execute(cpu);
                }
                cpu.retired += block.instructions;
                block = cpu.next;
            } catch (Fault fault) {
                leave(block, i, fault);
                return;
            }
        }
    }

    private Block lookUp() {
        long linear = cpu.codeAddress();
        Block found = cpu.code.find(linear, cpu.codeMode);
        if (found == null) {
            found = builder.build(linear, Integer.MAX_VALUE);
        }
        BranchOp from = cpu.linkFrom;
        if (from != null) {
            cpu.linkFrom = null;
            if (found.secondPage < 0) {
                from.link(found, cpu.linkTaken);
            }
        }
        return found;
    }

    private void leave(@Nullable Block block, int i, Fault fault) {
        LockSupport.unpark(null);
    }
}
