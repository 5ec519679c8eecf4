package dev.kagami.platform;

/** What a guest does to its machine as a whole. */
public sealed interface MachineEvent {
    /** The guest switched the machine off. */
    record PowerOff() implements MachineEvent {}

    /** The guest asked for a reset. */
    record Reset() implements MachineEvent {}

    /** The guest's kernel says that it has panicked. */
    record Panic() implements MachineEvent {}

    /**
     * The guest wrote to the debug-exit port.
     *
     * @param status {@code (value << 1) | 1}; as the status of a process, its low 8 bits
     */
    record DebugExit(int status) implements MachineEvent {}
}
