package dev.kagami.virtio;

/** A kind of device, whatever its transport. Implementations are thread-safe. */
public interface VirtioDevice {
    /** {@return what it is} */
    DeviceType type();

    /** {@return the name of its thread, and of the device in log messages} */
    String name();

    /** {@return the features that it offers, without those of {@link Features} that all devices have} */
    long features();

    /** {@return the largest size of each queue, powers of two up to {@link Virtqueue#MAX_SIZE}; at most 64 queues} */
    int[] queueSizes();

    /** {@return its configuration space} */
    DeviceConfig config();

    /** {@return the class of its handler's state} */
    default Class<? extends Record> stateType() {
        return NoState.class;
    }

    /**
     * Begins service. Called when the driver is ready; not again before the handler is closed.
     *
     * @param context queues and features
     * @return who serves the queues
     */
    QueueHandler activate(DeviceContext context);
}
