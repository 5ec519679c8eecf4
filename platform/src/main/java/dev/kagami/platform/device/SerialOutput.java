package dev.kagami.platform.device;

import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The far end of a serial line's transmitter: a bounded buffer and a thread that writes it to a stream, so that a slow
 * terminal slows the guest's driver (by way of {@link #hasRoom}) and never the virtual CPU. Thread-safe.
 */
final class SerialOutput implements AutoCloseable {
    private static final int CAPACITY = 64 << 10;
    /** Room for what a driver writes at one go without looking again. */
    private static final int ROOM = 16;
    /** Bytes are gathered for this long, so that a guest that writes byte by byte doesn't wake the thread each time. */
    private static final long GATHER_MILLIS = 1;
    /** How long {@link #close} waits for a stream that takes nothing. */
    private static final long CLOSE_MILLIS = 1000;

    private final OutputStream stream;
    private final Runnable roomAgain;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private byte[] ring = {};
    private int head;
    private int count;
    private boolean waitedFor;
    private boolean writerSleeps;
    private boolean writing;
    private boolean closed;
    private @Nullable Thread writer;

    /**
     * Makes an output; the thread starts with the first byte.
     *
     * @param stream where bytes go; closed by nobody here
     * @param roomAgain called by the thread when there is room after {@link #hasRoom} had said no
     */
    SerialOutput(OutputStream stream, Runnable roomAgain) {
        this.stream = stream;
        this.roomAgain = roomAgain;
    }

    /** {@return whether at least 16 bytes would be taken} */
    boolean hasRoom() {
        lock.lock();
        try {
            boolean room = count <= CAPACITY - ROOM;
            waitedFor |= !room;
            return room;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a byte; drops it when there is no room at all, as an overrun transmitter would.
     *
     * @param value the byte, in the low 8 bits
     */
    void write(int value) {
        lock.lock();
        try {
            if (count == CAPACITY || closed) {
                return;
            }
            if (ring.length == 0) {
                ring = new byte[CAPACITY];
            }
            ring[(head + count) % CAPACITY] = (byte) value;
            count++;
            if (writer == null) {
                writer = Thread.ofPlatform().daemon().name("kagami-serial").start(this::loop);
            } else if (writerSleeps) {
                writerSleeps = false;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    private void loop() {
        byte[] chunk = new byte[8192];
        boolean broken = false;
        while (true) {
            int length = take(chunk);
            if (length < 0) {
                return;
            }
            if (!broken) {
                try {
                    stream.write(chunk, 0, length);
                    stream.flush();
                } catch (IOException e) {
                    // The terminal is gone; the guest's output has nowhere to go, but the guest goes on.
                    broken = true;
                }
            }
            boolean wake;
            lock.lock();
            try {
                writing = false;
                wake = waitedFor && count <= CAPACITY - ROOM;
                waitedFor &= !wake;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            if (wake) {
                roomAgain.run();
            }
        }
    }

    /** {@return how many bytes were put into the chunk, or -1 at the end} */
    private int take(byte[] chunk) {
        lock.lock();
        try {
            boolean slept = false;
            while (count == 0) {
                if (closed) {
                    return -1;
                }
                writerSleeps = true;
                changed.awaitUninterruptibly();
                slept = true;
            }
            writerSleeps = false;
            if (slept && !closed) {
                // Nobody signals before it is over: writerSleeps is false.
                changed.await(GATHER_MILLIS, TimeUnit.MILLISECONDS);
            }
            int length = Math.min(count, chunk.length);
            for (int i = 0; i < length; i++) {
                chunk[i] = ring[(head + i) % CAPACITY];
            }
            head = (head + length) % CAPACITY;
            count -= length;
            writing = true;
            return length;
        } catch (InterruptedException e) {
            // Only close() interrupts.
            return -1;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until everything written before has reached the stream, but not for longer than a second without progress. */
    void drain() {
        lock.lock();
        try {
            while (count > 0 || writing) {
                int before = count;
                if (!changed.await(CLOSE_MILLIS, TimeUnit.MILLISECONDS) && count == before) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }

    /** Drains and ends the thread. A thread that is stuck in a write to the stream ends as soon as that returns. */
    @Override
    public void close() {
        drain();
        Thread thread;
        lock.lock();
        try {
            closed = true;
            count = 0;
            changed.signalAll();
            thread = writer;
        } finally {
            lock.unlock();
        }
        if (thread == null || thread == Thread.currentThread()) {
            return;
        }
        try {
            thread.join(CLOSE_MILLIS);
            if (thread.isAlive()) {
                thread.interrupt();
            }
        } catch (InterruptedException e) {
            thread.interrupt();
            Thread.currentThread().interrupt();
        }
    }
}
