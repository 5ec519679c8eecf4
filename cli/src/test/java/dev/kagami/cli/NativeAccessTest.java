package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.spi.ToolProvider;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Scans the modules as the build made them with the JDK's own {@code jnativescan}. */
final class NativeAccessTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "dev.kagami.memory",
                "dev.kagami.cpu",
                "dev.kagami.cpu.x86",
                "dev.kagami.platform",
                "dev.kagami.boot",
                "dev.kagami.image",
                "dev.kagami.vm"
            })
    void makesNoRestrictedNativeCall(String module) {
        ToolProvider scanner = ToolProvider.findFirst("jnativescan").orElseThrow();
        StringWriter out = new StringWriter();
        int status = scanner.run(
                new PrintWriter(out),
                new PrintWriter(out),
                "--module-path",
                System.getProperty("jdk.module.path"),
                "--add-modules",
                module);
        assertThat(status).as(out::toString).isZero();
        assertThat(out.toString().strip()).isEqualTo("<no restricted methods>");
    }
}
