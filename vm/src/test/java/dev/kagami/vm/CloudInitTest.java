package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class CloudInitTest {
    @Test
    void aMachineIsDescribedWithItsSeed() {
        VirtualMachineConfig config = VirtualMachineConfig.of(
                c -> c.cloudInit(i -> i.hostname("foobar").password("ubuntu")));
        assertThat(config.cloudInit().files()).containsOnlyKeys("user-data", "meta-data");
        assertThat(new String(config.cloudInit().files().get("user-data"), StandardCharsets.UTF_8))
                .startsWith("#cloud-config\n")
                .contains("hostname: \"foobar\"");
    }

    @Test
    void whatCloudInitWouldIgnoreIsRefusedWithAHint() {
        assertThatThrownBy(() -> CloudInit.of(i -> i.userData("hello")))
                .isInstanceOfSatisfying(KagamiException.class, e -> {
                    assertThat(e.code()).isEqualTo(ErrorCode.INVALID_CONFIGURATION);
                    assertThat(e.hint()).contains("#cloud-config");
                })
                .hasMessageContaining("hello");
    }
}
