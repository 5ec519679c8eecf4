package dev.kagami.net.tcp;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** What a connection needs from below. */
public interface TcpNetwork {
    /**
     * Begins a segment.
     *
     * @param length octets of TCP header, options and data
     * @return where to put it, from the buffer's position on; null if there is no room now: then
     *     {@link TcpConnection#output} is to be called again when there is
     */
    @Nullable
    ByteBuffer begin(TcpConnection connection, int length);

    /**
     * Sends the segment that was begun, with its checksum.
     *
     * @param size octets of data in each segment, if it has to be cut; 0 if not
     */
    void end(TcpConnection connection, int length, int size);

    /** {@return whether segments that were sent earlier wait for the other side to look at them: then it is slow, and nothing is lost} */
    boolean isWaiting();

    /** Asks for a call of {@link TcpConnection#output} soon, when what is at hand has been processed. */
    void schedule(TcpConnection connection);

    /** Asks for a call of {@link TcpConnection#expire} at {@link TcpConnection#deadline()}, which is now earlier than it was. */
    void arm(TcpConnection connection);

    /** Says that the connection can be forgotten. */
    void forget(TcpConnection connection);
}
