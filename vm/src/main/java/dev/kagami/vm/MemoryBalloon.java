package dev.kagami.vm;

import dev.kagami.virtio.balloon.BalloonDevice;
import dev.kagami.virtio.balloon.BalloonStatistic;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * Takes memory from a running guest and gives it back. What the guest gives up, and what it reports as free by itself, goes
 * back to the host at once where the host can take it, which Linux can. Thread-safe.
 */
public final class MemoryBalloon {
    private static final Duration POLL_INTERVAL = Duration.ofMillis(5);

    private final BalloonDevice device;
    private final MemorySize memory;

    MemoryBalloon(BalloonDevice device, MemorySize memory) {
        this.device = device;
        this.memory = memory;
    }

    /**
     * Asks the guest to get along with less memory than it was started with, or to take some back. It does so in its own
     * time, as far as it can; {@link #size} tells how far it is. Stays asked for across a reset.
     *
     * @param target how much memory the guest shall have, at most what it was started with
     * @throws IllegalArgumentException when that is more
     */
    public void setTarget(MemorySize target) {
        if (target.bytes() > memory.bytes()) {
            throw new IllegalArgumentException(
                    "a guest that was started with %s can't get %s".formatted(memory, target));
        }
        device.setTarget(memory.bytes() - target.bytes());
    }

    /** {@return how much memory the guest has now, as its driver says} */
    public MemorySize size() {
        return new MemorySize(Math.max(0, memory.bytes() - device.actual()));
    }

    /**
     * {@return how much memory was given back to the host since the machine was made, in bytes; a page counts each time. Zero
     * on hosts that take none back}
     */
    public long returnedBytes() {
        return device.reclaimed();
    }

    /**
     * Asks the guest about its memory.
     *
     * @param timeout how long to wait for its answer
     * @return the answer; empty when the guest's driver isn't there, or doesn't answer in time
     * @throws InterruptedException when the calling thread is interrupted
     */
    public Optional<GuestMemoryStatistics> statistics(Duration timeout) throws InterruptedException {
        Map<BalloonStatistic, Long> before = device.statistics();
        device.requestStatistics();
        long deadline = System.nanoTime() + timeout.toNanos();
        // Each answer is a new map.
        while (device.statistics() == before && deadline - System.nanoTime() > 0) {
            Thread.sleep(POLL_INTERVAL);
        }
        Map<BalloonStatistic, Long> answer = device.statistics();
        return answer == before || answer.isEmpty() ? Optional.empty() : Optional.of(GuestMemoryStatistics.of(answer));
    }
}
