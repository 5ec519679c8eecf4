package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What is asked of every error: a code for programs, names in the message, and a hint. */
final class Refusals {
    private Refusals() {}

    /**
     * Asserts that something is refused.
     *
     * @param code what kind of error it is
     * @param call what is refused
     * @param named what the message names
     * @return the error
     */
    static KagamiException refused(ErrorCode code, ThrowingCallable call, Object... named) {
        KagamiException error = catchThrowableOfType(KagamiException.class, call);
        assertThat(error).as("is refused").isNotNull();
        assertThat(error.code()).as(error.getMessage()).isEqualTo(code);
        assertThat(error.hint()).as(error.getMessage()).isNotBlank();
        for (Object name : named) {
            assertThat(error).hasMessageContaining(name.toString());
        }
        return error;
    }
}
