package dev.kagami.virtio;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/** The thread of an active device: serves the queues that somebody points at, and sleeps otherwise. */
final class DeviceThread {
    private final AtomicLong pending = new AtomicLong();
    private final QueueHandler handler;
    private final Consumer<Throwable> failure;
    private final Thread thread;
    private volatile boolean idle;
    private volatile boolean stopping;
    private volatile boolean pausing;
    /** The thread stands still for {@link #pause}, or has ended; guarded by the lock. */
    private boolean still;

    DeviceThread(String name, QueueHandler handler, Consumer<Throwable> failure) {
        this.handler = handler;
        this.failure = failure;
        this.thread = Thread.ofPlatform().daemon().name("kagami-" + name).unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** Starts the thread so that it stands still until {@link #resume}. */
    void startPaused() {
        pausing = true;
        thread.start();
    }

    /** Has a queue served soon. Any thread may call this; it returns at once. */
    void wake(int queue) {
        pending.getAndUpdate(set -> set | 1L << queue);
        if (idle) {
            LockSupport.unpark(thread);
        }
    }

    /** Makes the thread stand still; when this returns it does. Queues don't run any more, so that doesn't take long. */
    synchronized void pause() {
        pausing = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (!still && thread.isAlive()) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Lets the thread go on. */
    synchronized void resume() {
        pausing = false;
        notifyAll();
    }

    private synchronized void standStill() {
        still = true;
        notifyAll();
        while (pausing && !stopping) {
            try {
                wait();
            } catch (InterruptedException e) {
                // Only stop() ends this thread.
            }
        }
        still = false;
    }

    private synchronized void ended() {
        still = true;
        notifyAll();
    }

    /** Ends the thread, after what it is doing now. Queues are stopped before, so that doesn't take long. */
    void stop() {
        stopping = true;
        resume();
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            while (!stopping) {
                if (pausing) {
                    standStill();
                    continue;
                }
                long set = pending.getAndSet(0);
                if (set == 0) {
                    sleep();
                    continue;
                }
                for (long rest = set; rest != 0 && !stopping; rest &= rest - 1) {
                    handler.serve(Long.numberOfTrailingZeros(rest));
                }
            }
        } catch (RuntimeException | Error e) {
            failure.accept(e);
        } finally {
            ended();
        }
    }

    private void sleep() {
        idle = true;
        // Whoever sets a bit after this look sees the flag.
        if (pending.get() == 0 && !stopping && !pausing) {
            LockSupport.park(this);
        }
        idle = false;
    }
}
