package dev.kagami.platform.device;

/**
 * State of {@link AcpiPm}.
 *
 * @param status the PM1 status register
 * @param enable the PM1 enable register
 * @param control the PM1 control register
 * @param ticks the timer, with the bits that the guest doesn't see
 * @param seenChanges how often the timer's top bit had changed at the last look
 */
public record AcpiPmState(int status, int enable, int control, long ticks, long seenChanges) {
    /** Checks the values. */
    public AcpiPmState {
        if (ticks < 0 || ticks > Long.MAX_VALUE / 1000 || seenChanges < 0) {
            throw new IllegalArgumentException("not the state of a power management timer");
        }
    }
}
