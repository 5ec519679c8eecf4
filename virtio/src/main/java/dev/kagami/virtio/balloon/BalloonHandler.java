package dev.kagami.virtio.balloon;

import dev.kagami.memory.GuestMemory;
import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;
import java.util.EnumMap;

/** An active balloon. Queues are served on the device's thread. */
final class BalloonHandler {
    private static final int INFLATE = 0;
    private static final int DEFLATE = 1;
    private static final int PAGE_NUMBER_SIZE = 4;
    private static final int STATISTIC_SIZE = 10;
    private static final int MAX_STATISTICS = 64;

    private final BalloonDevice device;
    private final DeviceContext context;
    private final GuestMemory memory;
    private final DescriptorChain chain;
    /** Queues that the driver doesn't want don't count (virtio 1.2, 5.5.2); -1 for none. */
    private final int statisticsQueue;

    private final int reportingQueue;
    /** The guest's buffer for statistics stays here until new ones are wanted (virtio 1.2, 5.5.6.3). */
    private final DescriptorChain statistics;

    private boolean statisticsHeld;
    private volatile boolean statisticsWanted;
    /** Pages that follow each other are dropped together. */
    private long runStart;

    private long runEnd;

    BalloonHandler(BalloonDevice device, DeviceContext context) {
        this.device = device;
        this.context = context;
        this.memory = context.memory();
        this.chain = new DescriptorChain(memory);
        this.statistics = new DescriptorChain(memory);
        int next = DEFLATE + 1;
        statisticsQueue = context.has(BalloonDevice.FEATURE_STATISTICS) ? next++ : -1;
        reportingQueue = context.has(BalloonDevice.FEATURE_REPORTING) ? next : -1;
    }

    DeviceContext context() {
        return context;
    }

    void requestStatistics() {
        if (statisticsQueue >= 0) {
            statisticsWanted = true;
            context.wake(statisticsQueue);
        }
    }

    BalloonState state() {
        return new BalloonState(device.targetPages(), statisticsHeld, statisticsWanted);
    }

    void setState(BalloonState state) {
        device.restoreTarget(state.targetPages());
        // The buffer is taken anew, with the same statistics in it.
        statisticsWanted = state.statisticsWanted();
    }

    int held(int number) {
        return number == statisticsQueue && statisticsHeld ? 1 : 0;
    }

    void serve(int number) {
        if (number == statisticsQueue) {
            serveStatistics();
            return;
        }
        Virtqueue queue = context.queue(number);
        do {
            queue.disableNotifications();
            while (queue.pop(chain)) {
                if (number == INFLATE) {
                    takePages(queue);
                } else if (number == reportingQueue) {
                    takeFreeRanges(queue);
                }
                // Pages given back by a deflation need nothing: the host hands them out when they are touched.
                queue.push(chain, 0);
            }
        } while (queue.enableNotifications());
        queue.interrupt();
    }

    private void takePages(Virtqueue queue) {
        runStart = 0;
        runEnd = 0;
        while (chain.readable() >= PAGE_NUMBER_SIZE && !queue.isStopped()) {
            long address = (chain.readInt() & 0xFFFF_FFFFL) << GuestMemory.PAGE_SHIFT;
            // What isn't RAM can't be given up; such pages are ignored.
            if (memory.isRam(address, GuestMemory.PAGE_SIZE)) {
                addPage(memory.offsetOf(address));
            }
        }
        reclaim(runStart, runEnd);
    }

    private void addPage(long offset) {
        if (offset == runEnd && runStart != runEnd) {
            runEnd += GuestMemory.PAGE_SIZE;
        } else if (offset == runStart - GuestMemory.PAGE_SIZE && runStart != runEnd) {
            runStart = offset;
        } else {
            reclaim(runStart, runEnd);
            runStart = offset;
            runEnd = offset + GuestMemory.PAGE_SIZE;
        }
    }

    /** The writable buffers are the free memory itself (virtio 1.2, 5.5.6.7). */
    private void takeFreeRanges(Virtqueue queue) {
        while (chain.writablePiece() > 0 && !queue.isStopped()) {
            long length = chain.writablePiece();
            long start = chain.writableOffset();
            long first = start + GuestMemory.PAGE_SIZE - 1 & -GuestMemory.PAGE_SIZE;
            reclaim(first, start + length & -GuestMemory.PAGE_SIZE);
            chain.skipWritable(length);
        }
    }

    private void reclaim(long start, long end) {
        if (start < end && device.settings().reclaimer().reclaim(memory, start, end - start)) {
            device.addReclaimed(end - start);
        }
    }

    private void serveStatistics() {
        Virtqueue queue = context.queue(statisticsQueue);
        do {
            queue.disableNotifications();
            if (statisticsHeld && statisticsWanted) {
                statisticsWanted = false;
                statisticsHeld = false;
                queue.push(statistics, 0);
                queue.interrupt();
            }
            if (!statisticsHeld && queue.pop(statistics)) {
                statisticsHeld = true;
                readStatistics();
            }
        } while (queue.enableNotifications() && !statisticsHeld);
    }

    private void readStatistics() {
        EnumMap<BalloonStatistic, Long> values = new EnumMap<>(BalloonStatistic.class);
        for (int i = 0; i < MAX_STATISTICS && statistics.readable() >= STATISTIC_SIZE; i++) {
            BalloonStatistic statistic = BalloonStatistic.of(statistics.readShort());
            long value = statistics.readLong();
            if (statistic != null) {
                values.put(statistic, value);
            }
        }
        device.setStatistics(values);
    }
}
