package dev.kagami.platform.device;

/** Conversion between nanoseconds and the ticks of a fixed clock, exact over the whole range of a day's uptime and more. */
final class Ticks {
    private static final long NANOS = 1_000_000_000L;

    private Ticks() {}

    /**
     * Converts to whole ticks, rounding down.
     *
     * @param nanos nanoseconds, at least 0
     * @param hertz frequency, at most 1 GHz
     * @return ticks
     */
    static long fromNanos(long nanos, long hertz) {
        return nanos / NANOS * hertz + nanos % NANOS * hertz / NANOS;
    }

    /**
     * Converts to nanoseconds, rounding up, so that at the result the tick has happened.
     *
     * @param ticks ticks, at least 0
     * @param hertz frequency, at most 1 GHz
     * @return nanoseconds
     */
    static long toNanos(long ticks, long hertz) {
        return ticks / hertz * NANOS + (ticks % hertz * NANOS + hertz - 1) / hertz;
    }
}
