package dev.kagami.platform.bus;

/**
 * A device that a snapshot can keep.
 *
 * <p>A state is a record of primitives, strings, arrays of primitives, other such records, and lists of them: that is what
 * {@code dev.kagami.vm} can write to a file. It says everything that the guest could notice, and times as distances from now.
 * Which interrupt lines the device asserts is not part of it: they follow from it.
 *
 * @param <S> the state
 */
public interface StatefulDevice<S extends Record> extends Device {
    /** {@return the class of the state} */
    Class<S> stateType();

    /** {@return a copy of the state; the machine stands still} */
    S state();

    /**
     * Replaces the state and sets the interrupt lines accordingly. The device is as after a reset, and the machine stands
     * still.
     *
     * @param state the new state, which may come from a damaged file
     * @throws IllegalArgumentException when it is not one that the device can be in
     */
    void setState(S state);
}
