package dev.kagami.vm;

/** Something that happened to a machine as a whole; see {@link VirtualMachine#addListener} and {@link VirtualMachine#events}. */
public sealed interface VirtualMachineEvent {
    /**
     * The machine is in another state.
     *
     * @param from the state before
     * @param to the state now
     */
    record StateChanged(VirtualMachine.State from, VirtualMachine.State to) implements VirtualMachineEvent {}

    /**
     * The machine was reset and runs again from its boot loader.
     *
     * @param resets how often that has happened
     */
    record Restarted(int resets) implements VirtualMachineEvent {}

    /**
     * The machine has ended; comes after the change to {@link VirtualMachine.State#STOPPED}, and last.
     *
     * @param outcome how
     */
    record Ended(Outcome outcome) implements VirtualMachineEvent {}
}
