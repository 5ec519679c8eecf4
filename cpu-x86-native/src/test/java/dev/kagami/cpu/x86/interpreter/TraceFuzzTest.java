package dev.kagami.cpu.x86.interpreter;

import org.junit.jupiter.api.Test;

/**
 * Runs random machines in traces and instruction by instruction, and compares them every now and then. Other seeds: {@code
 * -Dkagami.seed=N}; more or fewer machines: {@code -Dkagami.cases=N}.
 */
class TraceFuzzTest {
    private static final int CASES = 200;

    private static final MachineFuzzer FUZZER =
            new MachineFuzzer(TraceFuzzTest.class, seed -> new TraceLeader(seed % 2 == 0 ? 0 : 1, seed % 3 == 0));

    @Test
    void randomMachinesEndInTracesAsStepByStep() {
        FUZZER.test(CASES);
    }

    /**
     * Searches without JUnit.
     *
     * @param arguments seed, and number of cases
     */
    public static void main(String[] arguments) {
        FUZZER.search(arguments);
    }
}
