package dev.kagami.virtio.socket;

import dev.kagami.virtio.stream.ByteRing;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** One connection. The program's threads use the rings; the counters belong to the device's thread. */
final class Connection implements GuestSocket {
    /** Bytes that wait in one direction at most: the credit that a guest gets. */
    static final int BUFFER = 256 << 10;

    /** Where a connection is in its life. */
    enum Phase {
        /** The guest was asked. */
        CONNECTING,
        /** Both sides agree. */
        ESTABLISHED,
        /** The other side has refused or broken off, or both sides are done. */
        CLOSED
    }

    private final SocketHandler handler;
    private final int hostPort;
    private final int guestPort;
    final ByteRing toGuest = new ByteRing(BUFFER);
    final ByteRing fromGuest = new ByteRing(BUFFER);
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private Phase phase;
    private boolean wasEstablished;
    private volatile boolean closed;
    /** Whether the device's thread has been asked to look at the connection. */
    final AtomicBoolean dirty = new AtomicBoolean();

    /** Packets that are due; on the device's thread. */
    boolean requestDue;

    boolean responseDue;
    boolean creditDue;
    boolean creditAsked;
    /** What the guest has been told that this side won't do any more, as flags of SHUTDOWN. */
    int shutdownSent;

    int guestShutdown;
    /** Bytes received from and sent to the guest, modulo 2^32. */
    int received;

    int sent;
    int forwardedTold;
    int guestBuffer;
    int guestForwarded;
    /** Next in its bucket of the table. */
    @Nullable
    Connection next;

    Connection(SocketHandler handler, int hostPort, int guestPort, Phase phase) {
        this.handler = handler;
        this.hostPort = hostPort;
        this.guestPort = guestPort;
        this.phase = phase;
        toGuest.setDeviceWaiter(this::touch);
        fromGuest.setDeviceWaiter(this::touch);
    }

    /** Has the device's thread look at the connection soon. */
    void touch() {
        if (dirty.compareAndSet(false, true)) {
            handler.enqueue(this);
        }
    }

    @Override
    public int guestPort() {
        return guestPort;
    }

    @Override
    public int hostPort() {
        return hostPort;
    }

    /** {@return whether the program has closed its side} */
    boolean isClosedHere() {
        return closed;
    }

    Phase phase() {
        lock.lock();
        try {
            return phase;
        } finally {
            lock.unlock();
        }
    }

    void setPhase(Phase newPhase) {
        lock.lock();
        try {
            phase = newPhase;
            wasEstablished |= newPhase == Phase.ESTABLISHED;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until the guest has answered. */
    void awaitEstablished(long nanos) throws IOException {
        boolean interrupted = false;
        lock.lock();
        try {
            long rest = nanos;
            while (phase == Phase.CONNECTING) {
                if (rest <= 0) {
                    throw new ConnectException(
                            "the guest didn't answer on port " + Integer.toUnsignedString(guestPort));
                }
                try {
                    rest = changed.awaitNanos(rest);
                } catch (InterruptedException e) {
                    interrupted = true;
                    throw new ConnectException("interrupted");
                }
            }
            // A connection that was accepted and ended at once is one all the same.
            if (!wasEstablished) {
                throw new ConnectException(
                        "the guest refused a connection to port " + Integer.toUnsignedString(guestPort));
            }
        } finally {
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void check() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        check();
        return fromGuest.read(target);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        check();
        return toGuest.write(source);
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    @Override
    public void shutdownOutput() {
        toGuest.end();
    }

    @Override
    public void close() {
        closed = true;
        toGuest.end();
        fromGuest.abandon();
    }
}
