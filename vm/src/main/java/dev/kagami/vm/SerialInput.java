package dev.kagami.vm;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Carries what the user types to the guest's serial port, across resets of the machine. Its thread waits while the guest
 * doesn't keep up, and ends with the input.
 */
final class SerialInput implements AutoCloseable {
    private static final int CHUNK = 1024;

    private final InputStream input;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private @Nullable OutputStream port;
    private boolean closed;

    SerialInput(InputStream input) {
        this.input = input;
    }

    void start() {
        // A daemon: nobody can take back a read that blocks on a terminal.
        Thread.ofPlatform().daemon().name("kagami-serial-input").start(this::loop);
    }

    /**
     * Connects a port in place of the one before.
     *
     * @param newPort the port's receiver; null holds what is typed back until there is one
     */
    void connect(@Nullable OutputStream newPort) {
        lock.lock();
        try {
            port = newPort;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void loop() {
        byte[] chunk = new byte[CHUNK];
        try {
            int length = input.read(chunk);
            while (length >= 0 && deliver(chunk, length)) {
                length = input.read(chunk);
            }
        } catch (IOException | RuntimeException e) {
            // The end of the input, whatever the reason, is not the end of the machine.
            System.getLogger(SerialInput.class.getName())
                    .log(System.Logger.Level.DEBUG, "no more serial input from here on", e);
        }
    }

    /**
     * Types, between what comes from the stream; waits while the guest doesn't keep up.
     *
     * @param bytes what to type
     * @throws IllegalStateException when there is no guest any more
     */
    void type(byte[] bytes) {
        if (!deliver(bytes, bytes.length)) {
            throw new IllegalStateException("the machine has ended; nobody reads what is typed");
        }
    }

    /** Sends bytes to the port; false when there will never be one again. */
    private boolean deliver(byte[] bytes, int length) {
        @Nullable OutputStream refused = null;
        while (true) {
            OutputStream receiver;
            lock.lock();
            try {
                while ((port == null || port == refused) && !closed) {
                    changed.awaitUninterruptibly();
                }
                if (closed) {
                    return false;
                }
                receiver = port;
            } finally {
                lock.unlock();
            }
            try {
                receiver.write(bytes, 0, length);
                return true;
            } catch (IOException e) {
                // The machine was reset or switched off meanwhile; the next one, if any, gets the bytes.
                refused = receiver;
            }
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            port = null;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
