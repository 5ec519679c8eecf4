package dev.kagami.virtio.socket;

import java.nio.channels.ByteChannel;

/**
 * A connection to a program in the guest. Reading waits for at least one byte, writing for room. Thread-safe for one reader
 * and one writer; closing ends both.
 */
public interface GuestSocket extends ByteChannel {
    /** {@return the port on the guest's side} */
    int guestPort();

    /** {@return the port on the host's side} */
    int hostPort();

    /** Tells the guest that no more bytes will come. What was written still arrives; reading goes on. */
    void shutdownOutput();

    @Override
    void close();
}
