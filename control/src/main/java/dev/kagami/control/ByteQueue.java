package dev.kagami.control;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Bytes on their way from some threads to another, so many at most. */
final class ByteQueue implements AutoCloseable {
    private final byte[] bytes;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private int start;
    private int length;
    private boolean closed;

    ByteQueue(int capacity) {
        bytes = new byte[capacity];
    }

    /** {@return whether all of them had room; if not, none was added} */
    boolean offer(byte[] source, int offset, int count) {
        lock.lock();
        try {
            if (closed || count > bytes.length - length) {
                return false;
            }
            add(source, offset, count);
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Adds bytes, waiting for room. */
    void put(byte[] source, int offset, int count) throws IOException {
        int done = 0;
        lock.lock();
        try {
            while (done < count) {
                while (!closed && length == bytes.length) {
                    await();
                }
                if (closed) {
                    throw new IOException("nobody reads any more");
                }
                int part = Math.min(count - done, bytes.length - length);
                add(source, offset + done, part);
                done += part;
            }
        } finally {
            lock.unlock();
        }
    }

    private void add(byte[] source, int offset, int count) {
        int end = (start + length) % bytes.length;
        int first = Math.min(count, bytes.length - end);
        System.arraycopy(source, offset, bytes, end, first);
        System.arraycopy(source, offset + first, bytes, 0, count - first);
        length += count;
        changed.signalAll();
    }

    /** {@return how many bytes were taken, at least one; -1 when there will be none any more} */
    int take(byte[] target) throws IOException {
        return take(target, 0, target.length);
    }

    private int take(byte[] target, int offset, int most) throws IOException {
        lock.lock();
        try {
            while (length == 0) {
                if (closed) {
                    return -1;
                }
                await();
            }
            int count = Math.min(most, length);
            int first = Math.min(count, bytes.length - start);
            System.arraycopy(bytes, start, target, offset, first);
            System.arraycopy(bytes, 0, target, offset + first, count - first);
            start = (start + count) % bytes.length;
            length -= count;
            changed.signalAll();
            return count;
        } finally {
            lock.unlock();
        }
    }

    private void await() throws InterruptedIOException {
        try {
            changed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }

    /** {@return what is taken, as a stream} */
    InputStream input() {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return take(one) < 0 ? -1 : one[0] & 0xFF;
            }

            @Override
            public int read(byte[] target, int offset, int count) throws IOException {
                return count == 0 ? 0 : take(target, offset, count);
            }

            @Override
            public int available() {
                lock.lock();
                try {
                    return length;
                } finally {
                    lock.unlock();
                }
            }
        };
    }

    /** Takes no more bytes; what is there can still be taken. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
