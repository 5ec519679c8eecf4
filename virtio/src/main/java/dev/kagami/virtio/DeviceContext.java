package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.util.List;

/** What an active device has to work with. Thread-safe, except for the queues as they say. */
public final class DeviceContext {
    private final DriverInterface owner;
    private final GuestMemory memory;
    private final long features;
    private final List<Virtqueue> queues;

    DeviceContext(DriverInterface owner, GuestMemory memory, long features, List<Virtqueue> queues) {
        this.owner = owner;
        this.memory = memory;
        this.features = features;
        this.queues = queues;
    }

    /** {@return the guest's RAM} */
    public GuestMemory memory() {
        return memory;
    }

    /**
     * Tells whether a feature was negotiated.
     *
     * @param bit the feature's number
     * @return whether it was
     */
    public boolean has(int bit) {
        return Features.has(features, bit);
    }

    /**
     * Gets a queue.
     *
     * @param number the queue's number
     * @return the queue; one that is always empty when the driver doesn't use it
     */
    public Virtqueue queue(int number) {
        return queues.get(number);
    }

    /**
     * Has a queue served soon on the device's thread. Returns at once.
     *
     * @param queue the queue's number
     */
    public void wake(int queue) {
        owner.notifyQueue(queue);
    }

    /** Tells the driver that the device has changed its configuration space. */
    public void configChanged() {
        owner.configChanged();
    }

    /**
     * Stops the device and tells the driver that it needs a reset.
     *
     * @param reason why, for a person
     */
    public void fail(String reason) {
        owner.fail(reason);
    }
}
