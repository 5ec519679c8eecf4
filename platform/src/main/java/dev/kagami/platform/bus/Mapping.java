package dev.kagami.platform.bus;

/** A device's place on the {@link PcBus}. */
@FunctionalInterface
public interface Mapping {
    /** Takes the device off the bus; accesses that are under way finish. Does nothing the second time. */
    void remove();
}
