package dev.kagami.vm;

/**
 * A memory balloon: see {@link MemoryBalloon} for what it does while the machine runs.
 *
 * @param deflateOnDemand whether a guest that runs out of memory may take back what it gave up
 */
public record Balloon(boolean deflateOnDemand) {
    /** {@return a balloon that a guest in need may take memory from} */
    public static Balloon yielding() {
        return new Balloon(true);
    }

    /** {@return a balloon that keeps what it has until the target changes} */
    public static Balloon firm() {
        return new Balloon(false);
    }
}
