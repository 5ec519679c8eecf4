package dev.kagami.cpu;

import java.util.PriorityQueue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * {@link Timers} on the host's monotonic clock, run by one daemon thread that sleeps until the next deadline. While it is
 * paused its time stands still and nothing expires; deadlines are as far away afterwards as they were before.
 */
public final class TimerThread implements Timers, AutoCloseable {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final PriorityQueue<Entry> queue = new PriorityQueue<>((a, b) -> Long.signum(a.deadline - b.deadline));
    private final Thread thread;
    private boolean closed;
    /** An action runs right now. */
    private boolean acting;
    /** While paused: what {@link #nanoTime} says. */
    private volatile long pausedAt;

    private volatile boolean paused;
    /** What this clock has over the host's. Written before {@link #paused} is cleared and read after it was seen clear. */
    private volatile long offset;

    /** Starts the thread. */
    public TimerThread() {
        thread = Thread.ofPlatform().daemon().name("kagami-timers").start(this::loop);
    }

    @Override
    public long nanoTime() {
        return paused ? pausedAt : System.nanoTime() + offset;
    }

    @Override
    public long hostOffset() {
        return paused ? NOT_HOST_TIME : offset;
    }

    /**
     * Stops time. When this returns no action runs and none will before {@link #resume}. Nobody else may look at the time
     * while this is called who could not bear to see it go back to the moment of the pause. Not to be called by an action.
     */
    public void pause() {
        lock.lock();
        try {
            if (!paused) {
                pausedAt = System.nanoTime() + offset;
                paused = true;
            }
            while (acting) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets time go on from where it was stopped. */
    public void resume() {
        lock.lock();
        try {
            if (paused) {
                offset = pausedAt - System.nanoTime();
                paused = false;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Timer create(Runnable action) {
        return new Entry(action);
    }

    private void loop() {
        lock.lock();
        try {
            while (!closed) {
                Entry first = queue.peek();
                if (first == null || paused) {
                    changed.awaitUninterruptibly();
                    continue;
                }
                long wait = first.deadline - nanoTime();
                if (wait > 0) {
                    try {
                        changed.awaitNanos(wait);
                    } catch (InterruptedException e) {
                        // Only close() ends this thread.
                        continue;
                    }
                    continue;
                }
                queue.remove(first);
                first.queued = false;
                // The action may arm timers and take locks of its own, so it runs without ours.
                acting = true;
                lock.unlock();
                try {
                    first.action.run();
                } finally {
                    lock.lock();
                    acting = false;
                    if (paused) {
                        changed.signalAll();
                    }
                }
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            queue.clear();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        if (Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private final class Entry implements Timer {
        private final Runnable action;
        private long deadline;
        private boolean queued;

        Entry(Runnable action) {
            this.action = action;
        }

        @Override
        public void arm(long deadline) {
            lock.lock();
            try {
                if (closed) {
                    return;
                }
                if (queued) {
                    queue.remove(this);
                }
                this.deadline = deadline;
                queue.add(this);
                queued = true;
                if (queue.peek() == this) {
                    changed.signalAll();
                }
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void disarm() {
            lock.lock();
            try {
                if (queued) {
                    queue.remove(this);
                    queued = false;
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
