package dev.kagami.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ethernet addresses as text. */
class MacAddressTest {
    @Test
    void textAndNumberAreTheSameAddress() {
        assertThat(MacAddress.parse("52:54:00:ab:CD:01").value()).isEqualTo(0x525400ABCD01L);
        assertThat(new MacAddress(0x525400ABCD01L)).hasToString("52:54:00:ab:cd:01");
        assertThat(MacAddress.parse("01-00-5E-00-00-01").isGroup()).isTrue();
        assertThat(MacAddress.random().isGroup()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "52:54:00:ab:cd",
                "52:54:00:ab:cd:01:02",
                "52:54:00:ab:cd:0g",
                "52:54:00:ab:cd:",
                "525400abcd01"
            })
    void whatIsNoAddressIsRefused(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MacAddress.parse(text))
                .withMessageContaining(text);
    }
}
