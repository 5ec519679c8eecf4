package dev.kagami.virtio;

/** Thrown when a driver has put something into a queue that makes no sense. Ends at the device's thread. */
public final class BrokenQueueException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception. It has no stack trace: a guest can cause it as often as it likes.
     *
     * @param message what makes no sense, for a person
     */
    public BrokenQueueException(String message) {
        super(message, null, false, false);
    }
}
