package dev.kagami.vm;

/** How the host talks to the agent in the guest that runs commands for it. */
public enum AgentChannel {
    /** Not at all: the guest gets no agent. */
    NONE,
    /** Over vsock: a device of its own, unless the machine has one anyway. */
    VSOCK,
    /** Over ports of a console device, for guests whose kernels have no vsock; four commands at a time. */
    CONSOLE
}
