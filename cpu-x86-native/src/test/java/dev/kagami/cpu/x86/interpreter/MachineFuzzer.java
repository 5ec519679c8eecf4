package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.kagami.cpu.ExitReason;
import java.util.SplittableRandom;
import java.util.function.LongFunction;

/** Runs random machines in some engine and in the interpreter, and compares them every now and then. */
final class MachineFuzzer {
    /** Machines that use the same virtual CPUs one after the other. */
    private static final int CASES_A_ROUND = 25;

    private static final int SYNCHRONIZATIONS = 60;
    private static final int INSTRUCTIONS = 5000;
    private static final int MEMORY_COMPARED_EVERY = 8;

    private final Class<?> test;
    private final LongFunction<Leader> leaders;

    /**
     * Creates a fuzzer.
     *
     * @param test the test that it is for
     * @param leaders makes the engine for a seed
     */
    MachineFuzzer(Class<?> test, LongFunction<Leader> leaders) {
        this.test = test;
        this.leaders = leaders;
    }

    /**
     * Tests as many machines as {@code -Dkagami.cases} says, with {@code -Dkagami.seed}.
     *
     * @param defaultCases the number of machines otherwise
     */
    void test(int defaultCases) {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        int cases = Integer.getInteger("kagami.cases", defaultCases);
        // Should the JVM die, this is what is left to know.
        System.out.println("seed " + seed);
        System.out.flush();
        String failure = run(seed, cases);
        if (!failure.isEmpty()) {
            fail(failure);
        }
        assertThat(cases).isPositive();
    }

    /** {@return what differed, or an empty string} */
    private String run(long seed, int cases) {
        for (int first = 0; first < cases; first += CASES_A_ROUND) {
            long roundSeed = seed + first;
            try (Round round = new Round(leaders.apply(roundSeed))) {
                for (int i = 0; i < Math.min(CASES_A_ROUND, cases - first); i++) {
                    String failure = round.run(roundSeed + i);
                    if (!failure.isEmpty()) {
                        return "case %d: %s%nreproduce with -Dtest=%s -Dkagami.seed=%d -Dkagami.cases=%d"
                                .formatted(i, failure, test.getSimpleName(), roundSeed, i + 1);
                    }
                }
            }
        }
        return "";
    }

    /**
     * Searches without JUnit.
     *
     * @param arguments seed, and number of cases
     */
    void search(String[] arguments) {
        long start = System.nanoTime();
        long seed = Long.parseLong(arguments[0]);
        int cases = Integer.parseInt(arguments[1]);
        for (int first = 0; first < cases; first += CASES_A_ROUND) {
            System.out.println("round " + (seed + first));
            String failure = run(seed + first, Math.min(CASES_A_ROUND, cases - first));
            if (!failure.isEmpty()) {
                System.out.println(failure);
            }
        }
        System.out.printf("%s; %d ms%n", Round.statistics(), (System.nanoTime() - start) / 1_000_000);
        System.exit(0);
    }

    /** A pair of machines, and a thread that gets the leading one out of endless loops. */
    private static final class Round implements AutoCloseable {
        /** The reference steps for good where each step raises an exception that returns to the same place. */
        private static final long PATIENCE_WITH_REFERENCE_NANOS = 3_000_000_000L;

        private static final int NOT_RUNNING = -1;

        /** Instructions that an endless loop has run when it takes too long to follow. */
        private static final int TOO_FAR = 1_000_000;

        private static long instructions;
        private static long exceptions;
        private static long interrupts;
        private static long undefined;
        private static long impatient;
        private static long cut;

        private final Leader leader;
        private final FuzzMachine leading;
        private final FuzzMachine interpreted;
        private final SteppingVcpu reference;
        private final Thread watchdog;
        private volatile long since = NOT_RUNNING;
        private volatile long referenceSince = NOT_RUNNING;
        private volatile boolean kicked;
        private volatile boolean closed;

        Round(Leader leader) {
            this.leader = leader;
            leading = new FuzzMachine(leader::drive);
            interpreted = new FuzzMachine(SteppingVcpu::new);
            reference = (SteppingVcpu) interpreted.vcpu;
            watchdog = new Thread(this::watch, "watchdog");
            watchdog.setDaemon(true);
            watchdog.start();
        }

        static String statistics() {
            return "%d instructions, %d exceptions, %d interrupts; cut short by undefined results %d, endless loops %d, modes %d"
                    .formatted(instructions, exceptions, interrupts, undefined, impatient, cut);
        }

        private void watch() {
            while (!closed) {
                long began = since;
                if (began != NOT_RUNNING
                        && (System.nanoTime() - began > leader.patience()
                                || leading.cpu.retired - interpreted.cpu.retired > TOO_FAR)) {
                    kicked = true;
                    leading.vcpu.kick();
                }
                long referenceBegan = referenceSince;
                if (referenceBegan != NOT_RUNNING
                        && System.nanoTime() - referenceBegan > PATIENCE_WITH_REFERENCE_NANOS) {
                    kicked = true;
                    reference.kick();
                }
                try {
                    Thread.sleep(20);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }

        /** Runs the machine of a seed; {@return what differed, or an empty string} */
        String run(long seed) {
            leading.load(seed);
            interpreted.load(seed);
            SplittableRandom random = new SplittableRandom(~seed);
            String failure = "";
            for (int i = 0; i < SYNCHRONIZATIONS && failure.isEmpty(); i++) {
                kicked = false;
                ExitReason reason = lead(1 + random.nextInt(random.nextInt(4) == 0 ? 400 : 40));
                while (reason == ExitReason.INTERRUPTED && !kicked && FuzzMachine.isUnsettled(leading.cpu)) {
                    reason = lead(1 + random.nextInt(4));
                }
                if (reason == ExitReason.INTERNAL_ERROR) {
                    return leading.vcpu.exitDetail();
                }
                Cpu cpu = leading.cpu;
                if (cpu.retired - interpreted.cpu.retired > TOO_FAR) {
                    impatient++;
                    break;
                }
                reference.until(cpu.retired, SteppingVcpu.interruptions(cpu));
                referenceSince = System.nanoTime();
                ExitReason expected = reference.run();
                referenceSince = NOT_RUNNING;
                if (reference.undefined) {
                    undefined++;
                    break;
                }
                boolean lost = cpu.mode != 64 || !leading.inAddressSpace();
                if (lost || kicked) {
                    cut += lost ? 1 : 0;
                    impatient += kicked ? 1 : 0;
                    break;
                }
                boolean flags = !reference.setsFlagsNext();
                failure = reason == expected ? "" : "exit %s, not %s; ".formatted(reason, expected);
                failure += leading.difference(interpreted, flags);
                boolean last =
                        i == SYNCHRONIZATIONS - 1 || cpu.retired > INSTRUCTIONS || reason != ExitReason.INTERRUPTED;
                if (last || i % MEMORY_COMPARED_EVERY == 0 || !failure.isEmpty()) {
                    failure += leading.memoryDifference(interpreted);
                }
                if (!failure.isEmpty()) {
                    failure = "synchronization %d: %s".formatted(i, failure);
                }
                if (last) {
                    break;
                }
                if (flags) {
                    interfere(random);
                }
            }
            instructions += leading.cpu.retired;
            exceptions += leading.cpu.exceptions;
            interrupts += leading.cpu.interrupts;
            return failure;
        }

        private ExitReason lead(int count) {
            leader.leaveAfter(count);
            since = System.nanoTime();
            ExitReason reason = leading.vcpu.run();
            since = NOT_RUNNING;
            return reason;
        }

        /** Sends both machines the same interrupt, or writes the same into their memory. */
        private void interfere(SplittableRandom random) {
            switch (random.nextInt(12)) {
                case 0, 1, 2, 3 -> deliver(LocalApic.FIXED, 32 + random.nextInt(224));
                case 4 -> deliver(LocalApic.DELIVER_NMI, 2);
                case 5 -> {
                    byte[] bytes = new byte[1 + random.nextInt(16)];
                    random.nextBytes(bytes);
                    int page = random.nextInt(64);
                    int offset = random.nextInt(Mmu.PAGE_SIZE - bytes.length);
                    leading.poke(page, offset, bytes);
                    interpreted.poke(page, offset, bytes);
                }
                default -> {}
            }
        }

        private void deliver(int mode, int vector) {
            leading.cpu.apic.deliver(mode, vector, false);
            interpreted.cpu.apic.deliver(mode, vector, false);
        }

        @Override
        public void close() {
            closed = true;
            watchdog.interrupt();
            try {
                watchdog.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            leader.close();
            leading.close();
            interpreted.close();
        }
    }
}
