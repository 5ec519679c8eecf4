package dev.kagami.cpu.x86.nativecode;

/** A place where translated code is left, and what is to be done then. */
final class Exit {
    /** What an exit is for. */
    enum Kind {
        /** An event is pending; no instruction of the block has run. */
        EVENT,
        /** A direct branch whose target was not known; may be linked. */
        DIRECT,
        /** A branch whose target is in {@link StateBlock#TARGET}. */
        INDIRECT,
        /** An instruction that needs the guest's vector registers in the host's. */
        VECTOR,
        /** An instruction that the interpreter shall run. */
        INTERPRET,
        /** A read missed the TLB; may be resumed. */
        READ,
        /** A write missed the TLB; may be resumed. */
        WRITE,
        /** The block's code has changed. */
        DROPPED
    }

    final Kind kind;

    /** Guest address to go on at: of the instruction, or of the branch's target. */
    final long guest;

    /** Instructions of the block before this place. */
    final int ordinal;

    /** Instructions of the block that have been counted but not run. */
    int uncounted;

    /** Position in the code memory: of the jump to link, or to resume at. */
    int host;

    /** Page of RAM that the block is in. */
    int page;

    /** {@link #release}: the branch's target needs no check. */
    static final int UNCHECKED = -1;

    /**
     * Of an indirect branch, what it has added to the stack pointer. When its target turns out not to be canonical, that is
     * taken back and the interpreter raises the exception at the branch.
     */
    int release = UNCHECKED;

    /** Bytes accessed. */
    final int size;

    Exit(Kind kind, long guest, int ordinal, int size) {
        this.kind = kind;
        this.guest = guest;
        this.ordinal = ordinal;
        this.size = size;
    }
}
