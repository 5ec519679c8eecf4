package dev.kagami.image.seed;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class YamlTest {

    @Test
    void indentsMapsAndLists() {
        Map<String, Object> user = new LinkedHashMap<>();
        user.put("name", "x");
        user.put("keys", List.of("a", "b"));
        user.put("more", Map.of("n", 1));
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("users", List.of(user, Map.of("name", "y")));
        document.put("expire", false);
        document.put("none", List.of());
        document.put("empty", Map.of());

        assertThat(Yaml.write(document)).isEqualTo("""
                users:
                - name: "x"
                  keys:
                  - "a"
                  - "b"
                  more:
                    n: 1
                - name: "y"
                expire: false
                none: []
                empty: {}
                """);
    }

    @ParameterizedTest
    @CsvSource({
        "yes, yes",
        "a\\nb: c, a\\nb: c",
        "a\u0000\u0007b, a\\u0000\\u0007b",
        "\u0085\u2028\uFEFF, \\u0085\\u2028\\uFEFF",
        "äé密, äé密",
        "\uD83D\uDE00, \\U0001F600",
        "\uD83D, \\uD83D",
    })
    void escapesWhatQuotesDoNotProtect(String text, String quoted) {
        assertThat(Yaml.quote(text.replace("\\n", "\n"))).isEqualTo('"' + quoted + '"');
    }

    @Test
    void escapesQuotesAndBackslashes() {
        assertThat(Yaml.quote("\"\\")).isEqualTo("\"\\\"\\\\\"");
    }
}
