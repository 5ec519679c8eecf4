package dev.kagami.bench.devices;

import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.TestMachine;
import java.util.SplittableRandom;

/** A disk's queue that is kept full of requests of one size. */
final class DiskLoad {
    static final int READ = 0;
    static final int WRITE = 1;

    private static final int SECTOR = 512;
    private static final int HEADER = 16;
    private static final int PAGE = 4096;

    private final TestMachine machine;
    private final DriverQueue queue;
    private final long blocks;
    private final int size;
    private final int depth;
    private final long[] headers;
    private final long[] data;
    private final long[] status;
    private final int[] slotOfHead = new int[1024];
    private final SplittableRandom random = new SplittableRandom(7);
    private long next;

    DiskLoad(TestMachine machine, DriverQueue queue, long disk, int size, int depth) {
        this.machine = machine;
        this.queue = queue;
        this.blocks = disk / size;
        this.size = size;
        this.depth = depth;
        headers = new long[depth];
        data = new long[depth];
        status = new long[depth];
        for (int i = 0; i < depth; i++) {
            headers[i] = machine.allocate(HEADER, 16);
            data[i] = machine.allocate(size, PAGE);
            status[i] = machine.allocate(1, 16);
        }
    }

    private void add(int slot, int type, boolean randomly) {
        long block = randomly ? random.nextLong(blocks) : next++ % blocks;
        machine.memory().writeInt(headers[slot], type);
        machine.memory().writeLong(headers[slot] + 8, block * size / SECTOR);
        queue.begin().out(headers[slot], HEADER);
        if (type == READ) {
            queue.in(data[slot], size);
        } else {
            queue.out(data[slot], size);
        }
        slotOfHead[queue.in(status[slot], 1).add()] = slot;
    }

    /** Does so many requests, to the end of the last. As Linux does it takes all that are done, and then kicks once. */
    void run(int type, boolean randomly, int requests) {
        int added = 0;
        while (added < Math.min(depth, requests)) {
            add(added++, type, randomly);
        }
        queue.kick();
        for (int done = 0; done < requests; ) {
            int head = Polling.await(queue);
            while (head >= 0) {
                int slot = slotOfHead[head];
                if (machine.memory().readByte(status[slot]) != 0) {
                    throw new IllegalStateException("a request failed");
                }
                done++;
                if (added < requests) {
                    add(slot, type, randomly);
                    added++;
                }
                head = queue.poll();
            }
            queue.kick();
        }
    }
}
