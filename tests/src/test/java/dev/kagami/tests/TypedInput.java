package dev.kagami.tests;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Queue;

/** An input stream of what {@link #type} is given; its end comes with {@link #close}. */
final class TypedInput extends InputStream {
    private final Queue<Byte> bytes = new ArrayDeque<>();
    private boolean closed;

    synchronized void type(String text) {
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            bytes.add(b);
        }
        notifyAll();
    }

    @Override
    public synchronized int read() {
        boolean interrupted = false;
        while (bytes.isEmpty() && !closed) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
                closed = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        Byte next = bytes.poll();
        return next == null ? -1 : next & 0xFF;
    }

    @Override
    public synchronized int read(byte[] target, int offset, int length) {
        int first = read();
        if (first < 0) {
            return -1;
        }
        target[offset] = (byte) first;
        int count = 1;
        while (count < length && !bytes.isEmpty()) {
            target[offset + count] = bytes.remove();
            count++;
        }
        return count;
    }

    @Override
    public synchronized void close() {
        closed = true;
        notifyAll();
    }
}
