package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.Vcpu;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What several CPUs may expect of each other (SDM 3A chapter 9), for whatever runs them. */
public abstract class SmpContract {
    private static final Duration PATIENCE = Duration.ofSeconds(120);
    private static final long DATA = SmpMachine.DATA;

    private @Nullable SmpMachine made;

    /** Makes the virtual CPU that drives a CPU's state. */
    protected abstract Vcpu drive(Cpu cpu);

    /** Frees what a virtual CPU has. */
    protected void release(Vcpu vcpu) {}

    @BeforeEach
    void make() {
        made = new SmpMachine(this::drive);
    }

    @AfterEach
    void close() {
        SmpMachine machine = machine();
        machine.vcpus().forEach(this::release);
        machine.close();
    }

    private SmpMachine machine() {
        return Objects.requireNonNull(made);
    }

    private void set(int register, long value) {
        for (int i = 0; i < SmpMachine.COUNT; i++) {
            machine().cpu(i).r[register] = value;
        }
    }

    @Test
    void lockedInstructionsLoseNoUpdate() throws Exception {
        long rounds = 20_000;
        set(Cpu.RDI, DATA);
        set(8, rounds);
        long code = machine()
                .code(
                        "f048ff07" // lock incq (%rdi)
                                + "b801000000 f00fc14708" // mov $1,%eax; lock xadd %eax,8(%rdi)
                                + "488b4710 488d5001 f0480fb15710 75f0" // lock cmpxchg %rdx,16(%rdi) until it succeeds
                                + "b801000000 874718 85c0 7404 f390 ebf0" // a spin lock by xchg %eax,24(%rdi)
                                + "48ff4720 c7471800000000" // incq 32(%rdi) in it
                                + "66f083472901 f0ff473e" // lock addw $1,41(%rdi); lock incl 62(%rdi), which is in two
                                // cache
                                // lines
                                + "488b4750 488b5758 488d5801 488d4a02 f0480fc74f50 75e8" // lock cmpxchg16b 80(%rdi)
                                // until it
                                // succeeds
                                + "f00fba6f6003 7304 f390 ebf4" // a spin lock by lock btsl $3,96(%rdi)
                                + "48ff4768 f00fba776003 f0fe4f71" // incq 104(%rdi) in it; lock btrl $3,96(%rdi); lock
                                // decb
                                // 113(%rdi)
                                + "49ffc8 7586 f4"); // as often as r8 says

        machine().run(PATIENCE, code, code);

        long all = SmpMachine.COUNT * rounds;
        assertThat(machine().memory.readLong(DATA)).as("incq").isEqualTo(all);
        assertThat(machine().memory.readInt(DATA + 8)).as("xaddl").isEqualTo((int) all);
        assertThat(machine().memory.readLong(DATA + 16)).as("cmpxchgq").isEqualTo(all);
        assertThat(machine().memory.readLong(DATA + 32))
                .as("incq under xchg's lock")
                .isEqualTo(all);
        assertThat(machine().memory.readShort(DATA + 41))
                .as("addw at an odd address")
                .isEqualTo((int) (all & 0xFFFF));
        assertThat(machine().memory.readInt(DATA + 62))
                .as("incl in two cache lines")
                .isEqualTo((int) all);
        assertThat(machine().memory.readLong(DATA + 80)).as("cmpxchg16b, low").isEqualTo(all);
        assertThat(machine().memory.readLong(DATA + 88)).as("cmpxchg16b, high").isEqualTo(2 * all);
        assertThat(machine().memory.readLong(DATA + 104))
                .as("incq under bts's lock")
                .isEqualTo(all);
        assertThat(machine().memory.readByte(DATA + 113)).as("decb").isEqualTo((int) (-all & 0xFF));
    }

    @Test
    void storesAndLoadsStayInOrder() throws Exception {
        set(Cpu.RDI, DATA);
        set(8, 3_000_000);
        // rax counts: to (%rdi), then to 64(%rdi).
        long writer = machine().code("48ffc0 488907 48894740 4c39c0 75f1 f4");
        // 64(%rdi) to rax, then (%rdi) to rdx: not older.
        long reader = machine().code("488b4740 488b17 4839c2 7206 4c39c0 75ef f4 48c7878000000001000000 f4");

        machine().run(PATIENCE, writer, reader);

        assertThat(machine().memory.readLong(DATA + 128))
                .as("older data under a newer flag")
                .isZero();
    }

    @Test
    void aFenceOrdersAStoreBeforeALoad() throws Exception {
        set(Cpu.RDI, DATA);
        set(8, 3000);
        machine().cpu(0).r[Cpu.RSI] = 0;
        machine().cpu(0).r[Cpu.RDX] = 128;
        machine().cpu(1).r[Cpu.RSI] = 128;
        machine().cpu(1).r[Cpu.RDX] = 0;
        // r9 counts, to the own slot; MFENCE; then the other's slot is read. That both find the other's old value is
        // noted at 512(%rdi). A counter at 256(%rdi) keeps them in step.
        long code = machine()
                .code("49ffc1 4c890c37 0faef0 488b0417 4889443708"
                        + "4983c202 f048ff8700010000 f390 4c399700010000 72f5"
                        + "4c39c8 7312 4c394c1708 730b 48c7870002000001000000"
                        + "4983c202 f048ff8700010000 f390 4c399700010000 72f5"
                        + "4d39c1 75a3 f4");

        machine().run(PATIENCE, code, code);

        assertThat(machine().memory.readLong(DATA + 512))
                .as("both loads before both stores")
                .isZero();
    }

    /** A function at 3 of its page that returns the aligned constant at 4. */
    private long constantFunction() {
        return machine().code("909090 b800000000 c3") + 3;
    }

    /**
     * Reads a number, executes CPUID to serialize, and calls the function at rsi: it returns that number or a later one.
     * Then 72(%rdi) tells how far that was.
     */
    private static final String CALLS = "448b0f 31c0 0fa2 ffd6 4439c8 720a 44894f48 4539c1 75e9 f4 894740 44894f44 f4";

    @Test
    void codeThatAnotherCpuHasPatchedIsRun() throws Exception {
        int last = 3000;
        long function = constantFunction();
        set(Cpu.RDI, DATA);
        set(8, last);
        machine().cpu(0).r[Cpu.RSI] = function + 1;
        machine().cpu(1).r[Cpu.RSI] = function;
        // eax counts: into the constant, then to (%rdi).
        long writer = machine().code("ffc0 8906 8907 4439c0 75f5 f4");
        long reader = machine().code(CALLS);

        machine().run(PATIENCE, writer, reader);

        assertThat(machine().memory.readInt(DATA + 64))
                .as("old code, when it was %d", machine().memory.readInt(DATA + 68))
                .isZero();
        assertThat(machine().memory.readInt(DATA)).isEqualTo(last);
    }

    @Test
    void codeThatADeviceHasWrittenIsRun() throws Exception {
        int last = 500;
        long function = constantFunction();
        set(Cpu.RDI, DATA);
        set(8, last);
        set(Cpu.RSI, function);
        long reader = machine().code(CALLS);
        long bystander = machine().code("f4");
        Thread device = Thread.ofPlatform().start(() -> {
            for (int i = 1; i <= last; i++) {
                machine().memory.writeInt(function + 1, i);
                machine().memory.writeInt(DATA, i);
                while (machine().memory.readInt(DATA + 72) != i
                        && machine().memory.readInt(DATA + 68) == 0) {
                    Thread.yield();
                }
            }
        });

        machine().run(PATIENCE, reader, bystander);
        device.join();

        assertNoOldCode();
    }

    private void assertNoOldCode() {
        assertThat(machine().memory.readInt(DATA + 68))
                .as("what old code ran for")
                .isZero();
    }

    @Test
    void interprocessorInterruptsWakeAHaltedCpu() throws Exception {
        long last = 5000;
        set(Cpu.RDI, DATA);
        set(8, last);
        // rax counts: an interrupt to CPU 1, then it is awaited that it has counted as far at (%rdi).
        long sender = machine()
                .code("bb0000e0fe 48ffc0 c7831003000000000001 c7830003000040400000"
                        + "f390 483907 72f9 4c39c0 75dd f4");
        long sleeper = machine().code("fb f4 ebfc");
        machine().handler(0x40, machine().code("bb0000e0fe c783b000000000000000 f048ff07 4c3907 7402 48cf fa f4"));

        machine().run(PATIENCE, sender, sleeper);

        assertThat(machine().memory.readLong(DATA)).isEqualTo(last);
    }

    @Test
    void afterInvlpgAnotherCpusPageTableChangeIsSeen() throws Exception {
        set(Cpu.RDI, DATA);
        set(8, 5000);
        machine().cpu(0).r[Cpu.RSI] = DATA + 0x2000;
        machine().cpu(0).r[Cpu.RDX] = SmpMachine.ENTRY;
        machine().cpu(1).r[Cpu.RSI] = SmpMachine.REMAPPED;
        // rax counts: to one of two pages, which then is mapped; (%rdi) tells so, and 64(%rdi) is awaited.
        long writer = machine()
                .code("48ffc0 4889f1 a801 7407 4881c100100000 488901 4883c907 48890a 488907"
                        + "f390 48394740 72f8 4c39c0 75d5 f4");
        // Reads through the old translation until (%rdi) changes; then INVLPG, and what it reads must be that number.
        long reader = machine()
                .code("488b06 f390 4c8b0f 4c394f40 74f2 0f013e 488b06 4c39c8 750a 4c894f40 4d39c1 75de f4"
                        + "48898780000000 4c894740 f4");

        machine().run(PATIENCE, writer, reader);

        assertThat(machine().memory.readLong(DATA + 128))
                .as("number read through an old translation")
                .isZero();
        assertThat(machine().memory.readLong(DATA + 64)).isEqualTo(5000);
    }
}
