package dev.kagami.vm;

/** How a machine ended. */
public sealed interface Outcome {
    /** The guest switched the power off. */
    record PoweredOff() implements Outcome {}

    /** The guest reset the machine, and {@link ResetPolicy#STOP} was asked for. */
    record Reset() implements Outcome {}

    /** {@link VirtualMachine#stop} was called. */
    record Stopped() implements Outcome {}

    /**
     * The guest wrote to the debug-exit port.
     *
     * @param status the process status that stands for the value v it wrote: the low 8 bits of {@code (v << 1) | 1}
     */
    record DebugExit(int status) implements Outcome {}

    /**
     * The machine could not go on.
     *
     * @param reason what happened
     * @param detail more about it, for a person; may be empty
     */
    record Crashed(Reason reason, String detail) implements Outcome {}

    /** Why a machine could not go on. */
    enum Reason {
        /** An exception while delivering a double fault: the CPU shut itself down. */
        TRIPLE_FAULT("triple fault"),
        /** Every CPU halted with interrupts off: nothing can ever wake the machine. */
        HALTED("halted for good with interrupts off"),
        /** The guest's kernel has panicked, and has a driver for saying so (Linux: pvpanic). */
        GUEST_PANIC("kernel panic in the guest"),
        /** The kernel could not be loaded again after a reset. */
        RESTART_FAILED("could not restart after a reset"),
        /** An error of the engine, which is a bug in Kagami. */
        ENGINE_ERROR("internal error of the engine");

        private final String text;

        Reason(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
