package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Runs the vectors that were recorded on a real processor; on hosts of another architecture they are the only
 * reference.
 */
class RecordedVectorsTest {
    @ParameterizedTest
    @CsvSource({
        "recorded,false,5000",
        "recorded,true,5000",
        "vex,false,1500",
        "vex,true,1500",
        "evex,false,6500",
        "evex,true,6500"
    })
    void everyRecordedVectorPasses(String file, boolean blocks, int atLeast) throws IOException {
        try (SnippetMachine machine = new SnippetMachine();
                InputStream in = Objects.requireNonNull(
                        RecordedVectorsTest.class.getResourceAsStream("/vectors/" + file + ".txt.gz"))) {
            VectorFileRunner runner = new VectorFileRunner(machine, blocks);
            runner.run(in);
            assertThat(runner.failures()).isEmpty();
            assertThat(runner.passed()).isGreaterThan(atLeast);
        }
    }
}
