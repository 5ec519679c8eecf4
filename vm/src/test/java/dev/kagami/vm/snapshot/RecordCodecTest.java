package dev.kagami.vm.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class RecordCodecTest {
    /** What a section may hold. */
    enum Color {
        RED,
        BLUE
    }

    record Inner(short number) {}

    record All(boolean bit, Color color, String text, long[] numbers, List<Inner> inner) {
        All {
            if (text.equals("refused")) {
                throw new IllegalArgumentException("it refuses this text");
            }
        }
    }

    record Unknown(Object anything) {}

    private static final All VALUE =
            new All(true, Color.BLUE, "text", new long[] {1, 2}, List.of(new Inner((short) 3)));

    private final RecordCodec<All> codec = RecordCodec.of(All.class);

    private void refuses(byte[] bytes, String why) {
        assertThatThrownBy(() -> codec.read(bytes))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(why);
    }

    @Test
    void readsWhatItHasWritten() {
        assertThat(codec.read(codec.write(VALUE))).usingRecursiveComparison().isEqualTo(VALUE);
    }

    @Test
    void bytesThatAreMissingOrTooManyAreRefused() {
        byte[] good = codec.write(VALUE);
        refuses(Arrays.copyOf(good, good.length - 1), "the end is missing");
        refuses(Arrays.copyOf(good, good.length + 2), "2 bytes too many");
    }

    @Test
    void lengthsThatCannotBeTakeNoMemory() {
        byte[] bad = codec.write(VALUE);
        // The length of the enum's name, behind one byte.
        Arrays.fill(bad, 1, 5, (byte) 0x7F);
        refuses(bad, "elements in");
        bad[4] = -1;
        refuses(bad, "elements in");
    }

    @Test
    void aConstantThatThereIsNotIsNamed() {
        byte[] bad = codec.write(VALUE);
        bad[5] = 'X';
        refuses(bad, "no Color is called 'XLUE'");
    }

    @Test
    void whatTheRecordRefusesIsRefusedForItsReason() {
        byte[] refused = new String(codec.write(VALUE), java.nio.charset.StandardCharsets.ISO_8859_1)
                .replace("\4\0\0\0text", "\7\0\0\0refused")
                .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
        refuses(refused, "it refuses this text");
    }

    @Test
    void aRecordOfOtherThingsHasNoCodec() {
        assertThatThrownBy(() -> RecordCodec.of(Unknown.class))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("java.lang.Object");
    }
}
