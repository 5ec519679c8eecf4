package dev.kagami.virtio.socket;

import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import java.io.IOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Sockets between host and guest (virtio 1.2, 5.10). Thread-safe. */
public final class SocketDevice implements VirtioDevice {
    /** The host's address. */
    public static final long HOST_CID = 2;

    private static final int QUEUE_SIZE = 256;
    private static final int EVENT_QUEUE_SIZE = 16;
    private static final int CONFIG_SIZE = 8;

    /** Decides about connections from the guest to ports on which nobody listens. */
    @FunctionalInterface
    interface Fallback {
        /** {@return whether the connection is wanted; must not block} */
        boolean accept(GuestSocket socket);
    }

    private final SocketConfig config;
    private final DeviceConfig space = new DeviceConfig(CONFIG_SIZE);
    private final Map<Integer, GuestSocketServer> servers = new ConcurrentHashMap<>();
    private volatile @Nullable SocketHandler handler;
    private volatile @Nullable Fallback fallback;

    /**
     * Makes the device, with nobody listening.
     *
     * @param config what it is made of
     */
    public SocketDevice(SocketConfig config) {
        this.config = config;
        space.set(0, CONFIG_SIZE, config.guestCid());
    }

    /**
     * Connects to a port of the guest.
     *
     * @param port the port, an unsigned number of 32 bits
     * @param patience how long to wait for the guest's answer
     * @return the connection
     * @throws IOException when the guest refuses or doesn't answer, or its driver isn't running
     */
    public GuestSocket connect(int port, Duration patience) throws IOException {
        SocketHandler active = handler;
        if (active == null) {
            throw new ConnectException("the guest's vsock driver isn't running");
        }
        return active.connect(port, patience);
    }

    /**
     * Listens on a port of the host for connections from the guest.
     *
     * @param port the port, an unsigned number of 32 bits
     * @return who takes them
     * @throws IllegalStateException when somebody listens there already
     */
    public GuestSocketServer listen(int port) {
        GuestSocketServer server = new GuestSocketServer(this, port);
        if (servers.putIfAbsent(port, server) != null) {
            throw new IllegalStateException("somebody listens on port " + Integer.toUnsignedString(port));
        }
        return server;
    }

    /** Closes every listener. */
    public void close() {
        List.copyOf(servers.values()).forEach(GuestSocketServer::close);
    }

    void forget(GuestSocketServer server) {
        servers.remove(server.port(), server);
    }

    void setFallback(@Nullable Fallback newFallback) {
        fallback = newFallback;
    }

    SocketConfig settings() {
        return config;
    }

    /** {@return whether somebody wants a connection from the guest} */
    boolean offer(GuestSocket socket) {
        GuestSocketServer server = servers.get(socket.hostPort());
        if (server != null) {
            return server.offer(socket);
        }
        Fallback other = fallback;
        return other != null && other.accept(socket);
    }

    @Override
    public DeviceType type() {
        return DeviceType.SOCKET;
    }

    @Override
    public String name() {
        return "vsock";
    }

    @Override
    public long features() {
        return 0;
    }

    @Override
    public int[] queueSizes() {
        return new int[] {QUEUE_SIZE, QUEUE_SIZE, EVENT_QUEUE_SIZE};
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public QueueHandler activate(DeviceContext context) {
        SocketHandler active = new SocketHandler(this, context);
        handler = active;
        return new QueueHandler() {
            @Override
            public void serve(int queue) {
                active.serve(queue);
            }

            @Override
            public void setState(Record state) {
                active.transportReset();
            }

            @Override
            public void close() {
                handler = null;
                active.close();
            }
        };
    }
}
