package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TerminalTest {
    @Test
    void readsTheSizeRowsFirst() {
        assertThat(Terminal.parseSize("24 80")).contains(new Terminal.Size(80, 24));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0 0", "24", "24 x", "99999 80", "-1 80"})
    void hasNoSizeWhenTheTerminalDoesNotSay(String text) {
        assertThat(Terminal.parseSize(text)).isEmpty();
    }
}
