package dev.kagami.vm;

/** What happens when the guest resets its machine. */
public enum ResetPolicy {
    /** The machine starts over from the boot loader, as hardware does. */
    RESTART,
    /** The machine ends with {@link Outcome.Reset}. */
    STOP
}
