package dev.kagami.net.nat;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.PortListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The thread of a NAT: waits for frames, sockets, times and tasks, and hands each to its handler. */
final class NatLoop implements PortListener {
    /** What is attached to a key. */
    interface Handler {
        /** Does what the channel is ready for. */
        void ready(SelectionKey key);

        /** Ends what the channel is for, after a failure nobody expected. */
        void fail();
    }

    /** So many frames are taken before what they caused is sent: their acknowledgments become one. */
    private static final int FRAMES_AT_ONCE = 64;

    private static final long LONGEST_SLEEP = 60_000_000_000L;
    private static final long CLOSE_MILLIS = 10_000;

    private static final System.Logger LOG = System.getLogger(NatLoop.class.getName());

    private final EthernetPort port;
    private final Selector selector;
    private final Timers timers = new Timers();
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final ArrayDeque<Runnable> waitingForRoom = new ArrayDeque<>();
    private final Consumer<SelectionKey> dispatch = this::dispatch;
    private final Thread thread;

    private volatile boolean asleep;
    private volatile boolean closed;
    private volatile boolean room;
    private volatile boolean linkChanged;
    private volatile long failures;

    private Consumer<Frame> frames = Frame::release;
    private Runnable flush = () -> {};
    private Consumer<Boolean> link = up -> {};
    private Runnable end = () -> {};
    private @Nullable Throwable logged;

    NatLoop(EthernetPort port) throws IOException {
        this.port = port;
        selector = Selector.open();
        thread = Thread.ofPlatform().daemon().name("kagami-nat").unstarted(this::run);
    }

    /**
     * Starts the thread.
     *
     * @param newFrames takes each frame, and releases it
     * @param newFlush sends what is due, after a few frames or events
     * @param newLink is told about the link
     * @param newEnd closes everything, at the end
     */
    void start(Consumer<Frame> newFrames, Runnable newFlush, Consumer<Boolean> newLink, Runnable newEnd) {
        frames = newFrames;
        flush = newFlush;
        link = newLink;
        end = newEnd;
        thread.start();
        port.listen(this);
    }

    Timers timers() {
        return timers;
    }

    /** {@return how often something failed that must not; each time what it was for was given up} */
    long failures() {
        return failures;
    }

    /** Runs a task on the thread, soon. Called from any thread. */
    void execute(Runnable task) {
        tasks.add(task);
        wake();
    }

    /** Runs an action on the thread when the link, which has none now, has room. */
    void whenRoom(Runnable action) {
        waitingForRoom.add(action);
    }

    SelectionKey register(SelectableChannel channel, int operations, Handler handler) throws IOException {
        channel.configureBlocking(false);
        return channel.register(selector, operations, handler);
    }

    /** Frees the sockets of channels that were closed now; otherwise that happens when the thread next waits. */
    void purge() {
        try {
            selector.selectNow(dispatch);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void readable() {
        wake();
    }

    @Override
    public void writable() {
        room = true;
        wake();
    }

    @Override
    public void linkChanged(boolean up) {
        linkChanged = true;
        wake();
    }

    private void wake() {
        if (asleep) {
            selector.wakeup();
        }
    }

    private boolean hasWork() {
        return closed || room || linkChanged || !tasks.isEmpty() || port.receivable() > 0;
    }

    private void run() {
        try {
            boolean up = port.isUp();
            while (!closed) {
                if (linkChanged) {
                    linkChanged = false;
                    if (up != port.isUp()) {
                        up = !up;
                        boolean now = up;
                        guard(() -> link.accept(now));
                    }
                }
                if (room) {
                    room = false;
                    for (int waiting = waitingForRoom.size(); waiting > 0; waiting--) {
                        guard(waitingForRoom.removeFirst());
                    }
                }
                boolean more = takeFrames();
                Runnable task;
                while ((task = tasks.poll()) != null) {
                    guard(task);
                }
                guard(this::expire);
                guard(flush);
                select(more);
                guard(flush);
            }
        } catch (IOException | UncheckedIOException | ClosedSelectorException e) {
            LOG.log(System.Logger.Level.ERROR, "The network behind NAT has stopped", e);
        } finally {
            guard(end);
            closeAll();
        }
    }

    private void closeAll() {
        closed = true;
        for (SelectionKey key : selector.keys()) {
            try {
                key.channel().close();
            } catch (IOException e) {
                // It is gone either way.
            }
        }
        try {
            selector.selectNow();
            selector.close();
        } catch (IOException e) {
            // As above.
        }
    }

    private boolean takeFrames() {
        for (int i = 0; i < FRAMES_AT_ONCE; i++) {
            Frame frame = port.receive();
            if (frame == null) {
                return false;
            }
            try {
                frames.accept(frame);
            } catch (RuntimeException | OutOfMemoryError e) {
                failed(e);
                frame.release();
            }
        }
        return true;
    }

    private void expire() {
        timers.expire(System.nanoTime());
    }

    private void select(boolean more) throws IOException {
        if (more) {
            selector.selectNow(dispatch);
            return;
        }
        asleep = true;
        try {
            long nanos = timers.untilNext(System.nanoTime(), LONGEST_SLEEP);
            if (nanos == 0 || hasWork()) {
                selector.selectNow(dispatch);
            } else {
                // Rounded up: waking early would only mean sleeping again.
                selector.select(dispatch, TimeUnit.NANOSECONDS.toMillis(nanos + 999_999));
            }
        } finally {
            asleep = false;
        }
    }

    private void dispatch(SelectionKey key) {
        Handler handler = (Handler) key.attachment();
        try {
            handler.ready(key);
        } catch (CancelledKeyException e) {
            // Closed by what came before it.
        } catch (RuntimeException | OutOfMemoryError e) {
            failed(e);
            guard(handler::fail);
        }
    }

    private void guard(Runnable action) {
        try {
            action.run();
        } catch (RuntimeException | OutOfMemoryError e) {
            failed(e);
        }
    }

    @SuppressWarnings("NonAtomicOperationOnVolatileField")
    private void failed(Throwable e) {
        failures++;
        // One stack trace of each kind is enough; a guest could cause any number.
        if (logged == null || logged.getClass() != e.getClass()) {
            logged = e;
            LOG.log(System.Logger.Level.WARNING, "A packet or connection was given up", e);
        }
    }

    /** Ends the thread, and waits until everything is closed. */
    void close() {
        closed = true;
        selector.wakeup();
        if (Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        try {
            thread.join(CLOSE_MILLIS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
