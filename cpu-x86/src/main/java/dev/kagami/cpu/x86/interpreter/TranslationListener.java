package dev.kagami.cpu.x86.interpreter;

/** Told by a CPU what host code that runs in place of the interpreter must know. */
interface TranslationListener {
    /** An event is pending: translated code must be left soon. Called from any thread. */
    void eventPending();

    /**
     * All translations of linear addresses may have changed.
     *
     * @param keepGlobal whether those of global pages are still good
     */
    void translationsFlushed(boolean keepGlobal);

    /** Translations of pages that are not global may have changed in an address space, see {@link Mmu#addressSpace}. */
    void addressSpaceFlushed(int space);

    /** What supervisors can reach of pages that are not global, without users' rights, may have changed. */
    void supervisorFlushed();

    /** An address space is the current one from now on. */
    void addressSpaceSelected(int space);

    /**
     * The translation of one page may have changed.
     *
     * @param page linear address of the page
     * @param shift log2 of the size of the largest page that it may be part of, all of which may have changed
     */
    void translationFlushed(long page, int shift);

    /**
     * Writes to a page of RAM must be seen from now on, because code of it is being cached. Called on the CPU's thread, or on
     * another CPU's while this one is stopped outside of translated code.
     *
     * @param pageNumber number of the page
     * @param writers which tables may let it be written, see {@link Mmu#mayHaveWritable}
     * @param address where, as far as {@link Writers} tell, or {@link Writers#ANYBODY}
     */
    void writesTrapped(int pageNumber, int writers, long address);

    /**
     * {@return whether a page of RAM can still be written at an address, so that it will have to be looked for there}
     *
     * @param pageNumber number of the page
     * @param address where, as far as {@link Writers} tell
     */
    boolean mayWrite(int pageNumber, long address);

    /** {@return about how many bytes of memory translated code takes} Called from any thread. */
    long codeBytes();

    /** All translated code must be forgotten, and its memory given back to the host. Called outside of translated code. */
    void giveCodeBack();
}
