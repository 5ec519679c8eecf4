package dev.kagami.virtio.balloon;

/**
 * What a {@link BalloonDevice} is made of.
 *
 * @param deflateOnDemand whether a guest that runs out of memory may take pages back by itself
 * @param reclaimer gives pages back to the host
 */
public record BalloonConfig(boolean deflateOnDemand, PageReclaimer reclaimer) {
    /** {@return a balloon that the guest may not deflate, and that gives nothing back to the host} */
    public static BalloonConfig cooperative() {
        return new BalloonConfig(false, PageReclaimer.NONE);
    }
}
