package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.util.Random;

/** Fills rings with what a hostile driver might. */
final class RingFuzzer {
    private static final int BUFFERS = 0x10_0000;

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

    /** Fills a descriptor table. */
    static int scramble(Random random, GuestMemory memory, DriverQueue queue) {
        int made = queue.size();
        for (int i = 0; i < queue.size(); i++) {
            boolean indirect = random.nextInt(6) == 0;
            long at = queue.descriptorTable() + 16L * i;
            if (indirect) {
                int entries = 1 + random.nextInt(8);
                long table = 0x8000 + 16L * random.nextInt(2048);
                for (int j = 0; j < entries; j++) {
                    put(random, memory, table + 16L * j, entries, j + 1, random.nextInt(50) == 0 ? 7 : 3);
                }
                made += entries;
                memory.writeLong(at, table);
                memory.writeInt(at + 8, random.nextInt(20) == 0 ? random.nextInt() : 16 * entries);
                memory.writeInt(at + 12, 4);
            } else {
                put(random, memory, at, queue.size(), i + 1, 3);
            }
        }
        return made;
    }

    private static void put(Random random, GuestMemory memory, long at, int entries, int next, int flagBits) {
        long address = switch (random.nextInt(40)) {
            case 0 -> random.nextLong();
            case 1 -> random.nextLong(TestMachine.RAM * 2);
            case 2 -> 0xFEE0_0000L;
            default -> BUFFERS + random.nextInt(BUFFERS);
        };
        int length = switch (random.nextInt(20)) {
            case 0 -> random.nextInt();
            case 1 -> random.nextInt(20) == 0 ? 0 : 1;
            case 2 -> 1 << random.nextInt(20);
            case 3, 4, 5, 6 -> 16;
            default -> 1 + random.nextInt(4096);
        };
        // Mostly what requests look like: a readable header, then writable buffers.
        int flags = random.nextInt(8) == 0 ? random.nextInt() & flagBits : random.nextInt(4);
        int link = random.nextInt(20) == 0 ? random.nextInt() : random.nextInt(8) == 0 ? random.nextInt(entries) : next;
        memory.writeLong(at, address);
        memory.writeInt(at + 8, length);
        memory.writeShort(at + 12, flags);
        memory.writeShort(at + 14, link);
        if (random.nextBoolean() && memory.isRam(address, 16)) {
            // Something like a header.
            memory.writeLong(address, random.nextInt(16));
            memory.writeLong(address + 8, random.nextInt(1 << 12));
        }
    }
}
