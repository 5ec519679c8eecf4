package dev.kagami.platform.device;

import java.util.List;

/**
 * State of {@link Hpet}.
 *
 * @param configuration the general configuration register
 * @param status the general interrupt status register
 * @param counter the main counter
 * @param comparators the comparators
 */
public record HpetState(long configuration, long status, long counter, List<Comparator> comparators) {
    /** Copies the list. */
    public HpetState {
        comparators = List.copyOf(comparators);
    }

    /**
     * State of a comparator.
     *
     * @param config the configuration register
     * @param value the comparator register
     * @param period the period in ticks
     * @param target the counter's value at which it fires
     * @param armed whether it will
     * @param sinceFired nanoseconds since it has fired last
     */
    public record Comparator(long config, long value, long period, long target, boolean armed, long sinceFired) {}
}
