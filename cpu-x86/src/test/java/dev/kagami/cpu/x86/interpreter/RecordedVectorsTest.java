package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs the vectors that were recorded on a real processor; on hosts of another architecture they are the only
 * reference.
 */
class RecordedVectorsTest {
    private static final int RECORDED = 5000;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyRecordedVectorPasses(boolean blocks) throws IOException {
        try (SnippetMachine machine = new SnippetMachine();
                InputStream in = Objects.requireNonNull(
                        RecordedVectorsTest.class.getResourceAsStream("/vectors/recorded.txt.gz"))) {
            VectorFileRunner runner = new VectorFileRunner(machine, blocks);
            runner.run(in);
            assertThat(runner.failures()).isEmpty();
            assertThat(runner.passed()).isGreaterThan(RECORDED);
        }
    }
}
