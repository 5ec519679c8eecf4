package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class EscapeKeysTest {
    private final List<String> actions = new ArrayList<>();

    /** Reads everything that passes, in chunks of a given size from the terminal. */
    private String passed(String typed, int chunk) throws IOException {
        InputStream terminal = new ByteArrayInputStream(typed.getBytes(StandardCharsets.ISO_8859_1)) {
            @Override
            public synchronized int read(byte[] target, int offset, int length) {
                return super.read(target, offset, Math.min(length, chunk));
            }
        };
        EscapeKeys keys = new EscapeKeys(terminal, new EscapeKeys.Actions() {
            @Override
            public void leave() {
                actions.add("leave");
            }

            @Override
            public void help() {
                actions.add("help");
            }
        });
        return new String(keys.readAllBytes(), StandardCharsets.ISO_8859_1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 100})
    void passesEveryOtherKey(int chunk) throws IOException {
        assertThat(passed("ls\r\003\032\033[Aéx", chunk)).isEqualTo("ls\r\003\032\033[Aéx");
        assertThat(actions).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 100})
    void leavesAtCtrlAXAndPassesNothingMore(int chunk) throws IOException {
        assertThat(passed("ab\001xcd", chunk)).isEqualTo("ab");
        assertThat(actions).containsExactly("leave");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 100})
    void sendsOneCtrlAForTwo(int chunk) throws IOException {
        assertThat(passed("a\001\001x", chunk)).isEqualTo("a\001x");
        assertThat(actions).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 100})
    void helpsAndDropsUnknownCombinations(int chunk) throws IOException {
        assertThat(passed("a\001hb\001zc", chunk)).isEqualTo("abc");
        assertThat(actions).containsExactly("help");
    }
}
