package dev.kagami.vm;

import dev.kagami.virtio.socket.GuestSocketServer;
import java.io.IOException;

/** Takes connections from the guest on one port of the host. Thread-safe. */
public final class VsockListener implements AutoCloseable {
    private final GuestSocketServer server;

    VsockListener(GuestSocketServer server) {
        this.server = server;
    }

    /** {@return the port} */
    public int port() {
        return server.port();
    }

    /**
     * Waits for a connection.
     *
     * @return the connection
     * @throws IOException when the listener is closed, by {@link #close} or because the machine has ended
     */
    public VsockChannel accept() throws IOException {
        return new VsockChannel(server.accept());
    }

    /** Takes no more connections, and closes those that nobody has accepted. */
    @Override
    public void close() {
        server.close();
    }
}
