package dev.kagami.virtio.balloon;

import dev.kagami.memory.GuestMemory;

/**
 * What a {@link BalloonDevice} is made of.
 *
 * @param deflateOnDemand whether a guest that runs out of memory may take pages back by itself
 * @param reclaimer gives pages back to the host
 */
public record BalloonConfig(boolean deflateOnDemand, PageReclaimer reclaimer) {
    /**
     * Makes the configuration of a balloon that gives what it gets back to the host.
     *
     * @param deflateOnDemand whether a guest that runs out of memory may take pages back by itself
     * @return the configuration
     */
    public static BalloonConfig of(boolean deflateOnDemand) {
        return new BalloonConfig(deflateOnDemand, GuestMemory::release);
    }
}
