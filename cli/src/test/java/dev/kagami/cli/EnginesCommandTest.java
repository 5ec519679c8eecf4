package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@Timeout(60)
final class EnginesCommandTest {
    @Test
    void listsTheInterpreterOnTheModulePath() throws Exception {
        assertThat(engines("--module-path", "--module", "dev.kagami.cli/dev.kagami.cli.Kagami"))
                .containsPattern("(?m)^interpreter +available +\\S");
    }

    @Test
    void listsTheInterpreterOnTheClassPath() throws Exception {
        assertThat(engines("--class-path", "dev.kagami.cli.Kagami"))
                .containsPattern("(?m)^interpreter +available +\\S");
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, architectures = "amd64")
    void sayWhichFlagAllowsTheNativeEngine() throws Exception {
        assertThat(engines("--module-path", "--module", "dev.kagami.cli/dev.kagami.cli.Kagami"))
                .containsPattern("(?m)^native +unavailable ")
                .contains(
                        "native access is denied; start Java with --enable-native-access=dev.kagami.cpu.x86.nativecode");
        assertThat(engines("--class-path", "dev.kagami.cli.Kagami"))
                .contains("native access is denied; start Java with --enable-native-access=ALL-UNNAMED");
    }

    /** Runs {@code kagami engines} as a process of its own, from the modules of this build. */
    private static String engines(String pathOption, String... main) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                pathOption,
                System.getProperty("jdk.module.path"));
        builder.command().addAll(List.of(main));
        builder.command().add("engines");
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
