package dev.kagami.virtio;

import java.util.List;

/**
 * State of a {@link DriverInterface} that stands still: no request is under way.
 *
 * @param status the status register
 * @param broken whether the device needs a reset
 * @param driverFeatures the features that the driver has written
 * @param config the configuration space; only what the driver can write, or goes by, counts
 * @param queues the queues
 */
public record DriverState(int status, boolean broken, long driverFeatures, byte[] config, List<Queue> queues) {
    /** Copies the list. */
    public DriverState {
        queues = List.copyOf(queues);
    }

    /**
     * State of a queue.
     *
     * @param size number of descriptors
     * @param enabled whether the driver uses it
     * @param descriptors guest-physical address of the descriptor table
     * @param available guest-physical address of the available ring
     * @param used guest-physical address of the used ring
     * @param nextAvailable index of the next request to take
     * @param published index behind the last request that was given back
     * @param signalled the same at the last interrupt
     */
    public record Queue(
            int size,
            boolean enabled,
            long descriptors,
            long available,
            long used,
            int nextAvailable,
            int published,
            int signalled) {}
}
