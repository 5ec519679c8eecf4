package dev.kagami.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What is asked of every error: a code for programs, names in the message, and a hint. */
final class Refusals {
    private Refusals() {}

    static void assertCode(ErrorCode code, ThrowingCallable call, String... named) {
        KagamiException error = catchThrowableOfType(KagamiException.class, call);
        assertThat(error).as("is refused").isNotNull();
        assertThat(error.code()).as(error.getMessage()).isEqualTo(code);
        assertThat(error.hint()).as(error.getMessage()).isNotBlank();
        for (String name : named) {
            assertThat(error).hasMessageContaining(name);
        }
    }
}
