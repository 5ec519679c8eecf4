package dev.kagami.cpu.x86.interpreter;

/** A straight run of decoded instructions within one page, entered at its start only. */
final class Block {
    /** The instructions; the last one is a {@link BranchOp}. Overwritten by {@link #invalidate}. */
    final Op[] ops;

    /** Guest instructions in the block. */
    final int instructions;

    /** Offset of the first byte in its page. */
    final int start;

    /** Bytes of code. */
    final int bytes;

    /** {@link Cpu#codeMode} that the code was decoded for. */
    final int mode;

    final CodePage page;

    /** Physical page of the second half when the only instruction straddles two pages, else -1. */
    final int secondPage;

    boolean valid = true;

    @org.jspecify.annotations.Nullable
    Block nextInBucket;

    Block(Op[] ops, int instructions, int start, int bytes, int mode, CodePage page, int secondPage) {
        this.ops = ops;
        this.instructions = instructions;
        this.start = start;
        this.bytes = bytes;
        this.mode = mode;
        this.page = page;
        this.secondPage = secondPage;
    }

    /** Makes the block unusable, also for a CPU that is in the middle of it: it leaves before the next instruction. */
    void invalidate() {
        valid = false;
        for (int i = 0; i < ops.length; i++) {
            ops[i] = new LeaveOp(ops[i]);
        }
    }

    /** Stands in for an instruction of an invalidated block and makes the CPU look the code up again. */
    private static final class LeaveOp extends Op {
        LeaveOp(Op replaced) {
            super(replaced.length);
            offset = replaced.offset;
            ordinal = replaced.ordinal;
        }

        @Override
        void execute(Cpu cpu) {
            throw cpu.restart();
        }
    }
}
