package dev.kagami.agent;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Objects;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** A bounded buffer between who receives a command's output and who reads it. Its threads may be virtual. */
final class BytePipe {
    private static final int CAPACITY = 256 << 10;

    private final byte[] bytes = new byte[CAPACITY];
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private int start;
    private int count;
    private boolean ended;
    private boolean abandoned;
    private @Nullable IOException failure;

    InputStream input() {
        return new Input();
    }

    OutputStream output() {
        return new Output();
    }

    /** Says that no more will be written. */
    void end(@Nullable IOException why) {
        lock.lock();
        try {
            ended = true;
            failure = why;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private final class Output extends OutputStream {
        @Override
        public void write(int value) {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] source, int offset, int length) {
            int done = 0;
            lock.lock();
            try {
                while (done < length && !abandoned && !ended) {
                    if (count == CAPACITY) {
                        changed.awaitUninterruptibly();
                    } else {
                        int at = (start + count) % CAPACITY;
                        int piece = Math.min(Math.min(length - done, CAPACITY - count), CAPACITY - at);
                        System.arraycopy(source, offset + done, bytes, at, piece);
                        count += piece;
                        done += piece;
                        changed.signalAll();
                    }
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private final class Input extends InputStream {
        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            Objects.checkFromIndexSize(offset, length, target.length);
            if (length == 0) {
                return 0;
            }
            lock.lock();
            try {
                while (count == 0 && !ended && !abandoned) {
                    changed.awaitUninterruptibly();
                }
                if (count == 0 && failure != null) {
                    throw new IOException(failure.getMessage(), failure);
                }
                if (count == 0) {
                    return -1;
                }
                int piece = Math.min(Math.min(length, count), CAPACITY - start);
                System.arraycopy(bytes, start, target, offset, piece);
                start = (start + piece) % CAPACITY;
                count -= piece;
                changed.signalAll();
                return piece;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public int available() {
            lock.lock();
            try {
                return count;
            } finally {
                lock.unlock();
            }
        }

        /** What comes from now on is dropped. */
        @Override
        public void close() {
            lock.lock();
            try {
                abandoned = true;
                count = 0;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }
}
