package dev.kagami.image.fetch;

import dev.kagami.image.ProgressListener;
import java.time.Duration;

/** Tells a listener of progress a few times a second. */
final class Throttle {

    private static final Duration INTERVAL = Duration.ofMillis(200);

    /** What takes less isn't worth a word. */
    private static final Duration PATIENCE = Duration.ofMillis(800);

    private final ProgressListener listener;
    private final String phase;
    private long next;

    private Throttle(ProgressListener listener, String phase, Duration first) {
        this.listener = listener;
        this.phase = phase;
        next = System.nanoTime() + first.toNanos();
    }

    /** Returns one that speaks at once. */
    static Throttle of(ProgressListener listener, String phase) {
        return new Throttle(listener, phase, Duration.ZERO);
    }

    /** Returns one that speaks if it takes long. */
    static Throttle patient(ProgressListener listener, String phase) {
        return new Throttle(listener, phase, PATIENCE);
    }

    /**
     * Hears of progress.
     *
     * @param done how much is done
     * @param total how much there is; 0 or less if nobody knows
     */
    void progress(long done, long total) {
        long now = System.nanoTime();
        if (now - next >= 0) {
            next = now + INTERVAL.toNanos();
            listener.progress(phase, total <= 0 ? ProgressListener.UNKNOWN : Math.min(1, (double) done / total));
        }
    }
}
