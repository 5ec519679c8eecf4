package dev.kagami.virtio;

/** How a device reaches its driver: implemented by transports. Any thread may call it; it never blocks for long. */
public interface InterruptSink {
    /**
     * Says that a queue has used buffers.
     *
     * @param queue the queue's number
     */
    void queueInterrupt(int queue);

    /** Says that the configuration space or the status has changed. */
    void configInterrupt();

    /** Called when the device was reset: interrupts that wait are forgotten, and so is where they go. */
    void reset();
}
