package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A split virtqueue (virtio 1.2, 2.7) as the device sees it.
 *
 * <p>The usual loop, which leaves no request behind and notifies as little as possible in both directions:
 *
 * <pre>{@code
 * do {
 *     queue.disableNotifications();
 *     while (queue.pop(chain)) {
 *         ...
 *         queue.push(chain, chain.written());
 *     }
 * } while (queue.enableNotifications());
 * queue.interrupt();
 * }</pre>
 *
 * <p>Thread-safety: taking requests belongs to one thread at a time; {@link #push}, {@link #stage}, {@link #publish} and
 * {@link #interrupt} may be called from any.
 */
public final class Virtqueue {
    /** Largest number of descriptors. */
    public static final int MAX_SIZE = 1024;

    private static final ValueLayout.OfShort SHORT_LAYOUT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort TABLE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt TABLE_INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong TABLE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORT = SHORT_LAYOUT.varHandle();

    private static final int DESCRIPTOR_SIZE = 16;
    private static final int DESCRIPTOR_LENGTH = 8;
    private static final int DESCRIPTOR_FLAGS = 12;
    private static final int DESCRIPTOR_NEXT = 14;
    private static final int FLAG_NEXT = 1;
    private static final int FLAG_WRITE = 2;
    private static final int FLAG_INDIRECT = 4;

    private static final int RING_FLAGS = 0;
    private static final int RING_INDEX = 2;
    private static final int RING_ENTRIES = 4;
    private static final int AVAILABLE_ENTRY = 2;
    private static final int USED_ENTRY = 8;
    private static final int NO_INTERRUPT = 1;
    private static final int NO_NOTIFY = 1;
    private static final int INDEX_MASK = 0xFFFF;

    private static final int DESCRIPTOR_ALIGNMENT = 16;
    private static final int AVAILABLE_ALIGNMENT = 2;
    private static final int USED_ALIGNMENT = 4;

    private final int number;
    private final int size;
    private final GuestMemory memory;
    private final MemorySegment ram;
    private final long descriptors;
    private final long available;
    private final long used;
    private final boolean eventIndex;
    private final boolean indirect;
    private final InterruptSink sink;
    private final Object usedLock = new Object();

    private volatile boolean running;
    private volatile boolean stopped;
    /** Index of the next request to take, and how far the driver was when it was last looked at. */
    private int nextAvailable;

    private int seenAvailable;
    /** Guarded by the lock, as the next two: index behind the last used entry. */
    private int staged;

    private int published;
    private int signalled;

    private Virtqueue(
            int number,
            int size,
            GuestMemory memory,
            long descriptors,
            long available,
            long used,
            long features,
            InterruptSink sink) {
        this.number = number;
        this.size = size;
        this.memory = memory;
        this.ram = memory.segment();
        this.descriptors = descriptors;
        this.available = available;
        this.used = used;
        this.eventIndex = Features.has(features, Features.EVENT_INDEX);
        this.indirect = Features.has(features, Features.INDIRECT_DESCRIPTORS);
        this.sink = sink;
    }

    /**
     * Makes a queue where the driver says it is.
     *
     * @param number the queue's number
     * @param size number of descriptors, a power of two up to {@link #MAX_SIZE}
     * @param memory the guest's RAM
     * @param addresses guest-physical addresses of descriptor table, available ring and used ring
     * @param features what was negotiated
     * @param sink how to interrupt the driver
     * @return the queue, not running yet
     * @throws BrokenQueueException when a part isn't aligned or isn't RAM
     */
    static Virtqueue create(
            int number, int size, GuestMemory memory, QueueAddresses addresses, long features, InterruptSink sink) {
        int event = Features.has(features, Features.EVENT_INDEX) ? 2 : 0;
        return new Virtqueue(
                number,
                size,
                memory,
                place(memory, addresses.descriptors(), (long) size * DESCRIPTOR_SIZE, DESCRIPTOR_ALIGNMENT),
                place(
                        memory,
                        addresses.available(),
                        RING_ENTRIES + (long) size * AVAILABLE_ENTRY + event,
                        AVAILABLE_ALIGNMENT),
                place(memory, addresses.used(), RING_ENTRIES + (long) size * USED_ENTRY + event, USED_ALIGNMENT),
                features,
                sink);
    }

    /** Makes a queue that the driver doesn't use: it is always empty. */
    static Virtqueue unused(int number, GuestMemory memory) {
        Virtqueue queue = new Virtqueue(number, 0, memory, 0, 0, 0, 0, new NoInterrupts());
        queue.stopped = true;
        return queue;
    }

    private static long place(GuestMemory memory, long address, long length, int alignment) {
        if (address % alignment != 0 || !memory.isRam(address, length)) {
            throw new BrokenQueueException("a queue at %#x".formatted(address));
        }
        return memory.offsetOf(address);
    }

    /** {@return the queue's number} */
    public int number() {
        return number;
    }

    /** {@return the number of descriptors; 0 when the driver doesn't use the queue} */
    public int size() {
        return size;
    }

    /** {@return whether the driver uses the queue} */
    public boolean isEnabled() {
        return size != 0;
    }

    /** {@return where the queue stands; nothing is under way and nothing staged} */
    DriverState.Queue state(QueueAddresses addresses, int held) {
        synchronized (usedLock) {
            return new DriverState.Queue(
                    size,
                    isEnabled(),
                    addresses.descriptors(),
                    addresses.available(),
                    addresses.used(),
                    nextAvailable - held & INDEX_MASK,
                    published,
                    signalled);
        }
    }

    /** Continues where another queue stood. */
    void setState(DriverState.Queue state) {
        synchronized (usedLock) {
            nextAvailable = state.nextAvailable() & INDEX_MASK;
            seenAvailable = nextAvailable;
            published = state.published() & INDEX_MASK;
            staged = published;
            signalled = state.signalled() & INDEX_MASK;
        }
    }

    /** Lets requests be taken, or not for a while. */
    void setRunning(boolean run) {
        running = run;
    }

    /** {@return whether the driver has taken the queue away, so that nobody waits for the end of what is being done} */
    public boolean isStopped() {
        return stopped;
    }

    /** Takes no more requests, forever. */
    void stop() {
        stopped = true;
    }

    /**
     * Takes the next request.
     *
     * @param chain is filled with its buffers
     * @return false when there is none now, or the device is being reset
     * @throws BrokenQueueException when the driver has put nonsense into the queue
     */
    public boolean pop(DescriptorChain chain) {
        if (stopped || !running) {
            return false;
        }
        if (nextAvailable == seenAvailable && !look()) {
            return false;
        }
        int at = nextAvailable & size - 1;
        int head = ram.get(SHORT_LAYOUT, available + RING_ENTRIES + (long) at * AVAILABLE_ENTRY) & INDEX_MASK;
        nextAvailable = nextAvailable + 1 & INDEX_MASK;
        chain.begin(head);
        walk(head, chain);
        return true;
    }

    /** {@return whether a request waits} */
    public boolean hasWaiting() {
        return !stopped && running && (nextAvailable != seenAvailable || look());
    }

    /** Looks how far the driver is. */
    private boolean look() {
        int index = (short) SHORT.getAcquire(ram, available + RING_INDEX) & INDEX_MASK;
        int waiting = index - nextAvailable & INDEX_MASK;
        if (waiting > size) {
            throw new BrokenQueueException("%d requests in a queue of %d".formatted(waiting, size));
        }
        seenAvailable = index;
        return waiting != 0;
    }

    /**
     * Gives requests back that were taken last, in order, to be taken again.
     *
     * @param chains how many
     */
    public void unpop(int chains) {
        nextAvailable = nextAvailable - chains & INDEX_MASK;
    }

    /** Reads each descriptor once, checks it, and notes down where its buffer is. */
    private void walk(int head, DescriptorChain chain) {
        long table = descriptors;
        int entries = size;
        int index = head;
        boolean inside = false;
        int direct = 0;
        int buffers = 0;
        while (true) {
            if (index >= entries) {
                throw new BrokenQueueException("descriptor %d of %d".formatted(index, entries));
            }
            long at = table + (long) index * DESCRIPTOR_SIZE;
            long address = ram.get(TABLE_LONG, at);
            long length = ram.get(TABLE_INT, at + DESCRIPTOR_LENGTH) & 0xFFFF_FFFFL;
            int flags = ram.get(TABLE_SHORT, at + DESCRIPTOR_FLAGS);
            int next = ram.get(TABLE_SHORT, at + DESCRIPTOR_NEXT) & INDEX_MASK;
            // A direct chain that is longer than the table is a loop (virtio 1.2, 2.7.5.2).
            if (!inside && ++direct > size || ++buffers > DescriptorChain.MAX_BUFFERS) {
                throw new BrokenQueueException("a chain of more than %d descriptors".formatted(buffers - 1));
            }
            if ((flags & FLAG_INDIRECT) != 0) {
                if (!indirect || inside || (flags & FLAG_NEXT) != 0) {
                    throw new BrokenQueueException("an indirect descriptor where none may be");
                }
                if (length == 0
                        || length % DESCRIPTOR_SIZE != 0
                        || length > (long) DescriptorChain.MAX_BUFFERS * DESCRIPTOR_SIZE
                        || !memory.isRam(address, length)) {
                    throw new BrokenQueueException("a table of %d bytes at %#x".formatted(length, address));
                }
                table = memory.offsetOf(address);
                entries = (int) length / DESCRIPTOR_SIZE;
                index = 0;
                inside = true;
                buffers--;
                continue;
            }
            if (length == 0 || !memory.isRam(address, length)) {
                throw new BrokenQueueException("a buffer of %d bytes at %#x".formatted(length, address));
            }
            chain.add(memory.offsetOf(address), length, (flags & FLAG_WRITE) != 0);
            if ((flags & FLAG_NEXT) == 0) {
                return;
            }
            index = next;
        }
    }

    /**
     * Asks the driver not to notify while requests are being taken anyway (virtio 1.2, 2.7.10). With an event index there is
     * nothing to do: the index that was asked for has passed.
     */
    public void disableNotifications() {
        if (!eventIndex && size != 0) {
            SHORT.setOpaque(ram, used + RING_FLAGS, (short) NO_NOTIFY);
        }
    }

    /**
     * Asks the driver to notify about the next request that it adds.
     *
     * @return true when requests wait, among them any that came before the driver could see that: go on taking
     * @throws BrokenQueueException when the driver has put nonsense into the queue
     */
    public boolean enableNotifications() {
        if (stopped || !running) {
            return false;
        }
        if (eventIndex) {
            look();
            SHORT.setOpaque(ram, used + RING_ENTRIES + (long) size * USED_ENTRY, (short) seenAvailable);
        } else {
            SHORT.setOpaque(ram, used + RING_FLAGS, (short) 0);
        }
        // The driver writes its index and then looks at ours; we do it the other way round.
        VarHandle.fullFence();
        return look();
    }

    /**
     * Gives a request back to the driver as done.
     *
     * @param chain the request
     * @param written how many bytes of its writable buffers the device has written, from the first on; for the driver
     *     nothing behind them is defined
     */
    public void push(DescriptorChain chain, long written) {
        synchronized (usedLock) {
            stage(chain, written);
            publish();
        }
    }

    /**
     * Gives a request back that the driver can't see before {@link #publish}.
     *
     * @param chain the request
     * @param written as for {@link #push}
     */
    public void stage(DescriptorChain chain, long written) {
        chain.announce(written);
        synchronized (usedLock) {
            if (size == 0) {
                return;
            }
            long at = used + RING_ENTRIES + (long) (staged & size - 1) * USED_ENTRY;
            ram.set(INT, at, chain.head());
            ram.set(INT, at + 4, (int) Math.min(written, 0xFFFF_FFFFL));
            memory.written(at, USED_ENTRY);
            staged = staged + 1 & INDEX_MASK;
        }
    }

    /** Shows all staged requests to the driver at once. */
    public void publish() {
        synchronized (usedLock) {
            if (size != 0 && staged != published) {
                published = staged;
                SHORT.setRelease(ram, used + RING_INDEX, (short) published);
            }
        }
    }

    /** Interrupts the driver if it wants that for what was pushed since the last call (virtio 1.2, 2.7.7). */
    public void interrupt() {
        synchronized (usedLock) {
            int done = published - signalled & INDEX_MASK;
            if (done == 0) {
                return;
            }
            signalled = published;
            // The driver writes what it wants and then looks at the index; we do it the other way round.
            VarHandle.fullFence();
            if (eventIndex) {
                long at = available + RING_ENTRIES + (long) size * AVAILABLE_ENTRY;
                int event = (short) SHORT.getOpaque(ram, at) & INDEX_MASK;
                if ((published - event - 1 & INDEX_MASK) >= done) {
                    return;
                }
            } else if (((short) SHORT.getOpaque(ram, available + RING_FLAGS) & NO_INTERRUPT) != 0) {
                return;
            }
        }
        if (!stopped) {
            sink.queueInterrupt(number);
        }
    }

    private static final class NoInterrupts implements InterruptSink {
        @Override
        public void queueInterrupt(int queue) {
            // Nobody is there.
        }

        @Override
        public void configInterrupt() {
            // Nobody is there.
        }

        @Override
        public void reset() {
            // Nothing to forget.
        }
    }
}
