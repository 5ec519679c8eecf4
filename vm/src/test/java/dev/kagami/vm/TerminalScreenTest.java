package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class TerminalScreenTest {
    private static final String ESC = "\033";

    private static String shown(String text) {
        TerminalScreen screen = new TerminalScreen(20, 5);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        screen.write(bytes, 0, bytes.length);
        return screen.text();
    }

    @Test
    void textWrapsAndScrolls() {
        assertThat(shown("one\r\ntwo")).isEqualTo("one\ntwo");
        assertThat(shown("a".repeat(20) + "b")).isEqualTo("a".repeat(20) + "\nb");
        assertThat(shown("1\r\n2\r\n3\r\n4\r\n5\r\n6")).isEqualTo("2\n3\n4\n5\n6");
        assertThat(shown("abc\rX\tY\bZ")).isEqualTo("Xbc     Z");
    }

    @Test
    void theCursorMovesAndLinesAreErased() {
        assertThat(shown("abcdef" + ESC + "[3D" + ESC + "[K")).isEqualTo("abc");
        assertThat(shown("junk" + ESC + "[2J" + ESC + "[2;3Hx")).isEqualTo("\n  x");
        assertThat(shown("abcdef" + ESC + "[1;2H" + ESC + "[2P" + ESC + "[@_")).isEqualTo("a_def");
        assertThat(shown("1\r\n2\r\n3" + ESC + "[2;1H" + ESC + "[L" + "new")).isEqualTo("1\nnew\n2\n3");
    }

    @Test
    void fullScreenProgramsLeaveTheScreenAsItWas() {
        assertThat(shown("shell$ " + ESC + "[?1049h" + ESC + "[Hvi" + ESC + "[?1049l" + "next"))
                .isEqualTo("shell$ next");
    }

    @Test
    void coloursTitlesLineDrawingAndUtf8AreUnderstood() {
        assertThat(shown(ESC + "[1;31mred" + ESC + "[0m" + ESC + "]0;title\007!"))
                .isEqualTo("red!");
        assertThat(shown(ESC + "(0lqk" + ESC + "(B ok \u00e4\u20ac")).isEqualTo("\u250c\u2500\u2510 ok \u00e4\u20ac");
    }

    @Test
    void rubbishIsSurvived() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        TerminalScreen screen = new TerminalScreen(80, 25);
        byte[] bytes = new byte[1 << 16];
        for (int i = 0; i < 30; i++) {
            random.nextBytes(bytes);
            // Many escape sequences.
            for (int j = 0; j < bytes.length - 1; j += 1 + random.nextInt(12)) {
                bytes[j] = 0x1B;
                bytes[j + 1] = '[';
            }
            try {
                screen.write(bytes, 0, bytes.length);
                screen.text();
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }
}
