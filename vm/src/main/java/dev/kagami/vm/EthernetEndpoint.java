package dev.kagami.vm;

import java.nio.ByteBuffer;

/**
 * A program's end of a network card's cable. Frames are whole, as on the wire but without preamble and check sequence, 14 to
 * 1514 bytes (more only if the guest uses a larger MTU); checksums are complete. Calls come one after the other on a thread of
 * the card, while the machine runs.
 */
@FunctionalInterface
public interface EthernetEndpoint {
    /** Sends frames to the guest. Thread-safe. */
    @FunctionalInterface
    interface Sender {
        /**
         * Sends a frame.
         *
         * @param frame from position to limit, 14 to 65553 bytes; copied, and its position is left as it is
         * @return whether there was room; if not, the frame is lost, as on a wire
         * @throws IllegalArgumentException when it is shorter or longer
         */
        boolean send(ByteBuffer frame);
    }

    /**
     * Says that the machine has started.
     *
     * @param guest sends frames to it, until {@link #disconnected}
     */
    default void connected(Sender guest) {}

    /**
     * Takes a frame of the guest.
     *
     * @param frame the frame, from position to limit; valid during the call
     */
    void received(ByteBuffer frame);

    /** Says that the machine has ended. */
    default void disconnected() {}
}
