package dev.kagami.block.storage;

import dev.kagami.block.BlockException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Forces a storage when something was written since the last time, once for all who ask at the same time. Thread-safe.
 *
 * <p>After a force has failed nobody knows what is on the disk, and the host would say that all is well the next time (the
 * pages that could not be written count as clean). So every later flush fails too.
 */
public final class Flushes {
    private final Storage storage;
    private final AtomicLong writes = new AtomicLong();
    private final ReentrantLock lock = new ReentrantLock();
    /** Guarded by the lock: how many of the writes are stable. */
    private long stable;

    private @Nullable BlockException failure;

    /** Starts with nothing to force. */
    public Flushes(Storage storage) {
        this.storage = storage;
    }

    /** Says that a write has ended. */
    public void dirty() {
        writes.incrementAndGet();
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
            storage.force();
            stable = covered;
        } catch (BlockException e) {
            failure = failure == null ? e : failure;
            throw e;
        } finally {
            lock.unlock();
        }
    }
}
