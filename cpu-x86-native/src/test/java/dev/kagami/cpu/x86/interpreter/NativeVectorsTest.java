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

/** Runs the vectors that were recorded on a real processor in translated code. */
class NativeVectorsTest {
    private static final int RECORDED = 5000;

    @Test
    void everyRecordedVectorPasses() throws IOException {
        try (SnippetMachine machine = new SnippetMachine(NativeVcpus::eager);
                InputStream in = Objects.requireNonNull(
                        RecordedVectorsTest.class.getResourceAsStream("/vectors/recorded.txt.gz"))) {
            VectorFileRunner runner = new VectorFileRunner(machine, true);
            runner.run(in);
            assertThat(runner.failures()).isEmpty();
            assertThat(runner.passed()).isGreaterThan(RECORDED);
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
