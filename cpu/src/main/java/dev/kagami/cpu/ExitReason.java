package dev.kagami.cpu;

/** Why {@link Vcpu#run} returned. */
public enum ExitReason {
    /** {@link Vcpu#kick} was called; the guest goes on with the next {@link Vcpu#run}. */
    INTERRUPTED,
    /** The CPU halted and nothing can ever wake it (HLT with every interrupt source blocked). */
    HALTED,
    /** The guest shut the CPU down: a triple fault. */
    SHUTDOWN,
    /** The engine met something that it cannot go on from; {@link Vcpu#exitDetail} says what. */
    INTERNAL_ERROR
}
