package dev.kagami.block.storage;

import dev.kagami.block.BlockException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Makes writes stable when there were any since the last time, once for all who ask at the same time. Thread-safe.
 *
 * <p>After a force has failed nobody knows what is on the disk, and the host would say that all is well the next time (the
 * pages that could not be written count as clean). So every later flush fails too.
 */
public final class Flushes {
    private final Runnable action;
    private final Predicate<BlockException> retriable;
    private final AtomicLong writes = new AtomicLong();
    private final ReentrantLock lock = new ReentrantLock();
    /** Guarded by the lock: how many of the writes are stable. */
    private long stable;

    private @Nullable BlockException failure;

    /**
     * Starts with nothing to do.
     *
     * @param action makes everything written before it stable; never runs twice at the same time
     * @param retriable whether there is hope after a failure of the action
     */
    public Flushes(Runnable action, Predicate<BlockException> retriable) {
        this.action = action;
        this.retriable = retriable;
    }

    /** Says that a write has ended. */
    public void dirty() {
        writes.incrementAndGet();
    }

    /** Does something while no flush is under way; it may flush itself. */
    public void exclude(Runnable task) {
        lock.lock();
        try {
            task.run();
        } finally {
            lock.unlock();
        }
    }

    /** Returns when all writes that have ended are stable. */
    public void flush() {
        long wanted = writes.get();
        lock.lock();
        try {
            if (failure != null) {
                throw new BlockException(failure.code(), failure.getMessage() + " (earlier)", failure.hint(), failure);
            }
            if (stable >= wanted) {
                return;
            }
            long covered = writes.get();
            action.run();
            stable = covered;
        } catch (BlockException e) {
            if (failure == null && !retriable.test(e)) {
                failure = e;
            }
            throw e;
        } finally {
            lock.unlock();
        }
    }
}
