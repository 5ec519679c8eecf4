package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs the vectors that were recorded on a real processor in translated code. */
class NativeVectorsTest {
    @ParameterizedTest
    @CsvSource({"recorded,5000", "vex,1500"})
    void everyRecordedVectorPasses(String file, int atLeast) throws IOException {
        try (SnippetMachine machine = new SnippetMachine(NativeVcpus::eager);
                InputStream in = Objects.requireNonNull(
                        RecordedVectorsTest.class.getResourceAsStream("/vectors/" + file + ".txt.gz"))) {
            VectorFileRunner runner = new VectorFileRunner(machine, true);
            runner.run(in);
            assertThat(runner.failures()).isEmpty();
            assertThat(runner.passed()).isGreaterThan(atLeast);
        }
    }

    @Test
    @EnabledIfSystemProperty(named = "kagami.vectors", matches = ".+")
    void everyVectorOfTheDirectoryPasses() throws IOException {
        try (SnippetMachine machine = new SnippetMachine(NativeVcpus::eager);
                DirectoryStream<Path> files =
                        Files.newDirectoryStream(Path.of(System.getProperty("kagami.vectors")), "*.txt.gz")) {
            VectorFileRunner runner = new VectorFileRunner(machine, true);
            for (Path file : files) {
                try (InputStream in = Files.newInputStream(file)) {
                    runner.run(in);
                }
            }
            assertThat(runner.failures()).isEmpty();
            assertThat(runner.passed()).isPositive();
        }
    }
}
