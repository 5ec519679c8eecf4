package dev.kagami.cpu.x86.nativecode;

import org.jspecify.annotations.Nullable;

/** A place where translated code is left, and what is to be done then. */
final class Exit {
    /** What an exit is for. */
    enum Kind {
        /** An event is pending; no instruction of the block has run. */
        EVENT,
        /** A direct branch whose target was not known; may be linked. */
        DIRECT,
        /** A branch whose target is in {@link StateBlock#ADDRESS}, unless it is {@link Exit#constant}. */
        INDIRECT,
        /** An instruction that needs the guest's vector registers in the host's. */
        VECTOR,
        /** An instruction that the interpreter shall run. */
        INTERPRET,
        /** A read missed the TLB; may be resumed. */
        READ,
        /** A write missed the TLB; may be resumed. */
        WRITE
    }

    final Kind kind;

    /** Guest address to go on at: of the instruction, or of the branch's target. In user code, distance from its page. */
    final long guest;

    /** Instructions of the block before this place. */
    final int ordinal;

    /** Instructions of the block that have been counted but not run. */
    int uncounted;

    /** Position in the code memory: of the jump to link, or to resume at. */
    int host;

    /** {@link #number}: its code has been evicted. */
    static final int GONE = -1;

    /** Number in the {@link ExitTable}. */
    int number = GONE;

    /** The block that the jump leads to, when it is linked. */
    @Nullable
    NativeBlock target;

    /** The neighbours in the list of exits that are linked to the same block. */
    @Nullable
    Exit before;

    @Nullable
    Exit after;

    /** Where the jump leads when it is not linked, as a position in the code memory. */
    int stub;

    /** Of a direct branch: its target is behind its block's start in the same page, so it can't close a loop by itself. */
    boolean forward;

    /** Page of RAM that the block is in. */
    int page;

    /** {@link #release}: the branch's target needs no check. */
    static final int UNCHECKED = -1;

    /**
     * Of an indirect branch, what it has added to the stack pointer. When its target turns out not to be canonical, that is
     * taken back and the interpreter raises the exception at the branch.
     */
    int release = UNCHECKED;

    /** The target of the branch is {@link #guest}. */
    boolean constant;

    /** Bytes accessed. */
    final int size;

    /** Of a direct branch, and of a miss of a window: go on in code without windows. */
    boolean alone;

    /** Of a miss of a window: where that begins and ends, relative to the address accessed. */
    int low;

    int high;

    /** Of a miss of a window: whether it must be writable. */
    boolean writes;

    /** {@return whether the window of a miss would be hit now that the page accessed has been looked up} */
    boolean windowFits(long address, boolean writable) {
        int offset = (int) address & 0xFFF;
        return offset + low >= 0 && offset + high <= 0x1000 && (writable || !writes);
    }

    Exit(Kind kind, long guest, int ordinal, int size) {
        this.kind = kind;
        this.guest = guest;
        this.ordinal = ordinal;
        this.size = size;
    }
}
