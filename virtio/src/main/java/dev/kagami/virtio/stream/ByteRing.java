package dev.kagami.virtio.stream;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A bounded buffer of bytes between two threads. One side is a device, which never blocks and is told when it can go on; the
 * other side is the host program, which blocks. Thread-safe.
 */
public final class ByteRing {
    private final byte[] bytes;
    private final MemorySegment segment;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private Runnable deviceWaiter = () -> {};
    private int start;
    private int count;
    /** No more bytes will be written. */
    private boolean ended;
    /** Nobody will read any more. */
    private boolean abandoned;

    private boolean broken;

    /**
     * Makes an empty ring.
     *
     * @param capacity bytes
     */
    public ByteRing(int capacity) {
        bytes = new byte[capacity];
        segment = MemorySegment.ofArray(bytes);
    }

    /**
     * Sets who is told when the program has written, read, or closed its side.
     *
     * @param waiter called on the program's threads, without locks of the ring; must only schedule work
     */
    public void setDeviceWaiter(Runnable waiter) {
        lock.lock();
        try {
            deviceWaiter = waiter;
        } finally {
            lock.unlock();
        }
    }

    private void tellDevice() {
        Runnable waiter;
        lock.lock();
        try {
            waiter = deviceWaiter;
        } finally {
            lock.unlock();
        }
        waiter.run();
    }

    /** {@return how many bytes can be read now} */
    public int available() {
        lock.lock();
        try {
            return count;
        } finally {
            lock.unlock();
        }
    }

    /** {@return how many bytes can be written now} */
    public int space() {
        lock.lock();
        try {
            return bytes.length - count;
        } finally {
            lock.unlock();
        }
    }

    /** {@return whether everything was read and no more will come} */
    public boolean isAtEnd() {
        lock.lock();
        try {
            return ended && count == 0;
        } finally {
            lock.unlock();
        }
    }

    /** {@return whether nobody will read any more} */
    public boolean isAbandoned() {
        lock.lock();
        try {
            return abandoned;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Writes what fits, as the device.
     *
     * @param source the bytes
     * @param offset first byte in the source
     * @param length how many there are
     * @return how many were written; all of them when nobody will read
     */
    public int write(MemorySegment source, long offset, int length) {
        lock.lock();
        try {
            if (abandoned) {
                return length;
            }
            int written = Math.min(length, bytes.length - count);
            int at = (start + count) % bytes.length;
            int first = Math.min(written, bytes.length - at);
            MemorySegment.copy(source, offset, segment, at, first);
            MemorySegment.copy(source, offset + first, segment, 0, written - first);
            count += written;
            changed.signalAll();
            return written;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes bytes out, as the device.
     *
     * @param target where they go
     * @param offset first byte in the target
     * @param length how many at most
     * @return how many there were
     */
    public int read(MemorySegment target, long offset, int length) {
        lock.lock();
        try {
            int read = Math.min(length, count);
            int first = Math.min(read, bytes.length - start);
            MemorySegment.copy(segment, start, target, offset, first);
            MemorySegment.copy(segment, 0, target, offset + first, read - first);
            consume(read);
            return read;
        } finally {
            lock.unlock();
        }
    }

    private void consume(int read) {
        start = (start + read) % bytes.length;
        count -= read;
        changed.signalAll();
    }

    /**
     * Reads as the program, waiting for at least one byte.
     *
     * @param target takes as many bytes as there are and fit
     * @return how many; -1 at the end
     * @throws IOException when the connection was broken off
     */
    public int read(ByteBuffer target) throws IOException {
        int read;
        lock.lock();
        try {
            while (count == 0 && !ended && !abandoned && target.hasRemaining()) {
                changed.awaitUninterruptibly();
            }
            if (broken) {
                throw new IOException("the connection was reset");
            }
            if (count == 0 || !target.hasRemaining()) {
                return target.hasRemaining() ? -1 : 0;
            }
            read = Math.min(target.remaining(), count);
            int first = Math.min(read, bytes.length - start);
            target.put(bytes, start, first);
            target.put(bytes, 0, read - first);
            consume(read);
        } finally {
            lock.unlock();
        }
        tellDevice();
        return read;
    }

    /**
     * Writes as the program, waiting for room until all is written.
     *
     * @param source the bytes
     * @return how many there were
     * @throws IOException when nobody will read
     */
    public int write(ByteBuffer source) throws IOException {
        int total = source.remaining();
        while (source.hasRemaining()) {
            lock.lock();
            try {
                while (count == bytes.length && !abandoned && !ended) {
                    changed.awaitUninterruptibly();
                }
                if (abandoned || ended) {
                    throw new IOException("the other side doesn't read any more");
                }
                int written = Math.min(source.remaining(), bytes.length - count);
                int at = (start + count) % bytes.length;
                int first = Math.min(written, bytes.length - at);
                source.get(bytes, at, first);
                source.get(bytes, 0, written - first);
                count += written;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            tellDevice();
        }
        return total;
    }

    /** Says that no more bytes will be written. What is there can still be read. */
    public void end() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tellDevice();
    }

    /** Says that nobody will read any more, and drops what is there. */
    public void abandon() {
        lock.lock();
        try {
            abandoned = true;
            start = 0;
            count = 0;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tellDevice();
    }

    /** Ends both sides at once; readers and writers get an exception. */
    public void breakOff() {
        lock.lock();
        try {
            broken = true;
            ended = true;
            abandoned = true;
            start = 0;
            count = 0;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tellDevice();
    }

    /** Makes the ring as good as new. */
    public void reopen() {
        lock.lock();
        try {
            broken = false;
            ended = false;
            abandoned = false;
            start = 0;
            count = 0;
        } finally {
            lock.unlock();
        }
    }
}
