package dev.kagami.cpu;

/** Whether an {@link Engine} can run on this host. */
public sealed interface Availability {
    /** The engine can run. */
    record Available() implements Availability {}

    /**
     * The engine can't run here.
     *
     * @param reason why not, and what to do about it, for a person to read
     */
    record Unavailable(String reason) implements Availability {}
}
