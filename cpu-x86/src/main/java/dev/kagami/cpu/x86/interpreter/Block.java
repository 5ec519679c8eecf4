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

    /** What {@link #ops} began with at first; one miss of the host's caches away, not two. */
    private final Op first;

    /** Where the block was last found, or {@link #NOWHERE}, which no address equals: it is not canonical. */
    long linear = NOWHERE;

    /** {@link CodeCache#generation} when it was found there. */
    int generation;

    private static final long NOWHERE = 1L << 63 | 1;

    /** The block that ran after this one the last time; at first the block itself. */
    Block after = this;

    /** How often {@link TraceRecorder} met the block in the window of {@link #sampledIn}. */
    byte samples;

    byte sampledIn;

    /** Runs in place of the block where it is current. */
    @org.jspecify.annotations.Nullable
    Trace trace;

    @org.jspecify.annotations.Nullable
    Block nextInBucket;

    Block(Op[] ops, int instructions, int start, int bytes, int mode, CodePage page, int secondPage) {
        this.ops = ops;
        first = ops[0];
        this.instructions = (byte) instructions;
        this.start = (short) start;
        this.bytes = (short) bytes;
        this.mode = (byte) mode;
        this.page = page;
        this.secondPage = secondPage;
    }

    /**
     * Reads what running this block begins with, and of the one after it where that is, so that both come into the caches of the
     * host meanwhile. The three reads don't wait for each other. That they decide something keeps the JVM's compiler from dropping
     * them.
     */
    void fetch() {
        if (first.length < 0 || ops.length == 0 || after.instructions < 0) {
            throw new IllegalStateException("a block without instructions");
        }
    }

    /** Makes the block unusable, also for a CPU that is in the middle of it: it leaves before the next instruction. */
    void invalidate() {
        valid = false;
        linear = NOWHERE;
        // What is dropped must not keep more of it.
        after = this;
        trace = null;
        int end = 0;
        int before = 0;
        for (int i = 0; i < ops.length; i++) {
            Op op = ops[i];
            ops[i] = new LeaveOp(op, end, before);
            end = op.offset + op.length;
            before = op.ordinal + op.instructions();
        }
    }

    /**
     * Stands in for an instruction of an invalidated block and makes the CPU look the code up again: from the end of the one before, for
     * what was left out of the block in between may be something else by now.
     */
    private static final class LeaveOp extends Op {
        private final short end;
        private final byte before;

        /**
         * Creates the op.
         *
         * @param replaced the instruction, which may be running: should it still fault, it is where it was
         * @param end offset of the end of the one before
         * @param before number of instructions up to there
         */
        LeaveOp(Op replaced, int end, int before) {
            super(replaced.length);
            offset = replaced.offset;
            ordinal = replaced.ordinal;
            this.end = (short) end;
            this.before = (byte) before;
        }

        @Override
        void execute(Cpu cpu) {
            offset = end;
            ordinal = before;
            throw cpu.restart();
        }
    }
}
