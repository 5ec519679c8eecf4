package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.TimerThread;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Time-stamp counters of several CPUs that go on from a snapshot. */
final class TimeStampTest {
    private static List<Vcpu> processors(GuestMemory memory, TimerThread timers) {
        return new InterpreterProcessors(
                        new ProcessorConfig(2, null),
                        memory,
                        new TestMachine.FakeBus(),
                        timers,
                        cpu -> new InterpreterVcpu(cpu, null))
                .vcpus();
    }

    private static long counter(Vcpu cpu) {
        return cpu.state().msrs().get(Msrs.TSC);
    }

    @Test
    void theyGoOnFromWhereTheyWereHoweverLittleThatIs() throws Exception {
        try (TimerThread before = new TimerThread();
                TimerThread after = new TimerThread();
                GuestMemory memory = GuestMemory.allocate(4 << 20)) {
            List<Vcpu> saved = processors(memory, before);
            Thread.sleep(20);
            before.pause();
            List<X86State> states = saved.stream().map(Vcpu::state).toList();
            after.pause();
            List<Vcpu> restored = processors(memory, after);
            for (int i = 0; i < 2; i++) {
                restored.get(i).setState(states.get(i));
            }
            assertThat(counter(saved.getFirst())).isGreaterThanOrEqualTo(20_000_000);
            assertThat(restored).allSatisfy(cpu -> assertThat(counter(cpu)).isEqualTo(counter(saved.getFirst())));
        }
    }

    @Test
    void whatTheBootProcessorIsSetToTheOthersFollow() {
        try (TimerThread timers = new TimerThread();
                GuestMemory memory = GuestMemory.allocate(4 << 20)) {
            List<Vcpu> cpus = processors(memory, timers);
            X86State early = cpus.getFirst().state();
            timers.pause();
            cpus.getFirst().setState(early);
            assertThat(counter(cpus.getLast())).isEqualTo(counter(cpus.getFirst()));
        }
    }
}
