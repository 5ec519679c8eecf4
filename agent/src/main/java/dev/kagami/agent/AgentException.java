package dev.kagami.agent;

/** The guest's agent can't be reached, or broke off. */
public final class AgentException extends Exception {
    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Reason {
        /** The guest ended, or never had an agent to talk to. */
        UNREACHABLE,
        /** Something answered that doesn't take the token. */
        REFUSED,
        /** The agent is of another version. */
        VERSION,
        /** The command is longer than Linux allows. */
        TOO_LONG
    }

    private final Reason reason;

    /**
     * Makes an exception.
     *
     * @param reason what went wrong
     * @param message the same for people
     */
    public AgentException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** {@return what went wrong} */
    public Reason reason() {
        return reason;
    }
}
