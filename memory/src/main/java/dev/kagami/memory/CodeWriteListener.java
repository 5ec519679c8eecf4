package dev.kagami.memory;

/** Told when somebody other than the engine itself writes to a page from which an engine has cached code. */
@FunctionalInterface
public interface CodeWriteListener {
    /**
     * Called after bytes of a watched page were written; may be called from any thread.
     *
     * @param pageNumber number of the page in the RAM mapping (offset divided by {@link GuestMemory#PAGE_SIZE})
     */
    void codeWritten(int pageNumber);
}
