package dev.kagami.vm;

import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Something that could not be done, with a code for programs, a message, a hint what to do about it, and the cause where there is
 * one. It is the only one of its kind: {@link #code} is what a type per error would be, and a {@code switch} tells errors apart.
 */
public final class KagamiException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;
    private final String hint;

    /**
     * Makes an exception.
     *
     * @param code what kind of thing went wrong
     * @param message what went wrong, for a person, with the names of the files or options involved
     * @param hint what to do about it
     * @param cause what it came from, or null
     */
    public KagamiException(ErrorCode code, String message, String hint, @Nullable Throwable cause) {
        super(message, cause);
        this.code = code;
        this.hint = hint;
    }

    /**
     * Makes an exception that nothing else caused.
     *
     * @param code what kind of thing went wrong
     * @param message what went wrong
     * @param hint what to do about it
     */
    public KagamiException(ErrorCode code, String message, String hint) {
        this(code, message, hint, null);
    }

    /**
     * Makes an exception that names every problem of a configuration.
     *
     * @param problems at least one
     * @return the exception, with the code of the first problem
     */
    static KagamiException of(List<Problem> problems) {
        return new KagamiException(
                problems.getFirst().code(),
                problems.stream().map(Problem::message).collect(Collectors.joining("; ")),
                problems.stream().map(Problem::hint).distinct().collect(Collectors.joining("; ")));
    }

    /** {@return what kind of thing went wrong} */
    public ErrorCode code() {
        return code;
    }

    /** {@return what to do about it} */
    public String hint() {
        return hint;
    }
}
