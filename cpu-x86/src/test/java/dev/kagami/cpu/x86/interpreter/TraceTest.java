package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.memory.GuestMemory;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Runs recorded vectors and random sequences as traces; the latter as decoded instructions, too. Other seeds: {@code
 * -Dkagami.seed=N}; more or fewer cases: {@code -Dkagami.cases=N}.
 */
class TraceTest {
    private static final int CASES = 5000;
    private static final int MAX_REPORTED = 5;

    @ParameterizedTest
    @CsvSource({"recorded,5000", "vex,1500"})
    void everyRecordedVectorPasses(String file, int atLeast) throws IOException {
        try (SnippetMachine machine = SnippetMachine.traced(GuestMemory.MIN_SIZE);
                InputStream in =
                        Objects.requireNonNull(TraceTest.class.getResourceAsStream("/vectors/" + file + ".txt.gz"))) {
            VectorFileRunner runner = new VectorFileRunner(machine, true);
            runner.run(in);
            assertThat(runner.failures()).isEmpty();
            assertThat(runner.passed()).isGreaterThan(atLeast);
            assertThat(machine.traces()).isGreaterThan(atLeast);
        }
    }

    @Test
    void randomSequencesEndAsDecodedInstructionsDo() {
        runSequences(GuestMemory.MIN_SIZE, Integer.getInteger("kagami.cases", CASES));
    }

    /** There RAM is no buffer. */
    @Test
    void soTheyDoWithMoreThan2GiB() {
        runSequences(3L << 30, 300);
    }

    private static void runSequences(long memory, int cases) {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        StringBuilder failures = new StringBuilder();
        int reported = 0;
        int traces;
        SequenceGenerator generator = new SequenceGenerator(HostOracle.features());
        RecordedVector vector = new RecordedVector();
        MachineState scratch = new MachineState();
        try (SnippetMachine plain = new SnippetMachine();
                SnippetMachine traced = SnippetMachine.traced(memory)) {
            for (int i = 0; i < cases && reported < MAX_REPORTED; i++) {
                generator.generate(seed + i, vector);
                vector.randomInput(seed + i);
                vector.output.copyFrom(vector.input);
                plain.runBlocks(vector.output, vector.code);
                String difference = vector.check(traced, scratch, true);
                if (!difference.isEmpty()) {
                    reported++;
                    failures.append(
                            "case %d: the trace has %s%n  decoded: %s%n".formatted(i, difference, vector.format()));
                }
            }
            traces = traced.traces();
        }
        assertThat(failures)
                .withFailMessage(
                        "%s%nreproduce with -Dtest=TraceTest -Dkagami.seed=%d -Dkagami.cases=%d", failures, seed, cases)
                .isEmpty();
        assertThat(traces).isGreaterThan(cases / 2);
    }
}
