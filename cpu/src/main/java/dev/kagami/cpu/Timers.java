package dev.kagami.cpu;

/** Monotonic time and one-shot timers. Thread-safe. */
public interface Timers {
    /** {@return monotonic time in nanoseconds; the origin is arbitrary} */
    long nanoTime();

    /** {@link #hostOffset}: this isn't the host's clock. */
    long NOT_HOST_TIME = Long.MIN_VALUE;

    /**
     * {@return what {@link #nanoTime} has over {@link System#nanoTime}, for as long as virtual CPUs run; or
     * {@link #NOT_HOST_TIME} when it is another clock}
     */
    default long hostOffset() {
        return NOT_HOST_TIME;
    }

    /**
     * Makes a disarmed timer.
     *
     * @param action runs when the timer expires, on the timers' own thread; must be short and must not block
     * @return the timer
     */
    Timer create(Runnable action);

    /** A one-shot timer. Thread-safe. An expiry that is already under way may still run after a change. */
    interface Timer {
        /**
         * Arms the timer, replacing an earlier deadline.
         *
         * @param deadline time in nanoseconds as {@link Timers#nanoTime} counts; a past time expires at once
         */
        void arm(long deadline);

        /** Disarms the timer. */
        void disarm();
    }
}
