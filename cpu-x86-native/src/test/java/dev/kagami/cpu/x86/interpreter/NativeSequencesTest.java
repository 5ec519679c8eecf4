package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import org.junit.jupiter.api.Test;

/**
 * Compares translated code with the interpreter on random instruction sequences. Other seeds: {@code -Dkagami.seed=N};
 * more or fewer cases: {@code -Dkagami.cases=N}.
 */
class NativeSequencesTest {
    private static final int CASES = 100_000;
    private static final int MAX_REPORTED = 5;

    @Test
    void randomSequencesEndAsInTheInterpreter() {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        int cases = Integer.getInteger("kagami.cases", CASES);
        String failures = compare(seed, cases);
        if (!failures.isEmpty()) {
            fail("%s%nreproduce with -Dtest=NativeSequencesTest -Dkagami.seed=%d -Dkagami.cases=%d"
                    .formatted(failures, seed, cases));
        }
        assertThat(cases).isPositive();
    }

    /** {@return what differed, or an empty string} */
    private static String compare(long seed, int cases) {
        StringBuilder failures = new StringBuilder();
        int reported = 0;
        SequenceGenerator generator = new SequenceGenerator(HostOracle.features());
        RecordedVector vector = new RecordedVector();
        MachineState scratch = new MachineState();
        try (SnippetMachine interpreter = new SnippetMachine();
                SnippetMachine machine = new SnippetMachine(NativeVcpus::eager)) {
            for (int i = 0; i < cases && reported < MAX_REPORTED; i++) {
                long caseSeed = seed + i;
                generator.generate(caseSeed, vector);
                vector.randomInput(caseSeed);
                vector.output.copyFrom(vector.input);
                interpreter.runBlocks(vector.output, vector.code);
                String difference = vector.check(machine, scratch, true);
                if (!difference.isEmpty()) {
                    reported++;
                    failures.append("case %d: translated code has %s%n  interpreter: %s%n"
                            .formatted(i, difference, vector.format()));
                }
            }
        }
        return failures.toString();
    }
}
