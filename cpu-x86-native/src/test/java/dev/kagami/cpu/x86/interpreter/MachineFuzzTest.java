package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import org.junit.jupiter.api.Test;

/**
 * Runs random machines in translated code and in the interpreter, and compares them every now and then. Other seeds: {@code
 * -Dkagami.seed=N}; more or fewer machines: {@code -Dkagami.cases=N}.
 */
class MachineFuzzTest {
    private static final int CASES = 300;

    private static final MachineFuzzer FUZZER = new MachineFuzzer(
            MachineFuzzTest.class, seed -> new NativeLeader(seed, seed % 3 == 0 ? 2 : 8, NativeVcpus::disturbed));

    @Test
    void randomMachinesEndAsInTheInterpreter() {
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
