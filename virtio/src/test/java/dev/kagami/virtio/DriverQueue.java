package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The driver's side of a split virtqueue, written after what Linux's virtio_ring does: a free list in the descriptor table,
 * indirect tables for requests of several buffers, event index, one kick for several requests. Used by one thread.
 */
public final class DriverQueue {
    private static final ValueLayout.OfShort SHORT_LAYOUT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORT = SHORT_LAYOUT.varHandle();
    private static final int INDIRECT_ENTRIES = 64;

    private final MemorySegment ram;
    private final int number;
    private final int size;
    private final boolean indirect;
    private final boolean eventIndex;
    private final DriverTransport transport;
    private final long descriptors;
    private final long available;
    private final long used;
    private final long indirectTables;
    private final int[] chainLength;
    private int freeHead;
    private int freeCount;
    private int availableIndex;
    private int kickedIndex;
    private int usedIndex;
    private int lastLength;

    private final long[] addresses = new long[DescriptorChain.MAX_BUFFERS];
    private final int[] lengths = new int[DescriptorChain.MAX_BUFFERS];
    private int outs;
    private int buffers;

    DriverQueue(TestMachine machine, DriverTransport transport, int number, int size, long features) {
        GuestMemory memory = machine.memory();
        this.ram = memory.segment();
        this.transport = transport;
        this.number = number;
        this.size = size;
        this.indirect = Features.has(features, Features.INDIRECT_DESCRIPTORS);
        this.eventIndex = Features.has(features, Features.EVENT_INDEX);
        descriptors = machine.allocate(16L * size, 4096);
        available = machine.allocate(6 + 2L * size, 4096);
        used = machine.allocate(6 + 8L * size, 4096);
        indirectTables = machine.allocate(16L * INDIRECT_ENTRIES * size, 4096);
        chainLength = new int[size];
        for (int i = 0; i < size; i++) {
            putDescriptor(descriptors + 16L * i, 0, 0, 0, i + 1);
        }
        freeCount = size;
        transport.setUp(number, size, descriptors, available, used);
    }

    /** Tells the device where the queue is, with empty rings. */
    void setUpAgain() {
        ram.set(SHORT_LAYOUT, available + 2, (short) 0);
        ram.set(SHORT_LAYOUT, used + 2, (short) 0);
        transport.setUp(number, size, descriptors, available, used);
    }

    public long descriptorTable() {
        return descriptors;
    }

    public long availableRing() {
        return available;
    }

    public long usedRing() {
        return used;
    }

    public int size() {
        return size;
    }

    public int free() {
        return freeCount;
    }

    private void putDescriptor(long at, long address, int length, int flags, int next) {
        ram.set(LONG, at, address);
        ram.set(INT, at + 8, length);
        ram.set(SHORT_LAYOUT, at + 12, (short) flags);
        ram.set(SHORT_LAYOUT, at + 14, (short) next);
    }

    /** Starts a request. */
    public DriverQueue begin() {
        outs = 0;
        buffers = 0;
        return this;
    }

    /** Adds a buffer that the device reads; all of these come first. */
    public DriverQueue out(long address, int length) {
        addresses[buffers] = address;
        lengths[buffers++] = length;
        outs = buffers;
        return this;
    }

    /** Adds a buffer that the device writes. */
    public DriverQueue in(long address, int length) {
        addresses[buffers] = address;
        lengths[buffers++] = length;
        return this;
    }

    /** Puts the request into the ring, not yet visible. {@return its head, or -1 when there is no room} */
    public int add() {
        boolean useIndirect = indirect && buffers > 1 && buffers <= INDIRECT_ENTRIES;
        int needed = useIndirect ? 1 : buffers;
        if (freeCount < needed) {
            return -1;
        }
        int head = freeHead;
        if (useIndirect) {
            long table = indirectTables + 16L * INDIRECT_ENTRIES * head;
            for (int i = 0; i < buffers; i++) {
                putDescriptor(table + 16L * i, addresses[i], lengths[i], flags(i), i + 1);
            }
            long at = descriptors + 16L * head;
            freeHead = ram.get(SHORT_LAYOUT, at + 14);
            putDescriptor(at, table, 16 * buffers, 4, freeHead);
        } else {
            int index = head;
            for (int i = 0; i < buffers; i++) {
                long at = descriptors + 16L * index;
                int next = ram.get(SHORT_LAYOUT, at + 14);
                putDescriptor(at, addresses[i], lengths[i], flags(i), next);
                index = next;
            }
            freeHead = index;
        }
        chainLength[head] = needed;
        freeCount -= needed;
        ram.set(SHORT_LAYOUT, available + 4 + 2L * (availableIndex & size - 1), (short) head);
        availableIndex = availableIndex + 1 & 0xFFFF;
        return head;
    }

    private int flags(int buffer) {
        return (buffer + 1 < buffers ? 1 : 0) | (buffer >= outs ? 2 : 0);
    }

    /** Makes what was added visible, and notifies the device if it wants that. */
    public boolean kick() {
        SHORT.setRelease(ram, available + 2, (short) availableIndex);
        VarHandle.fullFence();
        boolean wanted;
        if (eventIndex) {
            int event = (short) SHORT.getOpaque(ram, used + 4 + 8L * size) & 0xFFFF;
            wanted = (availableIndex - event - 1 & 0xFFFF) < (availableIndex - kickedIndex & 0xFFFF);
        } else {
            wanted = ((short) SHORT.getOpaque(ram, used) & 1) == 0;
        }
        kickedIndex = availableIndex;
        if (wanted) {
            transport.notifyQueue(number);
        }
        return wanted;
    }

    /** {@return the head of the next finished request, or -1 when there is none} */
    public int poll() {
        int index = (short) SHORT.getAcquire(ram, used + 2) & 0xFFFF;
        if (index == usedIndex) {
            return -1;
        }
        long at = used + 4 + 8L * (usedIndex & size - 1);
        int head = ram.get(INT, at);
        lastLength = ram.get(INT, at + 4);
        usedIndex = usedIndex + 1 & 0xFFFF;
        int last = head;
        for (int i = 1; i < chainLength[head]; i++) {
            last = ram.get(SHORT_LAYOUT, descriptors + 16L * last + 14);
        }
        ram.set(SHORT_LAYOUT, descriptors + 16L * last + 14, (short) freeHead);
        freeHead = head;
        freeCount += chainLength[head];
        return head;
    }

    /** {@return the length that came with the last polled request} */
    public int lastLength() {
        return lastLength;
    }

    /** Asks for an interrupt on the next used buffer. {@return whether one is there already} */
    public boolean enableInterrupts() {
        return enableInterruptsAfter(0);
    }

    /** Asks for an interrupt once so many more buffers than one are used. */
    public boolean enableInterruptsAfter(int more) {
        if (eventIndex) {
            SHORT.setOpaque(ram, available + 4 + 2L * size, (short) (usedIndex + more));
        } else {
            SHORT.setOpaque(ram, available, (short) 0);
        }
        VarHandle.fullFence();
        return ((short) SHORT.getAcquire(ram, used + 2) & 0xFFFF) != usedIndex;
    }

    /** Asks for no interrupts. */
    public void disableInterrupts() {
        if (eventIndex) {
            SHORT.setOpaque(ram, available + 4 + 2L * size, (short) (usedIndex - 1));
        } else {
            SHORT.setOpaque(ram, available, (short) 1);
        }
    }

    /** Waits for a request to finish. {@return its head} */
    public int await() {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (true) {
            int head = poll();
            if (head >= 0) {
                return head;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError("queue %d: no answer; status %#x".formatted(number, transport.status()));
            }
            Thread.onSpinWait();
            if (System.nanoTime() % 64 == 0) {
                Thread.yield();
            }
        }
    }
}
