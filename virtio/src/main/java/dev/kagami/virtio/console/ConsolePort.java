package dev.kagami.virtio.console;

import dev.kagami.virtio.stream.ByteRing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;

/** The host's side of a port. One program at a time has it open. Thread-safe. */
final class ConsolePort {
    private static final int CAPACITY = 64 << 10;

    private final ByteRing toGuest = new ByteRing(CAPACITY);
    private final ByteRing fromGuest = new ByteRing(CAPACITY);
    private Runnable openListener = () -> {};
    private boolean endsWithGuest;
    private boolean open;

    ConsolePort() {
        fromGuest.abandon();
    }

    ByteRing toGuest() {
        return toGuest;
    }

    ByteRing fromGuest() {
        return fromGuest;
    }

    synchronized boolean isOpen() {
        return open;
    }

    /** Sets who hears that the port was opened or closed on the host's side. */
    synchronized void setOpenListener(Runnable listener) {
        openListener = listener;
    }

    /** Says that the guest's program has closed the port; what it wrote before is in the ring. */
    void guestClosed() {
        boolean end;
        synchronized (this) {
            end = endsWithGuest;
        }
        if (end) {
            fromGuest.end();
        }
    }

    ByteChannel open(boolean untilGuestCloses) {
        Runnable listener;
        synchronized (this) {
            if (open) {
                throw new IllegalStateException("the port is open already");
            }
            open = true;
            endsWithGuest = untilGuestCloses;
            toGuest.reopen();
            fromGuest.reopen();
            listener = openListener;
        }
        listener.run();
        return new Channel();
    }

    private void close() {
        Runnable listener;
        synchronized (this) {
            if (!open) {
                return;
            }
            open = false;
            endsWithGuest = false;
            listener = openListener;
        }
        // What was written still goes to the guest.
        toGuest.end();
        fromGuest.abandon();
        listener.run();
    }

    private final class Channel implements ByteChannel {
        private volatile boolean closed;

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
        public void close() {
            if (!closed) {
                closed = true;
                ConsolePort.this.close();
            }
        }
    }
}
