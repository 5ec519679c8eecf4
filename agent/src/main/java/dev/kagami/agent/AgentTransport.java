package dev.kagami.agent;

import java.io.IOException;
import java.nio.channels.ByteChannel;
import java.time.Duration;

/** Makes connections to a guest's agent. */
@FunctionalInterface
public interface AgentTransport {
    /** The agent's vsock port. */
    int PORT = Protocol.PORT;

    /**
     * Makes one.
     *
     * @param patience how long it may take
     * @return the connection; closing it ends reads and writes of other threads
     * @throws IOException when the agent isn't there, yet
     * @throws AgentException when it never will be
     */
    ByteChannel connect(Duration patience) throws IOException, AgentException;
}
