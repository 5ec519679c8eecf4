package dev.kagami.control;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A serial console for several at a time: each sees what the guest prints, and what it has printed before; all type to it.
 *
 * <p>Thread-safe. Give {@link #input} and {@link #output} to a machine's serial port.
 */
public final class SharedConsole implements AutoCloseable {
    /** How much of what the guest has printed is remembered, in bytes. */
    static final int SCROLLBACK = 256 << 10;

    /** How far a viewer may lag behind before he is left behind, in bytes. */
    private static final int MAX_BACKLOG = 1 << 20;

    private static final int POLL_MILLISECONDS = 10;

    private final ByteQueue typed = new ByteQueue(16 << 10);
    private final List<OutputStream> sinks = new CopyOnWriteArrayList<>();
    private final Object lock = new Object();
    private final byte[] remembered = new byte[SCROLLBACK];
    private long printed;
    private final List<ByteQueue> viewers = new CopyOnWriteArrayList<>();
    private boolean closed;

    /** Makes a console that nobody views yet. */
    public SharedConsole() {
        // Explicit, to be documented.
    }

    /**
     * Adds a stream that gets all that is printed from now on, and keeps the guest waiting while it takes its time.
     *
     * @param sink the stream; when it fails it gets nothing more
     */
    public void addSink(OutputStream sink) {
        sinks.add(sink);
    }

    /** {@return what is typed to the guest; ends when the console is closed} */
    public InputStream input() {
        return typed.input();
    }

    /** {@return where the guest prints} */
    public OutputStream output() {
        return new OutputStream() {
            @Override
            public void write(int value) {
                print(new byte[] {(byte) value}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                print(bytes, offset, length);
            }
        };
    }

    private void print(byte[] bytes, int offset, int length) {
        synchronized (lock) {
            for (int i = Math.max(0, length - SCROLLBACK); i < length; i++) {
                remembered[(int) ((printed + i) % SCROLLBACK)] = bytes[offset + i];
            }
            printed += length;
            for (ByteQueue viewer : viewers) {
                if (!viewer.offer(bytes, offset, length)) {
                    viewer.close();
                }
            }
        }
        for (OutputStream sink : sinks) {
            try {
                sink.write(bytes, offset, length);
                sink.flush();
            } catch (IOException e) {
                sinks.remove(sink);
            }
        }
    }

    /**
     * Types to the guest; waits while it has too much unread.
     *
     * @param bytes what is typed
     * @param offset where it begins
     * @param length how much it is
     * @throws IOException when the console was closed
     */
    public void type(byte[] bytes, int offset, int length) throws IOException {
        typed.put(bytes, offset, length);
    }

    /** {@return the last of what the guest has printed, up to 256 KiB} */
    public byte[] scrollback() {
        synchronized (lock) {
            int length = (int) Math.min(printed, SCROLLBACK);
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++) {
                bytes[i] = remembered[(int) ((printed - length + i) % SCROLLBACK)];
            }
            return bytes;
        }
    }

    /**
     * Lets somebody view and type, until he leaves, lags too far behind, or the console is closed.
     *
     * @param in what he types
     * @param out what he sees; begins with what was printed before
     * @throws IOException if the streams fail
     */
    public void attach(InputStream in, OutputStream out) throws IOException {
        ByteQueue viewer = new ByteQueue(MAX_BACKLOG);
        byte[] before;
        synchronized (lock) {
            before = scrollback();
            if (closed) {
                viewer.close();
            }
            viewers.add(viewer);
        }
        Thread typing = Thread.ofVirtual().name("kagami-console-input").start(() -> {
            byte[] chunk = new byte[1024];
            try {
                for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                    type(chunk, 0, count);
                }
            } catch (IOException e) {
                // He has left, or the machine has.
            } finally {
                viewer.close();
            }
        });
        try {
            out.write(before);
            out.flush();
            byte[] chunk = new byte[16 << 10];
            for (int count = viewer.take(chunk); count >= 0; count = viewer.take(chunk)) {
                out.write(chunk, 0, count);
                out.flush();
            }
        } finally {
            viewers.remove(viewer);
            viewer.close();
            typing.interrupt();
        }
    }

    /** {@return how many view it} */
    public int viewers() {
        return viewers.size();
    }

    /**
     * Waits until those who view a closed console have seen everything and are gone.
     *
     * @param patience how long at most
     * @throws InterruptedException if the thread is interrupted
     */
    public void awaitViewers(Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        while (viewers() > 0 && System.nanoTime() - end < 0) {
            Thread.sleep(POLL_MILLISECONDS);
        }
    }

    /** Ends the guest's input, and sends the viewers away once they have seen everything. */
    @Override
    public void close() {
        typed.close();
        synchronized (lock) {
            closed = true;
            viewers.forEach(ByteQueue::close);
        }
    }
}
