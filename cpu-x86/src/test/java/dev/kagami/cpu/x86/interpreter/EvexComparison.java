package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Assumptions;

/**
 * Compares AVX-512 instructions with the host's processor. Other seeds: {@code -Dkagami.seed=N}; more or fewer cases of each: {@code
 * -Dkagami.cases=N}; only those whose names contain some text: {@code -Dkagami.form=TEXT}.
 */
final class EvexComparison {
    private static final int CASES = 200;
    private static final int OPMASK_ROUNDS = 20;

    private final long seed = Long.getLong("kagami.seed", System.nanoTime());
    private final int cases = Integer.getInteger("kagami.cases", CASES);
    private final List<String> failures = new ArrayList<>();
    private final EvexSequences sequences = new EvexSequences();
    private final SnippetMachine machine;
    private final boolean blocks;

    /**
     * Creates a comparison.
     *
     * @param machine what to run instructions on
     * @param blocks whether always through blocks
     */
    EvexComparison(SnippetMachine machine, boolean blocks) {
        this.machine = machine;
        this.blocks = blocks;
    }

    /** Lets a test be skipped on a host that can't tell. */
    static void assumeHost() {
        String reason = HostOracle.AVX512 ? HostOracle.unavailable() : "the host has no AVX-512, or not all of it";
        Assumptions.assumeTrue(reason.isEmpty(), () -> "no native comparison: " + reason);
    }

    /** {@return what differs, a line for each instruction} */
    List<String> everyInstruction() {
        String wanted = System.getProperty("kagami.form", "");
        try (HostOracle oracle = new HostOracle()) {
            for (EvexEncoding encoding : EvexSequences.encodings()) {
                if (encoding.form().name.contains(wanted)) {
                    compare(oracle, encoding.toString(), out -> sequences.write(out, encoding), cases);
                }
            }
        }
        return failures;
    }

    /** {@return what differs among instructions on opmask registers} */
    List<String> opmaskInstructions() {
        try (HostOracle oracle = new HostOracle()) {
            compare(oracle, "opmask", sequences::opmask, OPMASK_ROUNDS * cases);
        }
        return failures;
    }

    private void compare(HostOracle oracle, String name, Consumer<SnippetWriter> writer, int count) {
        RecordedVector vector = new RecordedVector();
        MachineState scratch = new MachineState();
        int differing = 0;
        String first = "";
        for (int i = 0; i < count; i++) {
            SnippetWriter out = new SnippetWriter(new SplittableRandom(seed + i));
            writer.accept(out);
            vector.form = name.replace(' ', '_');
            vector.code = out.code();
            vector.undefinedFlags = out.undefinedFlags();
            vector.randomInput(seed + i);
            if (sequences.suppresses()) {
                vector.input.mxcsr &= ~(out.random.nextInt() & FloatContext.ALL_EXCEPTIONS << 7);
                vector.output.copyFrom(vector.input);
                oracle.runSuppressing(vector.output, vector.code);
            } else {
                vector.output.copyFrom(vector.input);
                oracle.run(vector.output, vector.code);
            }
            String difference = vector.check(machine, scratch, blocks || (i & 1) == 0);
            if (!difference.isEmpty() && differing++ == 0) {
                first = "%s%n    %s".formatted(difference, vector.format());
            }
        }
        if (differing != 0) {
            failures.add(
                    "seed %d, %s: %d of %d differ, the first has %s%n".formatted(seed, name, differing, count, first));
        }
    }
}
