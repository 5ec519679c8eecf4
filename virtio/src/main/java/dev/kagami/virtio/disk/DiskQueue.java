package dev.kagami.virtio.disk;

import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;
import org.jspecify.annotations.Nullable;

/** One queue of a disk: takes requests on the device's thread, and gives them back on whichever thread finishes them. */
final class DiskQueue {
    /** So many requests, or bytes, may be done before the guest hears of the first of them. */
    private static final int REQUESTS_PER_INTERRUPT = 16;

    private static final long BYTES_PER_INTERRUPT = 256 << 10;

    private final DiskConfig config;
    private final DeviceContext context;
    private final Virtqueue queue;
    /** Requests that aren't in use; guarded by the lock, as all below. */
    private DiskRequest[] free;

    private int freeCount;
    private int made;
    private boolean starved;
    /** The thread that takes requests, while it does. */
    private volatile @Nullable Thread server;

    private int uninterrupted;
    private long uninterruptedBytes;

    DiskQueue(DiskConfig config, DeviceContext context, int number) {
        this.config = config;
        this.context = context;
        this.queue = context.queue(number);
        this.free = new DiskRequest[Math.max(queue.size(), 1)];
    }

    DiskConfig config() {
        return config;
    }

    DeviceContext context() {
        return context;
    }

    void serve() {
        server = Thread.currentThread();
        try {
            do {
                queue.disableNotifications();
                if (!takeAll()) {
                    // Every request is in use; the one that ends first wakes this thread again.
                    return;
                }
            } while (queue.enableNotifications());
        } finally {
            server = null;
            queue.interrupt();
        }
    }

    /** {@return false when there were more requests than there can be} */
    private boolean takeAll() {
        while (queue.hasWaiting()) {
            DiskRequest request = allocate();
            if (request == null) {
                return false;
            }
            boolean started = false;
            try {
                if (queue.pop(request.chain())) {
                    request.start();
                    started = true;
                }
            } finally {
                if (!started) {
                    release(request);
                }
            }
        }
        return true;
    }

    private synchronized @Nullable DiskRequest allocate() {
        if (freeCount > 0) {
            return free[--freeCount];
        }
        if (made < free.length) {
            made++;
            return new DiskRequest(this);
        }
        starved = true;
        return null;
    }

    private synchronized void release(DiskRequest request) {
        free[freeCount++] = request;
        if (freeCount == made) {
            notifyAll();
        }
        if (starved) {
            starved = false;
            context.wake(queue.number());
        }
    }

    /** Gives a request back to the driver. */
    void finished(DiskRequest request, long written) {
        queue.push(request.chain(), written);
        if (Thread.currentThread() != server) {
            queue.interrupt();
        } else {
            uninterruptedBytes += written;
            if (++uninterrupted >= REQUESTS_PER_INTERRUPT || uninterruptedBytes >= BYTES_PER_INTERRUPT) {
                uninterrupted = 0;
                uninterruptedBytes = 0;
                queue.interrupt();
            }
        }
        release(request);
    }

    /** Waits until nothing is under way. No new request starts, because the device's thread stands still or has ended. */
    synchronized void awaitIdle() {
        boolean interrupted = false;
        while (freeCount < made) {
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
}
