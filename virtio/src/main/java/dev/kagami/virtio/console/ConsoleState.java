package dev.kagami.virtio.console;

import java.util.List;

/**
 * State of an active {@link ConsoleDevice}.
 *
 * @param ports what the driver has said about each port
 * @param messages messages that wait for the driver
 */
public record ConsoleState(List<Port> ports, List<Message> messages) {
    /** Copies the lists. */
    public ConsoleState {
        ports = List.copyOf(ports);
        messages = List.copyOf(messages);
    }

    /**
     * State of a port.
     *
     * @param ready the driver has taken it
     * @param guestOpen a program of the guest has it open
     * @param unfinished a request is only partly written to the host; it is taken anew
     * @param written how many of its bytes are
     */
    public record Port(boolean ready, boolean guestOpen, boolean unfinished, long written) {}

    /**
     * A message to the driver.
     *
     * @param bytes as it will be sent
     */
    public record Message(byte[] bytes) {}
}
