package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.memory.GuestMemory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A bare machine for tests: RAM, a CPU in a mode of choice with flat segments, a bus that remembers, and time that a test
 * moves by hand. Runs code in blocks as the interpreter does, but hands faults to the test unless told to deliver them.
 *
 * <p>Every linear address below {@link #mapped} equals the physical one and may be used at every privilege level.
 */
final class TestMachine implements AutoCloseable {
    /** Where {@link #exec} puts code. */
    static final long CODE = 0x1_0000;

    /** Stack pointer to begin with. */
    static final long STACK = 0x3_0000;

    /** Free memory for data. */
    static final long DATA = 0x4_0000;

    /** Stack of privilege level 0 that the task state segment names. */
    static final long KERNEL_STACK = 0x5_0000;

    static final long GDT = 0x1000;
    static final long IDT = 0x2000;
    static final long TSS = 0x3000;
    private static final long PAGE_TABLES = 0x8_0000;

    // Selectors; SYSCALL and SYSRET find what they want with STAR = 0x0018_0008 << 32.
    static final int KERNEL_CODE = 0x08;
    static final int KERNEL_DATA = 0x10;
    static final int USER_CODE32 = 0x18 | 3;
    static final int USER_DATA = 0x20 | 3;
    static final int USER_CODE = 0x28 | 3;
    static final int KERNEL_CODE32 = 0x30;
    static final int KERNEL_CODE16 = 0x38;
    static final int KERNEL_DATA16 = 0x40;
    static final int TASK = 0x48;
    /** First selector that tests may define. */
    static final int FREE = 0x60;

    private static final int GDT_LIMIT = 0xFFF;

    // Attributes for descriptor().
    static final int ATTR_CODE64 = 0xA09B;
    static final int ATTR_CODE32 = 0xC09B;
    static final int ATTR_CODE16 = 0x009B;
    static final int ATTR_DATA32 = 0xC093;
    static final int ATTR_DATA16 = 0x0093;
    static final int ATTR_DPL3 = 3 << 5;
    static final int ATTR_TSS = 0x0089;
    static final int ATTR_TSS16 = 0x0081;
    static final int ATTR_LDT = 0x0082;

    private static final int GATE_INTERRUPT = 0x8E;

    final GuestMemory memory;
    final FakeBus bus = new FakeBus();
    final FakeTimers timers = new FakeTimers();
    final Cpu cpu;
    final Vcpu vcpu;
    private final BlockBuilder builder;

    /** Everything runs as traces; tests run a second time with this. */
    private static final boolean TRACES = Boolean.getBoolean("kagami.tests.traces");

    /** Makes a machine in real mode with 4 MiB. */
    TestMachine() {
        this(4 << 20);
    }

    /**
     * Makes a machine in real mode.
     *
     * @param size bytes of RAM
     */
    TestMachine(long size) {
        this(
                size,
                cpu -> TRACES
                        ? new InterpreterVcpu(cpu, null, false, new AtOnceRecorder(cpu))
                        : new InterpreterVcpu(cpu, null));
    }

    /**
     * Makes a machine in real mode for another engine.
     *
     * @param size bytes of RAM
     * @param drive makes the virtual CPU that drives the CPU's state
     */
    TestMachine(long size, Function<Cpu, Vcpu> drive) {
        memory = GuestMemory.allocate(size);
        InterpreterProcessors processors =
                new InterpreterProcessors(new ProcessorConfig(1, null), memory, bus, timers, drive);
        cpu = processors.cpu(0);
        vcpu = processors.vcpus().getFirst();
        builder = new BlockBuilder(cpu);
        realMode();
    }

    /** {@return a machine with 4 MiB in real mode} */
    static TestMachine inRealMode() {
        return new TestMachine();
    }

    /** {@return a machine with 4 MiB in 32-bit protected mode without paging} */
    static TestMachine inProtectedMode() {
        TestMachine machine = new TestMachine();
        machine.protectedMode();
        return machine;
    }

    /** {@return a machine with 4 MiB in 64-bit mode, privilege level 0} */
    static TestMachine inLongMode() {
        TestMachine machine = new TestMachine();
        machine.longMode();
        return machine;
    }

    /** {@return the same with another engine} */
    static TestMachine inLongMode(Function<Cpu, Vcpu> drive) {
        TestMachine machine = new TestMachine(4 << 20, drive);
        machine.longMode();
        return machine;
    }

    // ---------------------------------------------------------------- modes

    /** Sets all segments to base 0 and 64 KiB, interrupt table at 0. */
    void realMode() {
        cpu.cr0 = Cpu.CR0_ET;
        cpu.cr4 = 0;
        cpu.efer = 0;
        cpu.dr[6] = 0xFFFF_0FF0L;
        cpu.dr[7] = 0x400;
        for (int i = 0; i < 6; i++) {
            segment(i, 0, 0, 0xFFFF, i == Cpu.CS ? ATTR_CODE16 : ATTR_DATA16);
        }
        cpu.idtBase = 0;
        cpu.idtLimit = 0x3FF;
        begin();
    }

    /** Sets flat 32-bit segments, the tables, and a 32-bit task state segment; paging off. */
    void protectedMode() {
        tables();
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_ET | Cpu.CR0_NE;
        cpu.cr4 = 0;
        cpu.efer = 0;
        segment(Cpu.CS, KERNEL_CODE32, 0, 0xFFFF_FFFFL, ATTR_CODE32);
        data(KERNEL_DATA, ATTR_DATA32);
        cpu.limit[Cpu.TR] = 0x67;
        memory.writeInt(TSS + 4, (int) KERNEL_STACK);
        memory.writeInt(TSS + 8, KERNEL_DATA);
        descriptor(TASK, TSS, 0x67, ATTR_TSS | 2);
        begin();
    }

    /** Sets 64-bit mode with 4-level paging, the tables, and a 64-bit task state segment. */
    void longMode() {
        tables();
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP | Cpu.CR0_PG;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_FSGSBASE;
        cpu.efer = Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
        cpu.cr3 = PAGE_TABLES;
        long present = 7;
        memory.writeLong(PAGE_TABLES, PAGE_TABLES + 0x1000 | present);
        memory.writeLong(PAGE_TABLES + 0x1000, PAGE_TABLES + 0x2000 | present);
        memory.writeLong(PAGE_TABLES + 0x2000, PAGE_TABLES + 0x3000 | present);
        memory.writeLong(PAGE_TABLES + 0x2008, PAGE_TABLES + 0x4000 | present);
        for (int page = 0; page < 1024; page++) {
            map((long) page << 12, (long) page << 12, present);
        }
        segment(Cpu.CS, KERNEL_CODE, 0, 0xFFFF_FFFFL, ATTR_CODE64);
        data(KERNEL_DATA, ATTR_DATA32);
        memory.writeLong(TSS + 4, KERNEL_STACK);
        begin();
    }

    /** {@return the end of the linear addresses that are mapped in long mode} */
    static long mapped() {
        return 4 << 20;
    }

    /**
     * Sets a page-table entry in long mode, and drops what the TLB knows.
     *
     * @param linear page below {@link #mapped}
     * @param physical where it leads
     * @param flags low and high flag bits, 7 for everything allowed
     */
    void map(long linear, long physical, long flags) {
        memory.writeLong(PAGE_TABLES + 0x3000 + (linear >>> 12) * 8, physical | flags);
        cpu.mmu.flushAll();
    }

    /** Sets the privilege level to 3 with flat user segments, 64-bit or 32-bit code by the current mode. */
    void userMode() {
        boolean wide = cpu.mode == 64;
        segment(
                Cpu.CS,
                wide ? USER_CODE : USER_CODE32,
                0,
                0xFFFF_FFFFL,
                (wide ? ATTR_CODE64 : ATTR_CODE32) | ATTR_DPL3);
        data(USER_DATA, ATTR_DATA32 | ATTR_DPL3);
        cpu.cpl = 3;
        cpu.updateMode();
    }

    /** Goes from 64-bit mode to 32-bit compatibility mode at the current privilege level. */
    void compatibilityMode() {
        boolean user = cpu.cpl == 3;
        segment(Cpu.CS, user ? USER_CODE32 : KERNEL_CODE32, 0, 0xFFFF_FFFFL, ATTR_CODE32 | (user ? ATTR_DPL3 : 0));
        cpu.updateMode();
    }

    private void data(int selector, int attributes) {
        for (int i = 0; i < 6; i++) {
            if (i != Cpu.CS) {
                segment(i, selector, 0, 0xFFFF_FFFFL, attributes);
            }
        }
    }

    private void begin() {
        cpu.cpl = 0;
        cpu.systemFlags = 2;
        cpu.r[Cpu.RSP] = STACK;
        cpu.r[Cpu.RIP] = CODE;
        cpu.halted = false;
        cpu.clear(-1);
        cpu.updateMode();
        cpu.mmu.flushAll();
    }

    private void tables() {
        cpu.gdtBase = GDT;
        cpu.gdtLimit = GDT_LIMIT;
        cpu.idtBase = IDT;
        cpu.idtLimit = 0xFFF;
        descriptor(KERNEL_CODE, 0, 0xFFFFF, ATTR_CODE64);
        descriptor(KERNEL_DATA, 0, 0xFFFFF, ATTR_DATA32);
        descriptor(USER_CODE32, 0, 0xFFFFF, ATTR_CODE32 | ATTR_DPL3);
        descriptor(USER_DATA, 0, 0xFFFFF, ATTR_DATA32 | ATTR_DPL3);
        descriptor(USER_CODE, 0, 0xFFFFF, ATTR_CODE64 | ATTR_DPL3);
        descriptor(KERNEL_CODE32, 0, 0xFFFFF, ATTR_CODE32);
        descriptor(KERNEL_CODE16, 0, 0xFFFF, ATTR_CODE16);
        descriptor(KERNEL_DATA16, 0, 0xFFFF, ATTR_DATA16);
        descriptor(TASK, TSS, 0x67, ATTR_TSS | 2);
        // The I/O permission map begins behind the end: no port is allowed.
        memory.writeShort(TSS + 0x66, 0x68);
        cpu.selector[Cpu.TR] = TASK;
        cpu.trBase = TSS;
        cpu.limit[Cpu.TR] = 0x67;
        cpu.attributes[Cpu.TR] = ATTR_TSS | 2;
    }

    /** Sets a segment register with its hidden part. */
    void segment(int segment, int selector, long base, long limit, int attributes) {
        cpu.selector[segment] = selector;
        if (segment < Cpu.LDTR) {
            cpu.r[Cpu.SEGMENT_BASE + segment] = base;
        } else if (segment == Cpu.LDTR) {
            cpu.ldtBase = base;
        } else {
            cpu.trBase = base;
        }
        cpu.limit[segment] = limit;
        cpu.attributes[segment] = attributes;
    }

    /**
     * Writes a descriptor into the GDT.
     *
     * @param selector where; the low three bits don't matter
     * @param base linear address
     * @param limit the 20-bit field
     * @param attributes as {@link dev.kagami.cpu.X86State.Segment} has them
     */
    void descriptor(int selector, long base, int limit, int attributes) {
        memory.writeLong(GDT + (selector & ~7), encode(base, limit, attributes));
    }

    /** {@return a descriptor as it is in memory} */
    static long encode(long base, int limit, int attributes) {
        long high = base & 0xFF00_0000L | base >> 16 & 0xFF | (long) attributes << 8 | limit & 0xF_0000;
        long low = base << 16 & 0xFFFF_0000L | limit & 0xFFFF;
        return high << 32 | low;
    }

    /**
     * Writes a gate into the IDT, 16 bytes in long mode and 8 otherwise.
     *
     * @param vector which
     * @param selector code segment
     * @param offset handler
     * @param access the byte with P, DPL and type
     * @param stack interrupt stack table index in long mode
     */
    void gate(int vector, int selector, long offset, int access, int stack) {
        long low = offset & 0xFFFF
                | (long) selector << 16
                | (long) stack << 32
                | (long) access << 40
                | (offset & 0xFFFF_0000L) << 32;
        if (cpu.longMode()) {
            memory.writeLong(IDT + vector * 16L, low);
            memory.writeLong(IDT + vector * 16L + 8, offset >>> 32);
        } else {
            memory.writeLong(IDT + vector * 8L, low);
        }
    }

    /** Writes an interrupt gate of privilege level 0 to the kernel's code segment. */
    void gate(int vector, long offset) {
        gate(vector, cpu.longMode() ? KERNEL_CODE : KERNEL_CODE32, offset, GATE_INTERRUPT, 0);
    }

    // ---------------------------------------------------------------- running

    /** Writes code, as hex digits with blanks anywhere. */
    void code(long address, String hex) {
        memory.write(address, HexFormat.of().parseHex(hex.replace(" ", "")));
        cpu.code.dropWritten();
        cpu.clear(Cpu.EVENT_CODE_WRITTEN);
    }

    /**
     * Runs code at {@link #CODE} up to a HLT that is appended.
     *
     * @param hex code
     * @return null when it got to the end, else the fault, with the instruction pointer on the instruction
     */
    @Nullable
    Fault exec(String hex) {
        code(CODE, hex + "F4");
        cpu.r[Cpu.RIP] = CODE;
        return run(10_000);
    }

    /**
     * Runs from where the CPU is until it halts or faults.
     *
     * @param maxInstructions bound
     * @return null when it halted, else the fault
     * @throws IllegalStateException when the bound is reached
     */
    @Nullable
    Fault run(long maxInstructions) {
        long end = cpu.retired + maxInstructions;
        while (cpu.retired < end) {
            Fault fault = runBlock(false);
            if (fault != null) {
                return fault;
            }
            if (cpu.halted) {
                cpu.halted = false;
                cpu.clear(Cpu.EVENT_HALT);
                return null;
            }
        }
        throw new IllegalStateException("did not halt; at 0x" + Long.toHexString(cpu.r[Cpu.RIP]));
    }

    /**
     * Runs in the real run loop, which delivers exceptions, until the CPU halts with interrupts disabled or shuts down.
     *
     * @return why it stopped
     */
    ExitReason runDelivering() {
        cpu.halted = false;
        cpu.clear(Cpu.EVENT_HALT);
        return vcpu.run();
    }

    /** Runs one instruction. */
    @Nullable
    Fault step() {
        return runBlock(true);
    }

    private @Nullable Fault runBlock(boolean single) {
        Op[] ops = {};
        int i = 0;
        try {
            long linear = cpu.codeAddress();
            cpu.next = null;
            cpu.linkFrom = null;
            Block block = single ? null : cpu.code.find(linear, cpu.codeMode);
            if (block == null) {
                block = single ? builder.buildStep() : builder.build(linear);
            }
            ops = block.ops;
            for (i = 0; i < ops.length; i++) {
                ops[i].execute(cpu);
            }
            cpu.retired += block.instructions;
            return null;
        } catch (Fault fault) {
            if (ops.length > 0) {
                cpu.r[Cpu.RIP] += ops[i].offset;
                cpu.retired += ops[i].ordinal;
            }
            if (fault.vector == Fault.RESTART) {
                return null;
            }
            if (fault.nonCanonical && ops.length > 0 && ops[i].usesStack()) {
                fault.vector = Vector.STACK_FAULT;
            }
            return fault;
        }
    }

    @Override
    public void close() {
        memory.close();
    }

    /** Ports that remember what was written, and a log of all accesses. */
    static final class FakeBus implements Bus {
        /** What ports answer; all ones where nothing is set. */
        final Map<Integer, Integer> ports = new HashMap<>();

        /** What device memory answers; all ones where nothing is set. */
        final Map<Long, Long> mmio = new HashMap<>();

        /** Accesses in order, such as {@code "out 80 1 2a"}: what, where, size, value (hexadecimal). */
        final List<String> log = new ArrayList<>();

        /** Whether accesses are logged and written device memory is kept: one repeated instruction can make any number of them. */
        boolean remembers = true;

        /** Vector for the next acknowledge cycle. */
        int externalVector = 0xFF;

        @Override
        public int readPort(int port, int size) {
            log("in %x %d", port, size);
            int value = ports.getOrDefault(port, -1);
            return size == 4 ? value : value & (1 << 8 * size) - 1;
        }

        @Override
        public void writePort(int port, int size, int value) {
            log("out %x %d %x", port, size, size == 4 ? value : value & (1 << 8 * size) - 1);
            ports.put(port, value);
        }

        @Override
        public long readMmio(long address, int size) {
            log("read %x %d", address, size);
            long value = mmio.getOrDefault(address, -1L);
            return size == 8 ? value : value & (1L << 8 * size) - 1;
        }

        @Override
        public void writeMmio(long address, int size, long value) {
            log("write %x %d %x", address, size, size == 8 ? value : value & (1L << 8 * size) - 1);
            if (remembers) {
                mmio.put(address, value);
            }
        }

        @Override
        public int acknowledgeExternalInterrupt() {
            return externalVector;
        }

        @Override
        public void endOfInterrupt(int vector) {
            log("eoi %x", vector);
        }

        private void log(String format, Object... values) {
            if (remembers) {
                log.add(format.formatted(values));
            }
        }
    }

    /** Time that a test moves; timers run when it passes them. */
    static final class FakeTimers implements Timers {
        private final List<FakeTimer> all = new ArrayList<>();
        private long now = 1_000_000_000L;

        @Override
        public long nanoTime() {
            return now;
        }

        /** Moves time and runs the timers that expire, each once. */
        void advance(long nanoseconds) {
            now += nanoseconds;
            for (FakeTimer timer : List.copyOf(all)) {
                if (timer.armed && timer.deadline <= now) {
                    timer.armed = false;
                    timer.action.run();
                }
            }
        }

        /** Runs what every timer runs, as an expiry does that had begun before the timer was armed anew. */
        void expireLate() {
            for (FakeTimer timer : List.copyOf(all)) {
                timer.action.run();
            }
        }

        @Override
        public Timer create(Runnable action) {
            FakeTimer timer = new FakeTimer(action);
            all.add(timer);
            return timer;
        }

        private static final class FakeTimer implements Timer {
            private final Runnable action;
            private long deadline;
            private boolean armed;

            FakeTimer(Runnable action) {
                this.action = action;
            }

            @Override
            public void arm(long deadline) {
                this.deadline = deadline;
                armed = true;
            }

            @Override
            public void disarm() {
                armed = false;
            }
        }
    }
}
