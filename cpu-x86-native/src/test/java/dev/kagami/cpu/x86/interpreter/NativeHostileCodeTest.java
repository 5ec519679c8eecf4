package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Random code, descriptors and registers in every mode, translated: whatever a guest does is the guest's, never an error of
 * the engine or the end of the JVM. Other seeds: {@code -Dkagami.seed=N}; more or fewer cases: {@code -Dkagami.cases=N}.
 */
class NativeHostileCodeTest {
    private static final int CASES = 200;
    private static final int VISITS = 20;
    private static final long PATIENCE_NANOS = 2_000_000;
    private static final long NOT_RUNNING = -1;

    private volatile long since = NOT_RUNNING;
    private volatile TestMachine running;
    private volatile boolean ended;

    NativeHostileCodeTest() {
        running = new TestMachine(2 << 20);
    }

    @Test
    void randomCodeIsJustAnotherGuest() throws InterruptedException {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        System.out.println("seed " + seed);
        SplittableRandom seeds = new SplittableRandom(seed);
        running.close();
        Thread watchdog = Thread.ofPlatform().daemon().start(this::watch);
        int cases = Integer.getInteger("kagami.cases", CASES);
        for (int i = 0; i < cases; i++) {
            long caseSeed = seeds.nextLong();
            // Should the JVM die, this is what is left to know.
            System.out.println("case " + i);
            System.out.flush();
            runCase(new SplittableRandom(caseSeed), "case %d of seed %d".formatted(i, seed));
        }
        ended = true;
        watchdog.join();
    }

    private void runCase(SplittableRandom random, String name) {
        NativeVcpus.Gate gate = new NativeVcpus.Gate(random.nextLong(), 8);
        TestMachine machine = new TestMachine(2 << 20, cpu -> NativeVcpus.disturbed(cpu, gate));
        running = machine;
        HostileCodeTest.prepare(machine, random);
        for (int visit = 0; visit < VISITS; visit++) {
            gate.leaveAfter(random.nextInt(200));
            since = System.nanoTime();
            ExitReason reason = machine.vcpu.run();
            since = NOT_RUNNING;
            assertThat(reason).as("%s: %s", name, machine.vcpu.exitDetail()).isNotEqualTo(ExitReason.INTERNAL_ERROR);
            if (reason == ExitReason.SHUTDOWN) {
                break;
            }
            machine.cpu.halted = false;
            machine.cpu.clear(Cpu.EVENT_HALT);
            if (random.nextInt(4) == 0) {
                HostileCodeTest.scatterCode(machine, random, machine.cpu.codeAddress() & 0x1F_F000);
            }
            if (random.nextInt(4) == 0) {
                machine.cpu.apic.deliver(LocalApic.DELIVER_NMI, Vector.NMI, false);
            }
        }
        NativeVcpus.close(machine.vcpu);
        machine.close();
    }

    /** Gets guests out of endless loops and out of HLT. */
    private void watch() {
        while (!ended) {
            long began = since;
            if (began != NOT_RUNNING && System.nanoTime() - began > PATIENCE_NANOS) {
                running.vcpu.kick();
            }
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                return;
            }
        }
    }
}
