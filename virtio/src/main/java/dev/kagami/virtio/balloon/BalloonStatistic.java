package dev.kagami.virtio.balloon;

import org.jspecify.annotations.Nullable;

/** What a guest tells about its memory (virtio 1.2, 5.5.6.4), in the order of the tags. */
public enum BalloonStatistic {
    /** Bytes swapped in. */
    SWAP_IN,
    /** Bytes swapped out. */
    SWAP_OUT,
    /** Page faults that had to wait for a disk. */
    MAJOR_FAULTS,
    /** Other page faults. */
    MINOR_FAULTS,
    /** Bytes that nothing uses. */
    FREE,
    /** Bytes of memory. */
    TOTAL,
    /** Bytes that programs could get without swapping. */
    AVAILABLE,
    /** Bytes of caches that could be dropped. */
    CACHES,
    /** Huge pages allocated. */
    HUGE_PAGES_ALLOCATED,
    /** Huge pages that couldn't be allocated. */
    HUGE_PAGES_FAILED;

    private static final BalloonStatistic[] VALUES = values();

    static @Nullable BalloonStatistic of(int tag) {
        return tag < VALUES.length ? VALUES[tag] : null;
    }
}
