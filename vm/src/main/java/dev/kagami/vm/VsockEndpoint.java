package dev.kagami.vm;

import dev.kagami.virtio.socket.SocketDevice;
import java.io.IOException;
import java.time.Duration;

/**
 * The host's end of a machine's vsock device. Listeners outlive a reset of the machine, connections don't. Thread-safe.
 */
public final class VsockEndpoint {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final SocketDevice device;

    VsockEndpoint(SocketDevice device) {
        this.device = device;
    }

    /**
     * Connects to a port of the guest, waiting ten seconds at most.
     *
     * @param port the port, an unsigned number of 32 bits
     * @return the connection
     * @throws IOException when nobody listens there, the guest doesn't answer, or its driver isn't running (yet)
     */
    public VsockChannel connect(int port) throws IOException {
        return connect(port, PATIENCE);
    }

    /**
     * Connects to a port of the guest.
     *
     * @param port the port, an unsigned number of 32 bits
     * @param timeout how long to wait for the guest's answer
     * @return the connection
     * @throws IOException when nobody listens there, the guest doesn't answer, or its driver isn't running (yet)
     */
    public VsockChannel connect(int port, Duration timeout) throws IOException {
        return new VsockChannel(device.connect(port, timeout));
    }

    /**
     * Takes connections from the guest on a port of the host. May be called before the machine is started.
     *
     * @param port the port, an unsigned number of 32 bits
     * @return who takes them
     * @throws IllegalStateException when somebody listens there already
     */
    public VsockListener listen(int port) {
        return new VsockListener(device.listen(port));
    }
}
