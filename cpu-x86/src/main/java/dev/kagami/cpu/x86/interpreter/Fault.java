package dev.kagami.cpu.x86.interpreter;

/**
 * Leaves an instruction before it completes. One object a CPU, without a stack trace: faults are part of a guest's normal
 * life (page faults), so they must be cheap.
 */
final class Fault extends RuntimeException {
    /** {@link #vector} of a restart: no exception is delivered, the same instruction runs again. */
    static final int RESTART = -1;

    /** {@link #vector} of a triple fault: the CPU shuts down. */
    static final int SHUTDOWN = -2;

    private static final long serialVersionUID = 1L;

    /** Exception vector, {@link #RESTART} or {@link #SHUTDOWN}. */
    int vector;

    /** Error code; only meaningful when {@link #hasErrorCode}. */
    int errorCode;

    /** Whether the exception pushes an error code. */
    boolean hasErrorCode;

    /** The fault is about a non-canonical address: a stack fault if the instruction used the stack segment. */
    boolean nonCanonical;

    Fault() {
        super(null, null, false, false);
    }

    @Override
    public String getMessage() {
        return "vector " + vector + (hasErrorCode ? " error 0x" + Integer.toHexString(errorCode) : "");
    }
}
