package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import org.junit.jupiter.api.Test;

/** Compares AVX-512 in translated code with the host's own; see {@link EvexComparison}. */
class NativeEvexTest {
    @Test
    void everyInstructionEndsAsOnTheHostProcessor() {
        EvexComparison.assumeHost();
        try (SnippetMachine machine = new SnippetMachine(NativeVcpus::eager)) {
            assertThat(new EvexComparison(machine, true).everyInstruction()).isEmpty();
        }
    }

    @Test
    void everyOpmaskInstructionEndsAsOnTheHostProcessor() {
        EvexComparison.assumeHost();
        try (SnippetMachine machine = new SnippetMachine(NativeVcpus::eager)) {
            assertThat(new EvexComparison(machine, true).opmaskInstructions()).isEmpty();
        }
    }
}
