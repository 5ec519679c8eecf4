package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Compares the interpreter with the host's processor on random instruction sequences. Other seeds: {@code
 * -Dkagami.seed=N}; more or fewer cases: {@code -Dkagami.cases=N}.
 */
class RandomSequenceTest {
    private static final int CASES = 200_000;
    private static final int MAX_REPORTED = 5;

    @Test
    void randomSequencesEndAsOnTheHostProcessor() {
        String reason = HostOracle.unavailable();
        Assumptions.assumeTrue(
                reason.isEmpty(), () -> "no native comparison: " + reason + "; RecordedVectorsTest stands in for it");
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        int cases = Integer.getInteger("kagami.cases", CASES);
        String failures = compare(seed, cases, "");
        if (!failures.isEmpty()) {
            fail("%s%nreproduce with -Dtest=RandomSequenceTest -Dkagami.seed=%d -Dkagami.cases=%d"
                    .formatted(failures, seed, cases));
        }
        assertThat(cases).isPositive();
    }

    /** {@return what differed, or an empty string; all kinds of instructions mixed unless one is named} */
    static String compare(long seed, int cases, String family) {
        StringBuilder failures = new StringBuilder();
        int reported = 0;
        SequenceGenerator generator = new SequenceGenerator(HostOracle.features());
        RecordedVector vector = new RecordedVector();
        MachineState scratch = new MachineState();
        try (HostOracle oracle = new HostOracle();
                SnippetMachine machine = new SnippetMachine()) {
            for (int i = 0; i < cases && reported < MAX_REPORTED; i++) {
                long caseSeed = seed + i;
                if (family.isEmpty()) {
                    generator.generate(caseSeed, vector);
                } else {
                    generator.generate(caseSeed, family, vector);
                }
                vector.randomInput(caseSeed);
                vector.output.copyFrom(vector.input);
                oracle.run(vector.output, vector.code);
                // Through blocks and one by one in turn: the first fuses and links, the second decodes each time.
                String difference = vector.check(machine, scratch, (i & 1) == 0);
                if (!difference.isEmpty()) {
                    reported++;
                    failures.append(
                            "case %d: the interpreter has %s%n  host: %s%n".formatted(i, difference, vector.format()));
                }
            }
        }
        return failures.toString();
    }

    /**
     * Searches without JUnit.
     *
     * @param arguments seed, number of cases, and perhaps the only kind of instructions
     */
    public static void main(String[] arguments) {
        long start = System.nanoTime();
        System.out.print(compare(
                Long.parseLong(arguments[0]),
                Integer.parseInt(arguments[1]),
                arguments.length > 2 ? arguments[2] : ""));
        System.out.printf("%d ms%n", (System.nanoTime() - start) / 1_000_000);
    }
}
