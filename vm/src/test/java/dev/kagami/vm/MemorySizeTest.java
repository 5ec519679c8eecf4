package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class MemorySizeTest {
    @ParameterizedTest
    @CsvSource({"512M,536870912", "512,536870912", "2G,2147483648", "1GiB,1073741824", "64k,65536", "3 MB,3145728"})
    void readsSizesAsPeopleWriteThem(String text, long bytes) {
        assertThat(MemorySize.parse(text).bytes()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "M", "-1M", "1.5G", "512X", "0x200", "999999999999999T", "9999999999999999999"})
    void refusesWhatIsNoSizeAndNamesIt(String text) {
        assertThatThrownBy(() -> MemorySize.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("'" + text + "'");
    }

    @Test
    void refusesANegativeSize() {
        assertThatThrownBy(() -> new MemorySize(-4096))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-4096");
    }

    @Test
    void printsWhatItCanReadAgain() {
        assertThat(MemorySize.ofGibibytes(2)).hasToString("2G");
        assertThat(MemorySize.ofMebibytes(1536)).hasToString("1536M");
        assertThat(new MemorySize(4096)).hasToString("4K");
    }
}
