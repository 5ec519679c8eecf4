package dev.kagami.boot;

import dev.kagami.cpu.X86State;
import java.util.List;

/** A kernel in guest memory, ready to run. Immutable. */
public final class LoadedKernel {
    private final BootProtocol protocol;
    private final String description;
    private final EntryState entry;
    private final List<Placement> placements;

    LoadedKernel(BootProtocol protocol, String description, EntryState entry, List<Placement> placements) {
        this.protocol = protocol;
        this.description = description;
        this.entry = entry;
        this.placements = List.copyOf(placements);
    }

    /** {@return the protocol by which it starts; never {@link BootProtocol#AUTOMATIC}} */
    public BootProtocol protocol() {
        return protocol;
    }

    /** {@return what was loaded and how, in one line for people} */
    public String description() {
        return description;
    }

    /** {@return what lies where in guest memory; the ranges don't overlap} */
    public List<Placement> placements() {
        return placements;
    }

    /** {@return the guest-physical address of the first instruction} */
    public long entryPoint() {
        return entry.rip();
    }

    /**
     * Makes the state in which the boot processor starts.
     *
     * @param reset the processor's state after reset; what the protocol doesn't define stays as it is there
     * @return the state to set
     */
    public X86State initialState(X86State reset) {
        return entry.applyTo(reset);
    }
}
