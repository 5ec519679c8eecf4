package dev.kagami.boot;

import dev.kagami.cpu.X86State;
import dev.kagami.cpu.X86State.Segment;
import dev.kagami.cpu.X86State.Table;
import dev.kagami.memory.GuestMemory;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The registers that a boot protocol defines.
 *
 * @param gpr the 16 general registers, as in {@link X86State}
 * @param rip instruction pointer
 * @param codeAttributes attributes of CS
 * @param gdtr the loader's descriptor table
 * @param cr0 control register 0
 * @param cr3 page-table base
 * @param cr4 control register 4
 * @param efer the MSR IA32_EFER
 */
record EntryState(long[] gpr, long rip, int codeAttributes, Table gdtr, long cr0, long cr3, long cr4, long efer) {
    /** Selector of the code segment: __BOOT_CS of Linux, and what other multiboot loaders use. */
    static final int CODE_SELECTOR = 0x10;

    /** Selector of the data segment: __BOOT_DS. */
    static final int DATA_SELECTOR = 0x18;

    /** Bytes of the descriptor table: two empty descriptors, code, data. */
    static final int GDT_SIZE = 32;

    private static final int RAX = 0;
    private static final int RBX = 3;
    private static final int RSI = 6;

    /** Present, DPL 0, execute/read, accessed; granularity of pages; L or D (SDM 3A 3.4.5). */
    private static final int CODE_64 = 0xA09B;

    private static final int CODE_32 = 0xC09B;
    /** Present, DPL 0, read/write, accessed; granularity of pages; B. */
    private static final int DATA_32 = 0xC093;
    /** Present, busy 32-bit TSS: what TR holds on entry by PVH, and outside of real mode in general. */
    private static final int BUSY_TSS = 0x8B;

    private static final int TSS_LIMIT = 0x67;
    /** Present LDT with nothing in it, as after reset (SDM 3A table 11-1). */
    private static final int LDT = 0x82;

    private static final int LDT_LIMIT = 0xFFFF;
    private static final int FLAT_LIMIT = 0xFFFF_FFFF;
    private static final long DESCRIPTOR_LIMIT = 0x000F_0000_0000_FFFFL;
    private static final int DESCRIPTOR_ATTRIBUTES_SHIFT = 40;

    private static final long CR0_PE = 1;
    private static final long CR0_ET = 1 << 4;
    private static final long CR0_NE = 1 << 5;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PAE = 1 << 5;
    private static final long EFER_LME = 1 << 8;
    private static final long EFER_LMA = 1 << 10;
    private static final int MSR_EFER = 0xC000_0080;
    /** Bit 1 always reads as 1. */
    private static final long RFLAGS_FIXED = 2;

    /** Starts in 64-bit mode with RSI at the boot parameters (boot.rst, "64-bit boot protocol"). */
    static EntryState linux64(long rip, long bootParameters, long pageTables, long gdt) {
        long[] gpr = new long[16];
        gpr[RSI] = bootParameters;
        return new EntryState(
                gpr,
                rip,
                CODE_64,
                new Table(gdt, GDT_SIZE - 1),
                CR0_PE | CR0_ET | CR0_NE | CR0_PG,
                pageTables,
                CR4_PAE,
                EFER_LME | EFER_LMA);
    }

    /** Starts in flat 32-bit protected mode without paging, with EAX and EBX as given. */
    static EntryState protected32(long rip, int eax, long ebx, long gdt) {
        long[] gpr = new long[16];
        gpr[RAX] = eax & 0xFFFF_FFFFL;
        gpr[RBX] = ebx;
        return new EntryState(gpr, rip, CODE_32, new Table(gdt, GDT_SIZE - 1), CR0_PE | CR0_ET, 0, 0, 0);
    }

    /**
     * Writes the descriptor table that belongs to the state's selectors.
     *
     * @param memory guest memory
     * @param gdt its address
     * @param is64 whether the code segment is a 64-bit one
     */
    static void writeGdt(GuestMemory memory, long gdt, boolean is64) {
        memory.clear(gdt, CODE_SELECTOR);
        memory.writeLong(gdt + CODE_SELECTOR, flatDescriptor(is64 ? CODE_64 : CODE_32));
        memory.writeLong(gdt + DATA_SELECTOR, flatDescriptor(DATA_32));
    }

    private static long flatDescriptor(int attributes) {
        return DESCRIPTOR_LIMIT | (long) attributes << DESCRIPTOR_ATTRIBUTES_SHIFT;
    }

    /**
     * Lays this over the state that a CPU has after reset.
     *
     * @param reset the state of the CPU after reset; gives everything that boot protocols leave open
     * @return the complete state
     */
    X86State applyTo(X86State reset) {
        Segment data = new Segment(DATA_SELECTOR, 0, FLAT_LIMIT, DATA_32);
        Segment[] segments = {
            data,
            new Segment(CODE_SELECTOR, 0, FLAT_LIMIT, codeAttributes),
            data,
            data,
            data,
            data,
            new Segment(0, 0, LDT_LIMIT, LDT),
            new Segment(0, 0, TSS_LIMIT, BUSY_TSS)
        };
        SortedMap<Integer, Long> msrs = new TreeMap<>(reset.msrs());
        msrs.put(MSR_EFER, efer);
        return new X86State(
                gpr.clone(),
                rip,
                RFLAGS_FIXED,
                segments,
                gdtr,
                // No interrupt is expected before the kernel has its own table: one ends in a shutdown at once.
                new Table(0, 0),
                cr0,
                0,
                cr3,
                cr4,
                0,
                reset.xcr0(),
                reset.dr(),
                reset.fpu(),
                reset.vectors(),
                reset.mxcsr(),
                msrs,
                reset.apic(),
                false,
                false,
                false,
                X86State.Pending.NOTHING);
    }
}
