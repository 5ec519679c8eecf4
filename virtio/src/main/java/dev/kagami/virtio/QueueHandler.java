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
     * Tells what a snapshot keeps, besides the queues and the configuration space. The device stands still and is settled.
     *
     * @return a copy of the state, of the device's {@link VirtioDevice#stateType}
     */
    default Record state() {
        return new NoState();
    }

    /**
     * Replaces the state, before the device's thread begins.
     *
     * @param state the new state, of the device's {@link VirtioDevice#stateType}
     * @throws IllegalArgumentException when it is not one that the device can be in
     */
    default void setState(Record state) {
        // Most devices remember nothing.
    }

    /**
     * Tells how many requests of a queue were taken and are kept for later. A snapshot has them taken anew.
     *
     * @param queue the queue's number
     * @return how many; they were the last to be taken
     */
    default int held(int queue) {
        return 0;
    }

    /**
     * Ends service. Called once, after the device's thread has ended; when this returns nothing may touch guest memory or
     * the queues any more.
     */
    void close();
}
