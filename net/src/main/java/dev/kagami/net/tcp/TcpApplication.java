package dev.kagami.net.tcp;

import java.nio.ByteBuffer;

/** What a connection's data come from and go to. Called on the network's thread, out of calls to the connection. */
public interface TcpApplication {
    /** Why a connection ended. */
    enum End {
        /** Both sides have finished, and what was sent was acknowledged. */
        FINISHED,
        /** The other side has reset the connection, or refused it. */
        RESET,
        /** The other side hasn't answered. */
        TIMED_OUT
    }

    /** Says that the other side has agreed to the connection. */
    void established();

    /**
     * Offers data, in order.
     *
     * @param data buffers, of which what is taken is taken by advancing their positions, in order
     * @param count how many of them there are
     * @return how many octets were taken; when fewer than offered, the rest comes after {@link TcpConnection#deliver()}
     */
    long receive(ByteBuffer[] data, int count);

    /** Says that no more data will come. */
    void peerFinished();

    /** Says that there is room to send, after there was too little. */
    void writable();

    /** Says that the connection has ended; no call comes after this one. It doesn't come after {@link TcpConnection#abort()}. */
    void ended(End end);
}
