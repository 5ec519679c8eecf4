package dev.kagami.platform.device;

import java.util.List;

/**
 * State of {@link Pit8254}.
 *
 * @param control system control port B
 * @param ticks ticks of the input clock since the device was made
 * @param sinceFired nanoseconds since counter 0 has interrupted last
 * @param counters the three counters
 */
public record PitState(int control, long ticks, long sinceFired, List<Counter> counters) {
    /** Checks the values. */
    public PitState {
        counters = List.copyOf(counters);
        if (counters.size() != 3 || ticks < 0 || ticks > Long.MAX_VALUE / 1000) {
            throw new IllegalArgumentException("not the state of an 8254");
        }
    }

    /**
     * State of one counter. Times are in ticks, as {@link PitState#ticks}.
     *
     * @param mode 0 to 5
     * @param bcd counts decimally
     * @param access which bytes are read and written, 1 to 3
     * @param reload where it counts from
     * @param loaded there was a count since the control word
     * @param triggered the gate has triggered it
     * @param gate state of the gate
     * @param start when the count was loaded or resumed
     * @param counted ticks counted before that
     * @param edge when the output rises next, or -1 when it doesn't
     * @param writtenLow the low byte of a count of which the high one is still missing
     * @param writeHighNext the high byte is written next
     * @param readHighNext the high byte is read next
     * @param latchedCount the latched count, or -1
     * @param latchedStatus the latched status, or -1
     */
    public record Counter(
            int mode,
            boolean bcd,
            int access,
            int reload,
            boolean loaded,
            boolean triggered,
            boolean gate,
            long start,
            long counted,
            long edge,
            int writtenLow,
            boolean writeHighNext,
            boolean readHighNext,
            int latchedCount,
            int latchedStatus) {
        /** Checks the values. */
        public Counter {
            if (mode < 0 || mode > 5 || access < 1 || access > 3 || reload < 1 || reload > 0x1_0000) {
                throw new IllegalArgumentException("not the state of a counter of an 8254");
            }
        }
    }
}
