package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a driver sees of a device, whichever transport shows it: features, status (virtio 1.2, 2.1 and 3.1), the
 * configuration space, and where the queues are.
 *
 * <p>Thread-safe. {@link #notifyQueue} takes no lock and returns at once.
 */
public final class DriverInterface {
    /** The driver has seen the device. */
    public static final int ACKNOWLEDGE = 1;

    /** There is a driver for it. */
    public static final int DRIVER = 2;

    /** The driver is ready. */
    public static final int DRIVER_OK = 4;

    /** The driver is done with features. */
    public static final int FEATURES_OK = 8;

    /** The device can't go on without a reset. */
    public static final int NEEDS_RESET = 64;

    /** The driver has given up. */
    public static final int FAILED = 128;

    private static final Logger LOGGER = System.getLogger(DriverInterface.class.getName());
    private static final int DRIVER_BITS = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED;
    private static final DeviceState INACTIVE = new DeviceState.Inactive();
    private static final int MAX_QUEUES = 64;

    private final VirtioDevice device;
    private final GuestMemory memory;
    private final InterruptSink sink;
    private final QueueRegisters[] queues;
    private long driverFeatures;
    private volatile int status;
    private volatile boolean broken;
    private volatile DeviceState state = INACTIVE;
    private volatile boolean memoryAllowed = true;
    private boolean paused;
    private volatile @Nullable Throwable bug;

    /** What a driver has written about a queue. */
    private static final class QueueRegisters {
        final int maxSize;
        int size;
        boolean enabled;
        long descriptors;
        long available;
        long used;

        QueueRegisters(int maxSize) {
            this.maxSize = maxSize;
            this.size = maxSize;
        }

        QueueAddresses addresses() {
            return new QueueAddresses(descriptors, available, used);
        }

        void restore(DriverState.Queue state) {
            if (state.size() < 1 || state.size() > maxSize || Integer.bitCount(state.size()) != 1) {
                throw new IllegalArgumentException("a queue of %d descriptors".formatted(state.size()));
            }
            size = state.size();
            enabled = state.enabled();
            descriptors = state.descriptors();
            available = state.available();
            used = state.used();
        }

        void reset() {
            size = maxSize;
            enabled = false;
            descriptors = 0;
            available = 0;
            used = 0;
        }
    }

    /** The parts of a queue, by the names that the transports' registers have. */
    public enum QueuePart {
        /** Descriptor table. */
        DESCRIPTORS,
        /** Available ring. */
        DRIVER,
        /** Used ring. */
        DEVICE
    }

    /**
     * Makes the interface of a device that nobody drives.
     *
     * @param device the device
     * @param memory the guest's RAM
     * @param sink how to interrupt the driver
     */
    public DriverInterface(VirtioDevice device, GuestMemory memory, InterruptSink sink) {
        this.device = device;
        this.memory = memory;
        this.sink = sink;
        int[] sizes = device.queueSizes();
        if (sizes.length > MAX_QUEUES) {
            throw new IllegalArgumentException(sizes.length + " queues");
        }
        queues = new QueueRegisters[sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            if (sizes[i] < 1 || sizes[i] > Virtqueue.MAX_SIZE || Integer.bitCount(sizes[i]) != 1) {
                throw new IllegalArgumentException("a queue of " + sizes[i]);
            }
            queues[i] = new QueueRegisters(sizes[i]);
        }
    }

    /** {@return the device} */
    public VirtioDevice device() {
        return device;
    }

    /** {@return the number of queues} */
    public int queueCount() {
        return queues.length;
    }

    /** {@return all features that are offered} */
    public long offeredFeatures() {
        return device.features() | Features.COMMON;
    }

    /** {@return the features that the driver has written} */
    public synchronized long driverFeatures() {
        return driverFeatures;
    }

    /**
     * Takes features from the driver; ignored once they are settled.
     *
     * @param features the set
     */
    public synchronized void setDriverFeatures(long features) {
        if ((status & FEATURES_OK) == 0) {
            driverFeatures = features;
        }
    }

    /** {@return the status register} */
    public int status() {
        return broken ? status | NEEDS_RESET : status;
    }

    /**
     * Takes a new status from the driver. Zero resets the device: when this returns it touches no memory any more.
     *
     * @param value the status, 8 bits
     */
    public synchronized void setStatus(int value) {
        if (value == 0) {
            reset();
            return;
        }
        int wanted = value & DRIVER_BITS;
        int added = wanted & ~status;
        if ((added & FEATURES_OK) != 0 && !featuresAcceptable()) {
            // The driver reads the status back and sees that the bit isn't there (virtio 1.2, 3.1.1).
            wanted &= ~FEATURES_OK;
        }
        // Bits are only ever added (virtio 1.2, 2.1.1).
        status |= wanted;
        if ((added & FAILED) != 0) {
            deactivate();
        } else if ((added & DRIVER_OK) != 0) {
            activate();
        }
    }

    private boolean featuresAcceptable() {
        return (driverFeatures & ~offeredFeatures()) == 0 && Features.has(driverFeatures, Features.VERSION_1);
    }

    private void activate() {
        if ((status & FEATURES_OK) == 0) {
            fail("the driver is ready without having settled features");
            return;
        }
        try {
            DeviceState.Active active = begin(makeQueues());
            for (Virtqueue queue : active.queues()) {
                queue.setRunning(memoryAllowed);
            }
            state = active;
            active.thread().start();
            wakeAll(active);
        } catch (RuntimeException e) {
            failed(e);
        }
    }

    /** What came before anyone could be woken is served now. */
    private static void wakeAll(DeviceState.Active active) {
        for (Virtqueue queue : active.queues()) {
            if (queue.isEnabled()) {
                active.thread().wake(queue.number());
            }
        }
    }

    private void deactivate() {
        if (state instanceof DeviceState.Active active) {
            state = INACTIVE;
            active.queues().forEach(Virtqueue::stop);
            active.thread().stop();
            active.handler().close();
        }
    }

    /** Takes the device back to its state after power-on. When this returns it touches no memory any more. */
    public synchronized void reset() {
        deactivate();
        status = 0;
        broken = false;
        driverFeatures = 0;
        for (QueueRegisters queue : queues) {
            queue.reset();
        }
        device.config().reset();
        sink.reset();
    }

    /** {@return the last exception in the device that no driver should be able to cause, for tests} */
    @Nullable
    Throwable bug() {
        return bug;
    }

    private void failed(Throwable e) {
        if (!(e instanceof BrokenQueueException)) {
            bug = e;
            LOGGER.log(Level.ERROR, "virtio device %s failed".formatted(device.name()), e);
        }
        fail(String.valueOf(e.getMessage()));
    }

    /** Stops the device and tells the driver that it needs a reset (virtio 1.2, 2.1.2). Any thread may call this. */
    void fail(String reason) {
        if (state instanceof DeviceState.Active active) {
            active.queues().forEach(Virtqueue::stop);
        }
        broken = true;
        LOGGER.log(Level.DEBUG, () -> "virtio device %s needs a reset: %s".formatted(device.name(), reason));
        if ((status & DRIVER_OK) != 0) {
            sink.configInterrupt();
        }
    }

    void configChanged() {
        if ((status & DRIVER_OK) != 0) {
            sink.configInterrupt();
        }
    }

    /**
     * Says whether the device may access memory (for PCI, whether it is a bus master). While it may not, requests wait.
     *
     * @param allowed whether it may
     */
    public synchronized void setMemoryAllowed(boolean allowed) {
        memoryAllowed = allowed;
        if (state instanceof DeviceState.Active active) {
            for (Virtqueue queue : active.queues()) {
                queue.setRunning(allowed && !paused);
            }
            if (allowed) {
                wakeAll(active);
            }
        }
    }

    /**
     * Makes the device stand still. When this returns no request is under way, and none is taken before {@link #resume}.
     * No virtual CPU runs meanwhile.
     */
    public synchronized void pause() {
        paused = true;
        if (state instanceof DeviceState.Active active) {
            for (Virtqueue queue : active.queues()) {
                queue.setRunning(false);
            }
            active.thread().pause();
            active.handler().settle();
        }
    }

    /** Lets the device go on. */
    public synchronized void resume() {
        paused = false;
        if (state instanceof DeviceState.Active active) {
            for (Virtqueue queue : active.queues()) {
                queue.setRunning(memoryAllowed);
            }
            active.thread().resume();
            wakeAll(active);
        }
    }

    /** {@return a copy of the state; the device stands still} */
    public synchronized DriverState state() {
        List<DriverState.Queue> states = new ArrayList<>();
        for (int i = 0; i < queues.length; i++) {
            QueueRegisters registers = queues[i];
            boolean used = state instanceof DeviceState.Active active
                    && active.queues().get(i).isEnabled();
            if (used && state instanceof DeviceState.Active active) {
                states.add(active.queues()
                        .get(i)
                        .state(registers.addresses(), active.handler().held(i)));
            } else {
                states.add(new DriverState.Queue(
                        registers.size,
                        registers.enabled,
                        registers.descriptors,
                        registers.available,
                        registers.used,
                        0,
                        0,
                        0));
            }
        }
        return new DriverState(status, broken, driverFeatures, device.config().values(), states);
    }

    /** {@return a copy of what the device itself remembers; null while it isn't in service} */
    public synchronized @Nullable Record deviceState() {
        return state instanceof DeviceState.Active active ? active.handler().state() : null;
    }

    /**
     * Replaces the state, after a reset. The device stands still afterwards, until {@link #resume}.
     *
     * @param saved the new state
     * @param deviceState what the device itself remembers, of its {@link VirtioDevice#stateType}; null if it wasn't in service
     * @throws IllegalArgumentException when the device can't be in such a state
     */
    public synchronized void setState(DriverState saved, @Nullable Record deviceState) {
        if (saved.queues().size() != queues.length) {
            throw new IllegalArgumentException("a device with %d queues, not %d"
                    .formatted(queues.length, saved.queues().size()));
        }
        paused = true;
        driverFeatures = saved.driverFeatures();
        if ((saved.status() & FEATURES_OK) != 0 && !featuresAcceptable()) {
            throw new IllegalArgumentException(
                    "features %#x of a device that offers %#x".formatted(driverFeatures, offeredFeatures()));
        }
        status = saved.status() & DRIVER_BITS;
        broken = saved.broken();
        device.config().restore(saved.config(), status != 0);
        for (int i = 0; i < queues.length; i++) {
            queues[i].restore(saved.queues().get(i));
        }
        if (deviceState != null) {
            activate(saved, deviceState);
        }
    }

    private void activate(DriverState saved, Record deviceState) {
        List<Virtqueue> made = makeQueues();
        for (int i = 0; i < queues.length; i++) {
            made.get(i).setState(saved.queues().get(i));
        }
        DeviceState.Active active = begin(made);
        active.handler().setState(deviceState);
        state = active;
        if (broken) {
            made.forEach(Virtqueue::stop);
        }
        active.thread().startPaused();
    }

    private List<Virtqueue> makeQueues() {
        List<Virtqueue> made = new ArrayList<>();
        for (int i = 0; i < queues.length; i++) {
            QueueRegisters registers = queues[i];
            made.add(
                    registers.enabled
                            ? Virtqueue.create(i, registers.size, memory, registers.addresses(), driverFeatures, sink)
                            : Virtqueue.unused(i, memory));
        }
        return List.copyOf(made);
    }

    private DeviceState.Active begin(List<Virtqueue> made) {
        DeviceContext context = new DeviceContext(this, memory, driverFeatures, made);
        QueueHandler handler = device.activate(context);
        return new DeviceState.Active(context, made, handler, new DeviceThread(device.name(), handler, this::failed));
    }

    /**
     * Takes a notification: has a queue served soon on the device's thread.
     *
     * @param queue the queue's number; ignored when there is no such queue
     */
    public void notifyQueue(int queue) {
        if (queue >= 0 && queue < queues.length && state instanceof DeviceState.Active active) {
            active.thread().wake(queue);
            VirtqueueKickEvent.record(device.name(), queue);
        }
    }

    /**
     * Reads the configuration space.
     *
     * @param offset bytes from its start
     * @param size bytes, 1 to 8
     * @return the value
     */
    public long readConfig(int offset, int size) {
        return device.config().get(offset, size);
    }

    /**
     * Writes the configuration space; ignored where the driver may not.
     *
     * @param offset bytes from its start
     * @param size bytes, 1 to 8
     * @param value the value
     */
    public void writeConfig(int offset, int size, long value) {
        device.config().write(offset, size, value);
    }

    /**
     * Gets the largest size of a queue.
     *
     * @param queue the queue's number
     * @return the number of descriptors; 0 when there is no such queue
     */
    public int maxQueueSize(int queue) {
        return queue >= 0 && queue < queues.length ? queues[queue].maxSize : 0;
    }

    /**
     * Gets the size of a queue.
     *
     * @param queue the queue's number
     * @return the number of descriptors; 0 when there is no such queue
     */
    public synchronized int queueSize(int queue) {
        return maxQueueSize(queue) == 0 ? 0 : queues[queue].size;
    }

    /**
     * Sets the size of a queue. Ignored when it is no power of two, too large, or the queue is enabled.
     *
     * @param queue the queue's number
     * @param size number of descriptors
     */
    public synchronized void setQueueSize(int queue, int size) {
        if (size > 0 && size <= maxQueueSize(queue) && Integer.bitCount(size) == 1 && !queues[queue].enabled) {
            queues[queue].size = size;
        }
    }

    /**
     * Tells whether a queue is enabled.
     *
     * @param queue the queue's number
     * @return whether it is; false when there is no such queue
     */
    public synchronized boolean isQueueEnabled(int queue) {
        return maxQueueSize(queue) != 0 && queues[queue].enabled;
    }

    /**
     * Enables or disables a queue. It is taken into use when the driver becomes ready, and no later.
     *
     * @param queue the queue's number; ignored when there is no such queue
     * @param enabled whether the driver uses it
     */
    public synchronized void setQueueEnabled(int queue, boolean enabled) {
        if (maxQueueSize(queue) != 0) {
            queues[queue].enabled = enabled;
        }
    }

    /**
     * Gets half of an address of a queue.
     *
     * @param queue the queue's number
     * @param part which address
     * @param high whether the high or the low half
     * @return 32 bits; 0 when there is no such queue
     */
    public synchronized int queueAddress(int queue, QueuePart part, boolean high) {
        if (maxQueueSize(queue) == 0) {
            return 0;
        }
        long address = switch (part) {
            case DESCRIPTORS -> queues[queue].descriptors;
            case DRIVER -> queues[queue].available;
            case DEVICE -> queues[queue].used;
        };
        return (int) (high ? address >>> 32 : address);
    }

    /**
     * Sets half of an address of a queue. Ignored while the queue is enabled.
     *
     * @param queue the queue's number
     * @param part which address
     * @param high whether the high or the low half
     * @param value 32 bits
     */
    public synchronized void setQueueAddress(int queue, QueuePart part, boolean high, int value) {
        if (maxQueueSize(queue) == 0 || queues[queue].enabled) {
            return;
        }
        QueueRegisters registers = queues[queue];
        switch (part) {
            case DESCRIPTORS -> registers.descriptors = replaceHalf(registers.descriptors, high, value);
            case DRIVER -> registers.available = replaceHalf(registers.available, high, value);
            case DEVICE -> registers.used = replaceHalf(registers.used, high, value);
        }
    }

    private static long replaceHalf(long address, boolean high, int value) {
        return high ? address & 0xFFFF_FFFFL | (long) value << 32 : address & ~0xFFFF_FFFFL | value & 0xFFFF_FFFFL;
    }
}
