package dev.kagami.block;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Requests in a queue, done by a few threads. A flush starts when every write submitted before it has ended. */
final class BlockQueue implements BlockDevice {
    private static final int MAX_THREADS = 64;

    /** The writes between two flushes. */
    static final class Epoch {
        private int writes;
        /** The flush that ends the epoch, and the epoch behind it. */
        private @Nullable BlockRequest flush;

        private @Nullable Epoch next;
    }

    private final BlockImage image;
    private final RequestRunner runner;
    private final List<Thread> threads = new ArrayList<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Condition idle = lock.newCondition();
    /** Guarded by the lock, as all below: requests that may start. */
    private @Nullable BlockRequest first;

    private @Nullable BlockRequest last;
    private Epoch oldest = new Epoch();
    private Epoch current = oldest;
    private int inFlight;
    private int sleepers;
    private boolean closing;

    BlockQueue(BlockImage image, String name, int threadCount) {
        if (threadCount < 1 || threadCount > MAX_THREADS) {
            throw new IllegalArgumentException("%d threads: must be 1 to %d".formatted(threadCount, MAX_THREADS));
        }
        this.image = image;
        this.runner = new RequestRunner(image);
        for (int i = 0; i < threadCount; i++) {
            threads.add(Thread.ofPlatform().daemon().name(name + "-" + i).start(this::work));
        }
    }

    @Override
    public BlockImage image() {
        return image;
    }

    @Override
    public void submit(BlockRequest request) {
        request.begin();
        lock.lock();
        try {
            if (!closing) {
                inFlight++;
                switch (request.operation()) {
                    case READ -> enqueue(request);
                    case WRITE, DISCARD, WRITE_ZEROES, WRITE_ZEROES_UNMAP -> {
                        current.writes++;
                        request.epoch = current;
                        enqueue(request);
                    }
                    case FLUSH -> {
                        current.flush = request;
                        Epoch following = new Epoch();
                        current.next = following;
                        current = following;
                        startFlushes();
                    }
                }
                return;
            }
        } finally {
            lock.unlock();
        }
        request.complete(BlockStatus.IO_ERROR);
    }

    /** Starts the flushes that no write is left to wait for. */
    private void startFlushes() {
        while (oldest.writes == 0 && oldest.flush != null) {
            enqueue(oldest.flush);
            oldest = Objects.requireNonNull(oldest.next);
        }
    }

    private void enqueue(BlockRequest request) {
        request.next = null;
        if (last == null) {
            first = request;
        } else {
            last.next = request;
        }
        last = request;
        if (sleepers > 0) {
            work.signal();
        }
    }

    private void work() {
        BlockRequest request = next(false, null);
        while (request != null) {
            BlockStatus status = runner.run(request);
            Epoch epoch = request.epoch;
            request.epoch = null;
            try {
                request.complete(status);
            } catch (RuntimeException e) {
                // A completion must not throw; one that does must not cost the disk a thread.
                Thread.currentThread().getUncaughtExceptionHandler().uncaughtException(Thread.currentThread(), e);
            }
            request = next(true, epoch);
        }
    }

    /** Books a request as done, with the epoch that it counts for, and waits for the next; null at the end. */
    private @Nullable BlockRequest next(boolean done, @Nullable Epoch epoch) {
        lock.lock();
        try {
            if (done) {
                inFlight--;
                if (epoch != null) {
                    epoch.writes--;
                    startFlushes();
                }
                if (inFlight == 0) {
                    idle.signalAll();
                }
            }
            while (first == null) {
                if (closing && inFlight == 0) {
                    return null;
                }
                sleepers++;
                work.awaitUninterruptibly();
                sleepers--;
            }
            BlockRequest request = first;
            first = request.next;
            request.next = null;
            if (first == null) {
                last = null;
            }
            return request;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        if (threads.contains(Thread.currentThread())) {
            throw new IllegalStateException("a completion can't wait for itself");
        }
        lock.lock();
        try {
            closing = true;
            while (inFlight > 0) {
                idle.awaitUninterruptibly();
            }
            work.signalAll();
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        image.close();
    }
}
