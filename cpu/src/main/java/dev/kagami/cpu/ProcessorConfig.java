package dev.kagami.cpu;

import java.io.PrintStream;
import org.jspecify.annotations.Nullable;

/**
 * What processors a machine has.
 *
 * @param count number of CPUs, at least 1
 * @param model what the CPUs can do; the engine supports it
 * @param trace where to print each executed instruction for debugging, or null for no trace
 */
public record ProcessorConfig(
        int count, CpuModel model, @Nullable PrintStream trace) {
    /** Checks the values. */
    public ProcessorConfig {
        if (count < 1 || count > 255) {
            throw new IllegalArgumentException("a machine has 1 to 255 CPUs, not " + count);
        }
    }

    /**
     * Asks for CPUs of the usual model, {@link CpuModel#V3}.
     *
     * @param count number of CPUs, at least 1
     * @param trace where to print each executed instruction, or null
     */
    public ProcessorConfig(int count, @Nullable PrintStream trace) {
        this(count, CpuModel.V3, trace);
    }
}
