package dev.kagami.virtio;

/** Serves the queues of an active device. */
public interface QueueHandler {
    /**
     * Serves a queue: called on the device's thread after the driver or {@link DeviceContext#wake} has pointed at it. Must
     * return when the queue is empty, and should leave it able to notify; may throw {@link BrokenQueueException}.
     *
     * @param queue the queue's number
     */
    void serve(int queue);

    /**
     * Waits until nothing is under way any more that would write guest memory or use a buffer. Called while the device's
     * thread stands still and the queues give no requests; service goes on afterwards, or ends.
     */
    default void settle() {
        // Most devices are done with a request when they have served it.
    }

    /**
     * Ends service. Called once, after the device's thread has ended; when this returns nothing may touch guest memory or
     * the queues any more.
     */
    void close();
}
