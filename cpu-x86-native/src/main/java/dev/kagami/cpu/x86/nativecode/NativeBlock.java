package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.interpreter.CodeDependent;

/** What is known of the code at one guest address. There are hundreds of thousands: they must be small. */
final class NativeBlock implements CodeDependent {
    /** Part of the mode of user code. */
    static final int USER_MODE = 0x400;

    /** Added to the mode of blocks without windows, see {@link BlockPlan}. */
    static final int ALONE_MODE = 0x800;

    /** {@link #secondPage}: there is none. */
    static final int NO_PAGE = -1;

    /** {@link #entry}: not translated. */
    static final int COLD = -1;

    /** {@link #entry}: the first instruction is one for the interpreter, so there is no host code. */
    static final int REFUSED = -2;

    /** {@link #entry}: the first instruction needs the guest's vector registers in the host's; no host code in this mode. */
    static final int NEEDS_VECTORS = -3;

    private final NativeVcpu owner;

    /** Linear address of the guest code; only its offset in the page for user code, which runs wherever it is mapped. */
    final long linear;

    /** Page of RAM that holds it. */
    final int page;

    /** Position of the host code in the code memory, or why there is none: a negative number. */
    int entry = COLD;

    /**
     * Page of RAM that holds the rest of the only instruction, when that crosses a page. Such a block of the kernel is found
     * by the jump cache only, whose entry for it goes with the translation of either page; one of user code looks itself
     * whether that page is mapped behind its own.
     */
    int secondPage = NO_PAGE;

    private final short mode;

    /** Times that the interpreter ran it. */
    byte heat;

    /** It is in the {@link BlockTable}. */
    boolean known;

    NativeBlock(NativeVcpu owner, long linear, int page, int mode) {
        this.owner = owner;
        this.linear = linear;
        this.page = page;
        this.mode = (short) mode;
    }

    /** {@return the mode that it is decoded for} */
    int mode() {
        return mode;
    }

    /** {@return whether there is host code} */
    boolean translated() {
        return entry >= 0;
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
        heat = 0;
    }

    @Override
    public void codeChanged() {
        owner.drop(this);
    }

    @Override
    public boolean lives() {
        return known;
    }
}
