package dev.kagami.block;

/** Hears how far a long operation is. */
@FunctionalInterface
public interface Progress {
    /** Hears nothing. */
    Progress NONE = (done, total) -> {};

    /**
     * Called now and then, on the thread of the operation, and at the end with both the same.
     *
     * @param done bytes of the disk that are done
     * @param total bytes of the disk
     */
    void update(long done, long total);
}
