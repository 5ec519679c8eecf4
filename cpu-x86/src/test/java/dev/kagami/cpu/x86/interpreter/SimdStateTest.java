package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.X86State;
import org.junit.jupiter.api.Test;

final class SimdStateTest {
    @Test
    void stateHoldsTheVectorAndOpmaskRegistersAndNothingElse() {
        try (SnippetMachine machine = new SnippetMachine()) {
            machine.cpu.vec[8] = 42;
            machine.cpu.vec[SimdOp.MEMORY_SLOT] = 43;
            X86State state = CpuState.save(machine.cpu);
            assertThat(state.vectors()).hasSize(33 * 8);
            machine.cpu.vec[8] = 0;
            CpuState.restore(machine.cpu, state);
            assertThat(machine.cpu.vec[8]).isEqualTo(42);
        }
    }
}
