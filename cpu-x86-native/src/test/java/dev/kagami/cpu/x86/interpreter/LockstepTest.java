package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.boot.BootSource;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.X86State;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import dev.kagami.image.BootFiles;
import dev.kagami.image.ImageException;
import dev.kagami.image.ProgressListener;
import dev.kagami.image.TinyBoot;
import dev.kagami.platform.MachineEvent;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Boots a stock kernel in translated code, disturbed, or in traces, and lets the interpreter follow: whenever such code has
 * been left, the interpreter runs as many instructions, and the states must be the same. The first instructions only, unless
 * {@code -Dkagami.lockstep.millions=N} says how many millions; {@code -Dkagami.seed=N} sets the seed.
 */
class LockstepTest {
    private static final long MILLION = 1_000_000;
    private static final long MILLIONS = Long.getLong("kagami.lockstep.millions", 30);

    /** How often code must have run until it becomes a trace: making one of all takes long. */
    private static final int RUNS = 3;

    private static final long MEMORY = 128L << 20;
    private static final int INSTRUCTIONS_PER_MEMORY_COMPARISON = 1_000_000;

    /** Without what depends on the host: random numbers, the wall clock; and without HLT, as time is instructions. */
    private static final String PARAMETERS =
            " console=ttyS0 nokaslr no-kvmclock idle=poll clearcpuid=rdrand,rdseed cryptomgr.notests tsc=reliable";

    private static final int ACCESSED = 1 << 5;

    private static BootSource kernel() {
        try {
            BootFiles files = TinyBoot.prepare(ProgressListener.none());
            return BootSource.of(files.kernel())
                    .withInitrd(files.initrd())
                    .withCommandLine(files.commandLine() + PARAMETERS);
        } catch (ImageException e) {
            if (e.code() == ImageException.Code.APT_MISSING || e.code() == ImageException.Code.PACKAGE_NOT_FOUND) {
                Assumptions.abort(String.valueOf(e.getMessage()));
            }
            throw e;
        }
    }

    @Test
    void aStockKernelBootsAsInTheInterpreter() {
        long seed = seed();
        follow(seed, new NativeLeader(seed, 8, NativeVcpus::following));
    }

    @Test
    void aStockKernelBootsInTracesAsStepByStep() {
        long seed = seed();
        follow(seed, new TraceLeader(RUNS, seed % 2 == 0));
    }

    private static long seed() {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        // Should the JVM die, this is what is left to know.
        System.out.println("seed " + seed);
        System.out.flush();
        return seed;
    }

    private static void follow(long seed, Leader leader) {
        BootSource source = kernel();
        try (LockstepPc leading = new LockstepPc(MEMORY, source, leader::drive);
                LockstepPc interpreted = new LockstepPc(MEMORY, source, FollowingVcpu::new);
                leader;
                Watchdog watchdog = new Watchdog(leading)) {
            String difference = follow(leading, interpreted, leader, watchdog, new SplittableRandom(seed));
            assertThat(difference)
                    .as("seed %d, the guest has printed: %s", seed, tail(leading.output()))
                    .isEmpty();
        }
    }

    private static String tail(String text) {
        return text.substring(Math.max(0, text.length() - 500));
    }

    /** Runs both up to the end; {@return what differed, or an empty string} */
    private static String follow(
            LockstepPc leading, LockstepPc interpreted, Leader leader, Watchdog watchdog, SplittableRandom random) {
        FollowingVcpu reference = (FollowingVcpu) interpreted.vcpu;
        Cpu cpu = leading.cpu;
        long memoryCompared = 0;
        while (cpu.retired < MILLIONS * MILLION) {
            leader.leaveAfter(1 + random.nextInt(random.nextInt(4) == 0 ? 4000 : 100));
            ExitReason reason = watchdog.run();
            while (reason == ExitReason.INTERRUPTED && FuzzMachine.isUnsettled(cpu)) {
                leader.leaveAfter(2);
                reason = watchdog.run();
            }
            reference.until(cpu.retired, SteppingVcpu.interruptions(cpu));
            ExitReason expected = reference.run();
            String difference = reason == expected ? "" : "exit %s, not %s; ".formatted(reason, expected);
            difference += stateDifference(leading, interpreted, reference.flagsUndefined);
            if (cpu.retired - memoryCompared > INSTRUCTIONS_PER_MEMORY_COMPARISON || !difference.isEmpty()) {
                difference += memoryDifference(leading.memory.segment(), interpreted.memory.segment());
                memoryCompared = cpu.retired;
            }
            if (!difference.isEmpty()) {
                return "after %d instructions at %x: %s %s"
                        .formatted(cpu.retired, cpu.r[Cpu.RIP], difference, leading.vcpu.exitDetail());
            }
            MachineEvent event = leading.takeEvent();
            if (event != null) {
                return event.equals(interpreted.takeEvent()) && event instanceof MachineEvent.PowerOff
                        ? ""
                        : "the machine ended with " + event;
            }
            leading.tick();
            interpreted.tick();
        }
        return "";
    }

    // ---------------------------------------------------------------- comparison

    /** {@return whether two values can be the same flags register with other arithmetic flags} */
    private static boolean sameButForFlags(long a, long b) {
        return ((a ^ b) & ~(long) Cpu.ARITHMETIC) == 0 && (a & 2) != 0 && (a & ~0x3F_FFFFL) == 0;
    }

    /** Compares the CPUs, and takes over what may differ into the second one. */
    private static String stateDifference(LockstepPc actual, LockstepPc expected, boolean flagsUndefined) {
        X86State a = actual.vcpu.state();
        X86State b = expected.vcpu.state();
        StringBuilder text = new StringBuilder();
        FuzzMachine.compare(text, "retired", actual.cpu.retired, expected.cpu.retired);
        FuzzMachine.compare(text, "rip", a.rip(), b.rip());
        FuzzMachine.compare(text, "exceptions", actual.cpu.exceptions, expected.cpu.exceptions);
        FuzzMachine.compare(text, "interrupts", actual.cpu.interrupts, expected.cpu.interrupts);
        for (int i = 0; i < 16; i++) {
            if (sameButForFlags(a.gpr()[i], b.gpr()[i])) {
                expected.cpu.r[i] = actual.cpu.r[i];
            } else {
                FuzzMachine.compare(text, MachineState.GPR_NAMES[i], a.gpr()[i], b.gpr()[i]);
            }
        }
        if (flagsUndefined) {
            expected.cpu.setArithmeticFlags(actual.cpu.arithmeticFlags());
        }
        // RF lasts until the next instruction that is interpreted by itself; it means nothing as long as nobody debugs.
        long mask = ~(long) Cpu.RF & (flagsUndefined ? ~(long) Cpu.ARITHMETIC : -1);
        FuzzMachine.compare(text, "rflags", a.rflags() & mask, b.rflags() & mask);
        FuzzMachine.compareRest(text, a, b);
        return text.toString();
    }

    /** Compares the memories, and takes over what may differ into the second one. */
    private static String memoryDifference(MemorySegment actual, MemorySegment expected) {
        StringBuilder text = new StringBuilder();
        long from = 0;
        while (text.length() < 500) {
            long found = actual.asSlice(from).mismatch(expected.asSlice(from));
            if (found < 0) {
                break;
            }
            long at = from + found & -8;
            long value = actual.get(ValueLayout.JAVA_LONG, at);
            long wanted = expected.get(ValueLayout.JAVA_LONG, at);
            // Code may have been translated ahead of its execution, which sets accessed bits (SDM 3A 4.8).
            if (sameButForFlags(value, wanted) || value == (wanted | ACCESSED)) {
                expected.set(ValueLayout.JAVA_LONG, at, value);
            } else {
                FuzzMachine.compare(text, "[0x%x]".formatted(at), value, wanted);
            }
            from = at + 8;
        }
        return text.toString();
    }

    /** Runs the leading machine and gets it out of loops that wait for a timer. */
    private static final class Watchdog implements AutoCloseable {
        private static final long PATIENCE_NANOS = 20_000_000;
        private static final long NOT_RUNNING = -1;

        private final LockstepPc machine;
        private final Thread thread;
        private volatile long since = NOT_RUNNING;
        private volatile boolean closed;

        Watchdog(LockstepPc machine) {
            this.machine = machine;
            thread = Thread.ofPlatform().daemon().name("watchdog").start(this::watch);
        }

        ExitReason run() {
            since = System.nanoTime();
            ExitReason reason = machine.vcpu.run();
            since = NOT_RUNNING;
            return reason;
        }

        private void watch() {
            while (!closed) {
                long began = since;
                if (began != NOT_RUNNING && System.nanoTime() - began > PATIENCE_NANOS) {
                    machine.vcpu.kick();
                }
                try {
                    Thread.sleep(5);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }

        @Override
        public void close() {
            closed = true;
            thread.interrupt();
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
