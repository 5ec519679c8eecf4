package dev.kagami.platform.bus;

/**
 * One source's end of an interrupt line. Thread-safe. "Asserted" is the logical state; which voltage that would be is
 * nobody's business here.
 */
@FunctionalInterface
public interface InterruptLine {
    /** A line that leads nowhere. */
    InterruptLine UNCONNECTED = asserted -> {};

    /**
     * Sets the line. Setting the state it is in has no effect.
     *
     * @param asserted true while the device wants an interrupt
     */
    void set(boolean asserted);
}
