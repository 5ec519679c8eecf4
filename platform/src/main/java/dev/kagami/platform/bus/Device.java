package dev.kagami.platform.bus;

/** What every device of the machine can do. */
public interface Device {
    /** Goes back to the state after power-on: registers, timers and interrupt lines. */
    void reset();
}
