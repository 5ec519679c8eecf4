package dev.kagami.cpu.x86.interpreter;

/** A straight run of decoded instructions within one page, entered at its start only. */
final class Block {
    // Small, because how much of all this fits into the caches of the host decides how fast branches are.

    /** The instructions; the last one is a {@link BranchOp}. Overwritten by {@link #invalidate}. */
    final Op[] ops;

    /** Guest instructions in the block. */
    final byte instructions;

    /** Offset of the first byte in its page. */
    final short start;

    /** Bytes of code. */
    final short bytes;

    /** {@link Cpu#codeMode} that the code was decoded for. */
    final byte mode;

    final CodePage page;

    /** Physical page of the second half when the only instruction straddles two pages, else -1. */
    final int secondPage;

    boolean valid = true;

    /** Where the block was last found, or {@link #NOWHERE}, which no address equals: it is not canonical. */
    long linear = NOWHERE;

    /** {@link CodeCache#generation} when it was found there. */
    int generation;

    private static final long NOWHERE = 1L << 63 | 1;

    @org.jspecify.annotations.Nullable
    Block nextInBucket;

    Block(Op[] ops, int instructions, int start, int bytes, int mode, CodePage page, int secondPage) {
        this.ops = ops;
        this.instructions = (byte) instructions;
        this.start = (short) start;
        this.bytes = (short) bytes;
        this.mode = (byte) mode;
        this.page = page;
        this.secondPage = secondPage;
    }

    /** Makes the block unusable, also for a CPU that is in the middle of it: it leaves before the next instruction. */
    void invalidate() {
        valid = false;
        linear = NOWHERE;
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
