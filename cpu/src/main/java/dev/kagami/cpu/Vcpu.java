package dev.kagami.cpu;

/**
 * One virtual CPU.
 *
 * <p>Thread-safety: {@link #run}, {@link #state} and {@link #setState} belong to one thread at a time; {@link #kick} and
 * {@link #stats} may be called from any thread.
 */
public interface Vcpu {
    /** {@return the number of this CPU in its machine, from 0; also its initial APIC id} */
    int index();

    /**
     * Runs guest code until the machine must act. A guest that waits in HLT parks the calling thread. Never throws for
     * anything that a guest does.
     *
     * @return why it returned
     */
    ExitReason run();

    /** Makes a running or the next {@link #run} return {@link ExitReason#INTERRUPTED} soon; may be called at any time. */
    void kick();

    /** {@return what the last exit was about, in words for a person; empty when the reason says it all} */
    String exitDetail();

    /** {@return a copy of the architectural state} */
    X86State state();

    /**
     * Replaces the architectural state.
     *
     * @param state the new state
     * @throws IllegalArgumentException when the state is not one that a CPU can be in
     */
    void setState(X86State state);

    /** {@return the counters of this CPU; they may lag a running CPU by a few blocks} */
    VcpuStats stats();
}
