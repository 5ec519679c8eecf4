package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Vcpu;
import dev.kagami.memory.GuestMemory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;

/**
 * Two CPUs in 64-bit mode at privilege level 0. The first 4 MiB are RAM and linear addresses are physical ones, but for one
 * page; interrupts have a table.
 */
public final class SmpMachine implements AutoCloseable {
    static final int COUNT = 2;
    static final long DATA = 0x20_0000;

    /** A page whose page-table entry is at {@link #ENTRY}. */
    static final long REMAPPED = 0x4000_0000L;

    static final long ENTRY = 0x6000;

    private static final long PAGE_TABLES = 0x1000;
    private static final long POINTERS = 0x2000;
    private static final long DIRECTORY = 0x3000;
    private static final long DEVICE_DIRECTORY = 0x4000;
    private static final long REMAPPED_DIRECTORY = 0x5000;
    private static final long IDT = 0x7000;
    private static final long GDT = 0x8000;
    private static final long STACKS = 0x1_0000;
    private static final long CODE = 0x10_0000;
    private static final int PRESENT = 7;
    private static final int LARGE = 0x80;
    private static final long DEVICES = 0xFEE0_0000L;
    private static final int CODE_SELECTOR = 8;
    private static final int DATA_SELECTOR = 16;
    private static final long INTERRUPT_GATE = 0x8EL << 40;
    private static final int SPURIOUS = 0xF0;
    private static final int SOFTWARE_ENABLED = 0x1FF;

    final GuestMemory memory = GuestMemory.allocate(4 << 20);
    private final InterpreterProcessors processors;
    private final List<Vcpu> vcpus;
    private long nextCode = CODE;

    /**
     * Creates the machine.
     *
     * @param drive makes the virtual CPU that drives a CPU's state
     */
    public SmpMachine(Function<Cpu, Vcpu> drive) {
        processors = new InterpreterProcessors(
                new ProcessorConfig(COUNT, null),
                memory,
                new TestMachine.FakeBus(),
                new TestMachine.FakeTimers(),
                drive);
        vcpus = processors.vcpus();
        memory.writeLong(PAGE_TABLES, POINTERS | PRESENT);
        memory.writeLong(POINTERS, DIRECTORY | PRESENT);
        memory.writeLong(POINTERS + 8, REMAPPED_DIRECTORY | PRESENT);
        memory.writeLong(POINTERS + 24, DEVICE_DIRECTORY | PRESENT);
        memory.writeLong(DIRECTORY, LARGE | PRESENT);
        memory.writeLong(DIRECTORY + 8, 1L << 21 | LARGE | PRESENT);
        memory.writeLong(REMAPPED_DIRECTORY, ENTRY | PRESENT);
        memory.writeLong(ENTRY, DATA | PRESENT);
        memory.writeLong(DEVICE_DIRECTORY + 8 * (DEVICES >>> 21 & 511), DEVICES | LARGE | PRESENT);
        memory.writeLong(GDT + CODE_SELECTOR, TestMachine.encode(0, 0xFFFFF, TestMachine.ATTR_CODE64));
        memory.writeLong(GDT + DATA_SELECTOR, TestMachine.encode(0, 0xFFFFF, TestMachine.ATTR_DATA32));
        for (int i = 0; i < COUNT; i++) {
            prepare(processors.cpu(i));
        }
    }

    private static void prepare(Cpu cpu) {
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP | Cpu.CR0_PG;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT;
        cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
        cpu.cr3 = PAGE_TABLES;
        for (int i = 0; i < 6; i++) {
            cpu.selector[i] = i == Cpu.CS ? CODE_SELECTOR : DATA_SELECTOR;
            cpu.r[Cpu.SEGMENT_BASE + i] = 0;
            cpu.limit[i] = 0xFFFF_FFFFL;
            cpu.attributes[i] = i == Cpu.CS ? TestMachine.ATTR_CODE64 : TestMachine.ATTR_DATA32;
        }
        cpu.gdtBase = GDT;
        cpu.gdtLimit = 0xFF;
        cpu.idtBase = IDT;
        cpu.idtLimit = 0xFFF;
        cpu.r[Cpu.RSP] = STACKS + 0x1000L * (cpu.index + 1);
        cpu.apic.write(SPURIOUS, 4, SOFTWARE_ENABLED);
        cpu.apic.expectStartup(false);
        cpu.awaitingStartup = false;
        cpu.halted = false;
        cpu.mmu.flushAll();
        cpu.updateMode();
        cpu.clear(-1);
    }

    /**
     * Writes code to a page of its own.
     *
     * @param hex hexadecimal digits with blanks anywhere
     * @return where it is
     */
    long code(String hex) {
        long address = nextCode;
        nextCode += Mmu.PAGE_SIZE;
        memory.write(address, HexFormat.of().parseHex(hex.replace(" ", "")));
        return address;
    }

    /** Makes an interrupt vector lead to code. */
    void handler(int vector, long address) {
        memory.writeLong(
                IDT + 16L * vector,
                address & 0xFFFF | (long) CODE_SELECTOR << 16 | INTERRUPT_GATE | address >>> 16 << 48);
        memory.writeLong(IDT + 16L * vector + 8, address >>> 32);
    }

    /** {@return the state of a CPU, to be prepared before it runs} */
    Cpu cpu(int index) {
        return processors.cpu(index);
    }

    /**
     * Runs each CPU from an address, on a thread of its own, until all halt with interrupts disabled.
     *
     * @param patience how long that may take
     * @param starts where they begin
     */
    void run(Duration patience, long... starts) throws InterruptedException {
        ExitReason[] reasons = new ExitReason[COUNT];
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            processors.cpu(i).r[Cpu.RIP] = starts[i];
            int index = i;
            threads.add(Thread.ofPlatform()
                    .name("cpu-" + i)
                    .start(() -> reasons[index] = vcpus.get(index).run()));
        }
        long deadline = System.nanoTime() + patience.toNanos();
        for (Thread thread : threads) {
            thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < COUNT; i++) {
            vcpus.get(i).kick();
            threads.get(i).join();
            if (reasons[i] != ExitReason.HALTED) {
                text.append("CPU %d ended with %s at %x: %s; "
                        .formatted(
                                i,
                                reasons[i],
                                processors.cpu(i).r[Cpu.RIP],
                                vcpus.get(i).exitDetail()));
            }
        }
        if (!text.isEmpty()) {
            throw new AssertionError(text.toString());
        }
    }

    List<Vcpu> vcpus() {
        return vcpus;
    }

    @Override
    public void close() {
        processors.close();
        memory.close();
    }
}
