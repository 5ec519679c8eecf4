package dev.kagami.virtio.socket;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Takes connections from the guest on one port of the host. Thread-safe. */
public final class GuestSocketServer implements AutoCloseable {
    private static final int BACKLOG = 128;

    private final SocketDevice device;
    private final int port;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final ArrayDeque<GuestSocket> waiting = new ArrayDeque<>();
    private boolean closed;

    GuestSocketServer(SocketDevice device, int port) {
        this.device = device;
        this.port = port;
    }

    /** {@return the port} */
    public int port() {
        return port;
    }

    /** {@return whether a connection was taken; if not, the guest is refused} */
    boolean offer(GuestSocket socket) {
        lock.lock();
        try {
            if (closed || waiting.size() >= BACKLOG) {
                return false;
            }
            waiting.add(socket);
            changed.signal();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits for a connection.
     *
     * @return the connection
     * @throws IOException when the server is closed
     */
    public GuestSocket accept() throws IOException {
        lock.lock();
        try {
            while (true) {
                GuestSocket socket = waiting.pollFirst();
                if (socket != null) {
                    return socket;
                }
                if (closed) {
                    throw new ClosedChannelException();
                }
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Takes no more connections, and closes those that nobody has accepted. */
    @Override
    public void close() {
        device.forget(this);
        while (true) {
            @Nullable GuestSocket rest;
            lock.lock();
            try {
                closed = true;
                changed.signalAll();
                rest = waiting.pollFirst();
            } finally {
                lock.unlock();
            }
            if (rest == null) {
                return;
            }
            rest.close();
        }
    }
}
