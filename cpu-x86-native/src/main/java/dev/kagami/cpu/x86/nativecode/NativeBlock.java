package dev.kagami.cpu.x86.nativecode;

import org.jspecify.annotations.Nullable;

/** What is known of the code at one guest address. */
final class NativeBlock {
    /** Part of the mode of user code. */
    static final int USER_MODE = 0x400;

    /** Added to the mode of blocks without windows, see {@link BlockPlan}. */
    static final int ALONE_MODE = 0x800;

    /** {@link #secondPage}: there is none. */
    static final int NO_PAGE = -1;

    /** {@link #entry}: not translated. */
    static final int COLD = -1;

    /** Linear address of the guest code; only its offset in the page for user code, which runs wherever it is mapped. */
    final long linear;

    /** Page of RAM that holds it. */
    final int page;

    /** Mode that it is decoded for. */
    final int mode;

    /** Times that the interpreter ran it. */
    int heat;

    /** Position of the host code in the code memory, or {@link #COLD}. */
    int entry = COLD;

    /** The first instruction needs the guest's vector registers in the host's, so there is no host code in this mode. */
    boolean needsVectors;

    /** The first instruction is one for the interpreter, so there is no host code. */
    boolean refused;

    /**
     * Page of RAM that holds the rest of the only instruction, when that crosses a page. Such a block of the kernel is found
     * by the jump cache only, whose entry for it goes with the translation of either page; one of user code looks itself
     * whether that page is mapped behind its own.
     */
    int secondPage = NO_PAGE;

    /** It is in the {@link BlockTable}. */
    boolean known;

    /** First of the exits whose jumps lead here; see {@link Exit#after}. */
    @Nullable
    Exit links;

    NativeBlock(long linear, int page, int mode) {
        this.linear = linear;
        this.page = page;
        this.mode = mode;
    }

    /** {@return whether it has no windows, so that it is only gone to where one has failed} */
    boolean alone() {
        return (mode & ALONE_MODE) != 0;
    }

    /** {@return whether it is user code} */
    boolean user() {
        return (mode & USER_MODE) != 0;
    }

    /** Forgets all that was found out about the code. */
    void reset() {
        entry = COLD;
        secondPage = NO_PAGE;
        refused = false;
        needsVectors = false;
        heat = 0;
    }
}
