package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.module.ModuleFinder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Scans the modules as the build made them with the JDK's own {@code jnativescan}. */
final class NativeAccessTest {
    private static final Set<String> NATIVE = Set.of("dev.kagami.cpu.x86.nativecode");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "dev.kagami.memory",
                "dev.kagami.cpu",
                "dev.kagami.cpu.x86",
                "dev.kagami.platform",
                "dev.kagami.boot",
                "dev.kagami.image",
                "dev.kagami.vm",
                "dev.kagami.control"
            })
    void makesNoRestrictedNativeCall(String module) {
        ToolProvider scanner = ToolProvider.findFirst("jnativescan").orElseThrow();
        StringWriter out = new StringWriter();
        int status = scanner.run(
                new PrintWriter(out),
                new PrintWriter(out),
                "--module-path",
                pathWithoutNativeEngines(),
                "--add-modules",
                module);
        assertThat(status).as(out::toString).isZero();
        assertThat(out.toString().strip()).isEqualTo("<no restricted methods>");
    }

    /** {@return the module path without the modules whose purpose native access is, which a scan would find as services} */
    private static String pathWithoutNativeEngines() {
        return Arrays.stream(System.getProperty("jdk.module.path").split(File.pathSeparator))
                .filter(entry -> ModuleFinder.of(Path.of(entry)).findAll().stream()
                        .noneMatch(module -> NATIVE.contains(module.descriptor().name())))
                .collect(Collectors.joining(File.pathSeparator));
    }
}
