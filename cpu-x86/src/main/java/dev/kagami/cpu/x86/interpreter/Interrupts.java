package dev.kagami.cpu.x86.interpreter;

/** Delivery of interrupts and exceptions (SDM 3A chapter 6). */
final class Interrupts {
    /** What causes a delivery. */
    enum Kind {
        /** A hardware interrupt or NMI. */
        EXTERNAL,
        /** INT n. */
        SOFTWARE,
        /** INT3 or INTO. */
        BREAKPOINT,
        /** INT1. */
        DEBUG,
        /** An exception that the processor raises. */
        EXCEPTION
    }

    private Interrupts() {}

    /** Delivers, or leaves all registers as they are and throws. */
    static void deliver(Cpu cpu, int vector, Kind kind, boolean hasErrorCode, int errorCode) {
        throw cpu.fault(Fault.SHUTDOWN);
    }

    /** Delivers an exception, with double and triple faults: throws only {@link Fault#SHUTDOWN}. */
    static void raise(Cpu cpu, int vector, boolean hasErrorCode, int errorCode) {
        deliver(cpu, vector, Kind.EXCEPTION, hasErrorCode, errorCode);
    }

    /** Delivers a hardware interrupt or NMI, with double and triple faults: throws only {@link Fault#SHUTDOWN}. */
    static void external(Cpu cpu, int vector) {
        deliver(cpu, vector, Kind.EXTERNAL, false, 0);
    }
}
