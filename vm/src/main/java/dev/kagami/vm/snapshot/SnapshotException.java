package dev.kagami.vm.snapshot;

/** A file that is no usable snapshot. The message says why, without the file's name. */
public final class SnapshotException extends Exception {
    private static final long serialVersionUID = 1L;

    /** What is the matter with the file. */
    public enum Kind {
        /** It is something else. */
        NOT_A_SNAPSHOT,
        /** It was written by another version. */
        OTHER_VERSION,
        /** It is damaged. */
        DAMAGED
    }

    private final Kind kind;

    /**
     * Makes an exception.
     *
     * @param kind what is the matter
     * @param message the same, for a person
     */
    public SnapshotException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    /** {@return what is the matter} */
    public Kind kind() {
        return kind;
    }

    static SnapshotException damaged(String message) {
        return new SnapshotException(Kind.DAMAGED, message);
    }
}
