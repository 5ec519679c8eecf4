package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Runs a directory of recorded vectors that is not part of the sources: {@code -Dkagami.vectors=DIRECTORY}. */
@EnabledIfSystemProperty(named = "kagami.vectors", matches = ".+")
class VectorDirectoryTest {
    @Test
    void everyVectorOfTheDirectoryPasses() throws IOException {
        try (SnippetMachine machine = new SnippetMachine();
                DirectoryStream<Path> files =
                        Files.newDirectoryStream(Path.of(System.getProperty("kagami.vectors")), "*.txt.gz")) {
            VectorFileRunner runner = new VectorFileRunner(machine, false);
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
