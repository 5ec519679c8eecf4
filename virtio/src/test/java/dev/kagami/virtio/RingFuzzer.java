package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.lang.invoke.VarHandle;
import java.util.Random;

/** Fills rings with what a hostile driver might. */
final class RingFuzzer {
    private static final int BUFFERS = 0x10_0000;
    private static final int TABLES = 0x8000;
    private static final int CHAIN = 4;
    private static final int[] LIKELY_FLAGS = {1, 1, 3, 2};

    private RingFuzzer() {}

    /** Fills the rings of all queues and notifies them. {@return how many descriptors were made} */
    static int scramble(Random random, GuestMemory memory, SyntheticDriver driver) {
        int made = 0;
        for (int number = 0; number < driver.queueCount(); number++) {
            DriverQueue queue = driver.queue(number);
            made += scramble(random, memory, queue);
            memory.writeShort(queue.availableRing(), random.nextInt(2));
            for (int i = 0; i < queue.size(); i++) {
                int head = random.nextInt(40) == 0 ? random.nextInt() : random.nextInt(queue.size());
                memory.writeShort(queue.availableRing() + 4 + 2L * i, head);
            }
            int index = random.nextInt(10) == 0 ? random.nextInt() : random.nextInt(queue.size() + 1);
            memory.writeShort(queue.availableRing() + 2, index);
            driver.transport().notifyQueue(number);
        }
        return made;
    }

    /** Has a queue's driver add requests, as many as it likes of what is in the table. */
    static void advance(Random random, GuestMemory memory, DriverQueue queue) {
        int index = memory.readShort(queue.availableRing() + 2);
        int more = random.nextInt(200) == 0 ? random.nextInt() : random.nextInt(5);
        for (int i = 0; i < queue.size(); i++) {
            int head = random.nextInt(2000) == 0
                    ? random.nextInt()
                    : random.nextInt(queue.size()) & (random.nextInt(50) == 0 ? -1 : -CHAIN);
            memory.writeShort(queue.availableRing() + 4 + 2L * i, head);
        }
        VarHandle.releaseFence();
        memory.writeShort(queue.availableRing() + 2, index + more);
    }

    /** Fills a descriptor table. {@return how many descriptors were made} */
    static int scramble(Random random, GuestMemory memory, DriverQueue queue) {
        return scramble(random, memory, queue, 0, queue.size());
    }

    /** Fills some of a descriptor table. {@return how many descriptors were made} */
    static int scramble(Random random, GuestMemory memory, DriverQueue queue, int first, int count) {
        int made = count;
        for (int i = first; i < first + count; i++) {
            long at = queue.descriptorTable() + 16L * i;
            put(random, memory, at, queue.size(), i);
            if (i % CHAIN == 0 && random.nextInt(3) == 0) {
                int entries = 1 + random.nextInt(2 * CHAIN);
                long table = TABLES + 16L * random.nextInt(2048);
                for (int j = 0; j < entries; j++) {
                    put(random, memory, table + 16L * j, entries, j);
                }
                made += entries;
                memory.writeLong(at, table);
                memory.writeInt(at + 8, random.nextInt(100) == 0 ? random.nextInt() : 16 * entries);
                memory.writeInt(at + 12, random.nextInt(100) == 0 ? 5 : 4);
            }
        }
        return made;
    }

    /** Makes one descriptor, mostly what requests look like: a readable header, data, writable data, a status byte. */
    private static void put(Random random, GuestMemory memory, long at, int entries, int index) {
        long address = switch (random.nextInt(1000)) {
            case 0 -> random.nextLong();
            case 1 -> random.nextLong(TestMachine.RAM * 2);
            case 2 -> 0xFEE0_0000L;
            default -> BUFFERS + random.nextInt(BUFFERS);
        };
        int place = index % CHAIN;
        int likely = place == 0 ? 16 : place == CHAIN - 1 ? 1 : 512 * (1 + random.nextInt(8));
        int length = switch (random.nextInt(40)) {
            case 0 -> random.nextInt(10) == 0 ? random.nextInt() : random.nextInt(1 << 20) + 1;
            case 1 -> random.nextInt(20) == 0 ? 0 : 1;
            case 2, 3, 4 -> 1 + random.nextInt(4096);
            default -> likely;
        };
        int flags = LIKELY_FLAGS[place] | (place == 1 && random.nextBoolean() ? 2 : 0);
        if (index + 1 == entries) {
            flags &= ~1;
        }
        if (random.nextInt(300) == 0) {
            flags = random.nextInt();
        }
        int link = random.nextInt(500) == 0
                ? random.nextInt()
                : random.nextInt(500) == 0 ? random.nextInt(entries) : index + 1;
        memory.writeLong(at, address);
        memory.writeInt(at + 8, length);
        memory.writeShort(at + 12, flags);
        memory.writeShort(at + 14, link);
        if (random.nextInt(4) != 0 && memory.isRam(address, 16)) {
            // Something like a header.
            memory.writeLong(address, random.nextInt(16));
            memory.writeLong(address + 8, random.nextInt(1 << 12));
        }
    }
}
