package dev.kagami.net.tcp;

/** How long to wait for an acknowledgment (RFC 6298). Times are in nanoseconds. */
final class RetransmissionTimeout {
    private static final long MILLISECOND = 1_000_000L;
    private static final long INITIAL = 1_000 * MILLISECOND;
    private static final long MINIMUM = 200 * MILLISECOND;
    private static final long MAXIMUM = 60_000 * MILLISECOND;

    private long smoothed;
    private long variation;
    private long timeout = INITIAL;
    private int backoff;

    /** {@return how long to wait now} */
    long get() {
        return Math.min(MAXIMUM, timeout << Math.min(backoff, 20));
    }

    /** Takes a measured round trip into account. */
    void sample(long roundTrip) {
        if (smoothed == 0) {
            smoothed = Math.max(1, roundTrip);
            variation = roundTrip / 2;
        } else {
            variation += (Math.abs(smoothed - roundTrip) - variation) / 4;
            smoothed += (roundTrip - smoothed) / 8;
        }
        timeout = Math.clamp(smoothed + 4 * variation, MINIMUM, MAXIMUM);
    }

    /** Waits twice as long the next time. */
    void backOff() {
        backoff++;
    }

    /** {@return how often it was waited in vain} */
    int attempts() {
        return backoff;
    }

    /** Forgets that it was waited in vain: the other side has acknowledged something new. */
    void restart() {
        backoff = 0;
    }
}
