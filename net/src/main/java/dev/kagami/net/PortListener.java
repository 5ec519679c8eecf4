package dev.kagami.net;

/**
 * What the holder of a port is told. Calls come from the thread that caused them, possibly several at once: they must only schedule work.
 */
public interface PortListener {
    /** Says that {@link EthernetPort#receive()}, which had returned null, has a frame. */
    void readable();

    /** Says that {@link EthernetPort#send}, which had returned false, would take a frame. */
    default void writable() {}

    /** Says that the link went up or down. */
    default void linkChanged(boolean up) {}
}
