package dev.kagami.vm;

import java.nio.charset.StandardCharsets;

/** How a command in the guest ended, and what it printed. Immutable. */
public final class ExecResult {
    private final int exitStatus;
    private final byte[] output;
    private final byte[] error;

    ExecResult(int exitStatus, byte[] output, byte[] error) {
        this.exitStatus = exitStatus;
        this.output = output;
        this.error = error;
    }

    /** {@return the exit status; 128 and the signal's number when a signal ended the command} */
    public int exitStatus() {
        return exitStatus;
    }

    /** {@return the standard output as UTF-8; empty when it went elsewhere} */
    public String stdout() {
        return new String(output, StandardCharsets.UTF_8);
    }

    /** {@return the standard error as UTF-8; empty when it went elsewhere} */
    public String stderr() {
        return new String(error, StandardCharsets.UTF_8);
    }

    /** {@return the bytes of the standard output, a copy} */
    public byte[] stdoutBytes() {
        return output.clone();
    }

    /** {@return the bytes of the standard error, a copy} */
    public byte[] stderrBytes() {
        return error.clone();
    }

    /** {@return all of it, for people} */
    @Override
    public String toString() {
        return "exit status %d%n%s%s".formatted(exitStatus, stdout(), stderr());
    }
}
