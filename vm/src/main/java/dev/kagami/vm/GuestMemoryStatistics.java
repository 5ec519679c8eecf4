package dev.kagami.vm;

import dev.kagami.virtio.balloon.BalloonStatistic;
import java.util.Map;

/**
 * What a guest tells about its memory (virtio 1.2, 5.5.6.4). A number that the guest doesn't tell is -1.
 *
 * @param total bytes of memory
 * @param free bytes that nothing uses
 * @param available bytes that programs could get without swapping
 * @param caches bytes of caches that could be dropped
 * @param swappedIn bytes swapped in since the guest's start
 * @param swappedOut bytes swapped out since the guest's start
 * @param majorFaults page faults that had to wait for a disk
 * @param minorFaults other page faults
 */
public record GuestMemoryStatistics(
        long total,
        long free,
        long available,
        long caches,
        long swappedIn,
        long swappedOut,
        long majorFaults,
        long minorFaults) {
    static GuestMemoryStatistics of(Map<BalloonStatistic, Long> values) {
        return new GuestMemoryStatistics(
                values.getOrDefault(BalloonStatistic.TOTAL, -1L),
                values.getOrDefault(BalloonStatistic.FREE, -1L),
                values.getOrDefault(BalloonStatistic.AVAILABLE, -1L),
                values.getOrDefault(BalloonStatistic.CACHES, -1L),
                values.getOrDefault(BalloonStatistic.SWAP_IN, -1L),
                values.getOrDefault(BalloonStatistic.SWAP_OUT, -1L),
                values.getOrDefault(BalloonStatistic.MAJOR_FAULTS, -1L),
                values.getOrDefault(BalloonStatistic.MINOR_FAULTS, -1L));
    }
}
