package dev.kagami.cpu.x86.interpreter;

import dev.kagami.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.nio.LongBuffer;

/**
 * A virtual CPU whose 64-bit code is run by a translator, with the interpreter for everything else: for code that is not
 * hot yet, for other modes, and for instructions that the translator leaves out.
 *
 * <p>This class is the translator's window on the CPU: a subclass emits and runs host code, and asks here for code bytes,
 * address translations and the interpretation of single instructions. All methods belong to the vCPU's thread, except
 * {@link #eventPending}.
 */
public abstract non-sealed class TranslatingVcpu extends InterpreterVcpu implements TranslationListener {
    /** Most address spaces of which translations are kept, see {@link TranslationListener#addressSpaceSelected}. */
    public static final int ADDRESS_SPACES = AddressSpaces.COUNT;

    /** Number of TLBs; see {@link #table}. */
    public static final int TABLES = Mmu.TABLES;

    private static final int GENERAL_REGISTERS = 16;

    /** The exception masks in MXCSR. */
    private static final int MXCSR_MASKS = 0x1F80;

    /**
     * Creates the virtual CPU.
     *
     * @param cpu the state to drive
     */
    protected TranslatingVcpu(Cpu cpu) {
        super(cpu, null, TraceRecorder.Mode.OFF);
    }

    /** Starts telling this object of events and flushes; to be called when it is fully made. */
    protected final void listen() {
        cpu.translations = this;
    }

    /**
     * Runs translated code at the instruction pointer if there is any.
     *
     * @return true when something ran; false when the interpreter shall run the block that begins there
     */
    protected abstract boolean runTranslated();

    @Override
    final void runBlocks() {
        try {
            while (cpu.events() == 0) {
                if (cpu.mode != 64 || !runTranslated()) {
                    interpretBlock();
                }
            }
        } catch (Fault fault) {
            // The fetch of code that is to be translated failed: the instruction pointer is right already.
            leave(null, 0, fault);
        }
    }

    private void interpretBlock() {
        Block block = null;
        int i = 0;
        cpu.linkFrom = null;
        cpu.interruptShadow = false;
        try {
            block = lookUp();
            cpu.next = null;
            for (i = 0; i < block.ops.length; i++) {
                block.ops[i].execute(cpu);
            }
            cpu.retired += block.instructions;
        } catch (Fault fault) {
            leave(block, i, fault);
        }
    }

    /** Interprets the instruction at the instruction pointer, with the exceptions it raises. */
    protected final void interpretInstruction() {
        Block block = null;
        int i = 0;
        cpu.linkFrom = null;
        cpu.interruptShadow = false;
        try {
            long linear = cpu.codeAddress();
            block = cpu.code.find(linear, cpu.codeMode | BlockBuilder.SINGLE);
            if (block == null) {
                block = builder.buildSingle(linear);
            }
            for (i = 0; i < block.ops.length; i++) {
                block.ops[i].execute(cpu);
            }
            cpu.retired += block.instructions;
        } catch (Fault fault) {
            leave(block, i, fault);
        }
    }

    /** {@return the instruction pointer} */
    protected final long instructionPointer() {
        return cpu.r[Cpu.RIP];
    }

    /**
     * Sets the instruction pointer.
     *
     * @param value linear address
     */
    protected final void setInstructionPointer(long value) {
        cpu.r[Cpu.RIP] = value;
    }

    /** {@return what decoded code depends on besides its bytes} */
    protected final int codeMode() {
        return cpu.codeMode;
    }

    /** {@return whether the CPU is at privilege level 3} */
    protected final boolean userMode() {
        return cpu.cpl == 3;
    }

    /** {@return whether the CPU is at privilege level 0 or 3} */
    protected final boolean supervisorOrUser() {
        return cpu.cpl == 0 || cpu.cpl == 3;
    }

    /** RFLAGS.IF. */
    protected static final int FLAG_IF = Cpu.IF;

    /** RFLAGS.DF. */
    protected static final int FLAG_DF = Cpu.DF;

    /** RFLAGS.AC. */
    protected static final int FLAG_AC = Cpu.AC;

    /** The flags besides the arithmetic ones, IF, DF and AC that PUSHF stores. */
    protected static final int PUSHED_FLAGS = ~(Cpu.ARITHMETIC | Cpu.IF | Cpu.DF | Cpu.AC | Cpu.RF | Cpu.VM);

    /** {@return RFLAGS without the arithmetic flags} */
    protected final int systemFlags() {
        return cpu.systemFlags;
    }

    /**
     * Sets or clears IF, without looking at interrupts that wait for it.
     *
     * @param flag {@link #FLAG_IF} or 0
     */
    protected final void setInterruptFlag(int flag) {
        cpu.systemFlags = cpu.systemFlags & ~Cpu.IF | flag;
    }

    /**
     * Sets or clears DF.
     *
     * @param flag {@link #FLAG_DF} or 0
     */
    protected final void setDirection(int flag) {
        cpu.systemFlags = cpu.systemFlags & ~Cpu.DF | flag;
    }

    /**
     * Sets or clears AC.
     *
     * @param flag {@link #FLAG_AC} or 0
     */
    protected final void setAccessControl(int flag) {
        if ((cpu.systemFlags & Cpu.AC) != flag) {
            cpu.systemFlags ^= Cpu.AC;
            cpu.updateView();
        }
    }

    /** {@return the TLB of the supervisor in the current address space with AC as given} */
    protected final int supervisorTable(boolean accessControl) {
        return cpu.mmu.supervisorTable(accessControl);
    }

    /**
     * {@return what RDTSC has over {@link System#nanoTime}, or {@link dev.kagami.cpu.Timers#NOT_HOST_TIME} when it can't be
     * had from there}
     */
    protected final long timeStampOverHostTime() {
        return cpu.timeStampOverHostTime();
    }

    /** {@return IA32_TSC_AUX} */
    protected final long timeStampAuxiliary() {
        return cpu.msrs.tscAux;
    }

    /** {@return whether an interrupt waits until IF is set} */
    protected final boolean interruptWaiting() {
        return cpu.interruptWaiting;
    }

    /** {@return a segment register's selector} */
    protected final int selector(int segment) {
        return cpu.selector[segment];
    }

    /** {@return whether SYSCALL is allowed and clears all flags that are set or may be by SYSRET to ordinary code} */
    protected final boolean systemCallsUsual() {
        int flags = cpu.systemFlags | Cpu.ARITHMETIC | Cpu.IF | Cpu.DF | Cpu.AC;
        return (cpu.efer & Cpu.EFER_SCE) != 0 && (flags & ~((int) cpu.msrs.fmask | 2)) == 0;
    }

    /**
     * {@return whether SYSRET is allowed, and the next SYSCALL finds segments as they are now, and the user may do what the kernel
     * may now as far as translated code knows}
     */
    protected final boolean systemReturnsUsual() {
        return (cpu.efer & Cpu.EFER_SCE) != 0
                && (cpu.cr4 & Cpu.CR4_TSD) == 0
                && (cpu.cpl == 3
                        || selector(Cpu.CS) == systemCallSelector()
                                && selector(Cpu.SS) == systemCallStack()
                                && descriptor(Cpu.CS) == systemCallDescriptor()
                                && descriptor(Cpu.SS) == systemCallStackDescriptor());
    }

    /** {@return where SYSCALL goes} */
    protected final long systemCallTarget() {
        return cpu.msrs.lstar;
    }

    /** {@return the selector of CS after SYSCALL} */
    protected final int systemCallSelector() {
        return SystemCallOps.callSelector(cpu);
    }

    /** {@return the selector of SS after SYSCALL} */
    protected final int systemCallStack() {
        return SystemCallOps.callStack(cpu);
    }

    /** {@return the descriptor that CS seems to be filled from after SYSCALL} */
    protected final long systemCallDescriptor() {
        return Segmentation.flatDescriptor(Segmentation.FLAT_CODE64);
    }

    /** {@return the descriptor that SS seems to be filled from after SYSCALL} */
    protected final long systemCallStackDescriptor() {
        return Segmentation.flatDescriptor(Segmentation.FLAT_DATA);
    }

    /** {@return the selector of CS after SYSRET to 64-bit code} */
    protected final int systemReturnSelector() {
        return SystemCallOps.returnSelector(cpu);
    }

    /** {@return the selector of SS after SYSRET} */
    protected final int systemReturnStack() {
        return SystemCallOps.returnStack(cpu);
    }

    /**
     * Changes the privilege level as SYSCALL or SYSRET to 64-bit code does.
     *
     * @param level 0 or 3
     * @param flags RFLAGS but for the arithmetic flags
     */
    protected final void setPrivilege(int level, int flags) {
        SystemCallOps.setSegments(cpu, level);
        cpu.systemFlags = flags | 2;
        cpu.singleStep = false;
        cpu.updateMode();
    }

    /** {@return the number of the user's TLB in the current address space} */
    protected final int userTable() {
        return cpu.mmu.userTable();
    }

    /** {@return where the descriptor of a selector is, or -1 when it has none} */
    protected final long descriptorAddressOf(int selector) {
        return selector < 4 ? -1 : Segmentation.descriptorAddress(cpu, selector, 8);
    }

    /** {@return the descriptor that a segment register was filled from} */
    protected final long descriptor(int segment) {
        return Segmentation.descriptor(cpu, segment);
    }

    /** {@return whether IRET does more than its pops: lets NMIs in} */
    protected final boolean returnsFromNmi() {
        return cpu.nmiBlocked;
    }

    /** {@return IA32_KERNEL_GS_BASE} */
    protected final long kernelGsBase() {
        return cpu.msrs.kernelGsBase;
    }

    /** {@return whether the instructions that read and write the bases of FS and GS may be used} */
    protected final boolean basesAccessible() {
        return (cpu.cr4 & Cpu.CR4_FSGSBASE) != 0;
    }

    /** {@return CR2} */
    protected final long pageFaultAddress() {
        return cpu.cr2;
    }

    /** {@return whether SS is as a return to a null SS at privilege level 0 leaves it} */
    protected final boolean nullStack() {
        return cpu.selector[Cpu.SS] == 0
                && cpu.r[Cpu.SEGMENT_BASE + Cpu.SS] == 0
                && cpu.limit[Cpu.SS] == 0
                && cpu.attributes[Cpu.SS] == 0;
    }

    /**
     * Sets the bases of FS and GS, and what SWAPGS swaps.
     *
     * @param fs base of FS
     * @param gs base of GS
     * @param kernelBase IA32_KERNEL_GS_BASE
     */
    protected final void setBases(long fs, long gs, long kernelBase) {
        cpu.r[Cpu.SEGMENT_BASE + Cpu.FS] = fs;
        cpu.r[Cpu.SEGMENT_BASE + Cpu.GS] = gs;
        cpu.msrs.kernelGsBase = kernelBase;
    }

    /**
     * {@return the TLB in use} Number 0 is that of the supervisor that SMAP keeps off user pages; behind it there are two for each
     * address space: of the user, and of the supervisor otherwise.
     */
    protected final int table() {
        return cpu.mmu.tableNumber();
    }

    /** {@return whether a TLB may have entries that let a page be written}, see {@link #writesTrapped}. */
    public static boolean mayHaveWritable(int table, int writers) {
        return Mmu.mayHaveWritable(table, writers);
    }

    /** {@return whether an address is canonical for the current paging depth} */
    protected final boolean canonical(long address) {
        return cpu.mmu.canonical(address);
    }

    /** {@return the guest's RAM} */
    protected final MemorySegment ram() {
        return cpu.ram;
    }

    /** {@return whether events are pending} */
    protected final boolean eventsPending() {
        return cpu.events() != 0;
    }

    /** Counts instructions that translated code has run; a shadow of STI from before is over if there are any. */
    protected final void countInstructions(long count) {
        if (count > 0) {
            cpu.interruptShadow = false;
        }
        cpu.retired += count;
    }

    /**
     * Finds the page that the code at an address is in; faults as a fetch does.
     *
     * @param linear linear address
     * @return the number of the page of RAM, or -1 when the code is not in RAM
     */
    protected final int codePage(long linear) {
        CodePage page = cpu.code.page(linear);
        return page == null ? -1 : page.number;
    }

    /**
     * {@return the number of the page of RAM that the code at an address is in, or -1 when that can't be said without a page
     * walk}
     *
     * @param linear linear address
     */
    protected final int knownCodePage(long linear) {
        CodePage page = cpu.code.knownPage(linear);
        return page == null ? -1 : page.number;
    }

    /** {@return whether the page that {@link #codePage} has just found is a global one} */
    protected final boolean codeGlobal(long linear) {
        return cpu.code.isGlobal(linear);
    }

    /** {@return whether a page with these flags, from {@link DataPage}, outlives flushes that keep global pages} */
    public static boolean global(int flags) {
        return (flags & Mmu.FLAG_GLOBAL) != 0;
    }

    /**
     * {@return whether a page with these flags may be part of the same large page as an address}
     *
     * @param page linear address of the page
     * @param flags its flags, from {@link DataPage}
     * @param address linear address
     */
    public static boolean sameLargePage(long page, int flags, long address) {
        return Mmu.samePage(page, address, flags);
    }

    /**
     * Asks to be told, once, when code bytes change.
     *
     * @param pageNumber page of RAM, from {@link #codePage}
     * @param from first byte in the page
     * @param bytes number of bytes
     * @param dependent told when they may have changed
     */
    protected final void dependOnCode(int pageNumber, int from, int bytes, CodeDependent dependent) {
        cpu.code.pageOf(pageNumber).addDependent(from, bytes, dependent);
    }

    /**
     * Copies the 16 general registers out.
     *
     * @param target where to
     * @param at index of the first one
     */
    protected final void copyRegistersOut(LongBuffer target, int at) {
        target.put(at, cpu.r, 0, GENERAL_REGISTERS);
    }

    /**
     * Copies the 16 general registers in.
     *
     * @param source where from
     * @param at index of the first one
     */
    protected final void copyRegistersIn(LongBuffer source, int at) {
        source.get(at, cpu.r, 0, GENERAL_REGISTERS);
    }

    /** {@return the arithmetic flags, and the one that is always set} */
    protected final int arithmeticFlags() {
        return cpu.arithmeticFlags() | 2;
    }

    /** Sets the arithmetic flags. */
    protected final void setArithmeticFlags(int flags) {
        cpu.setArithmeticFlags(flags);
    }

    /** {@return the base of a segment} */
    protected final long segmentBase(int segment) {
        return cpu.r[Cpu.SEGMENT_BASE + segment];
    }

    /** {@return whether SSE instructions run without an exception that the host must not see} */
    protected final boolean vectorsUsable() {
        return (cpu.cr0 & (Cpu.CR0_TS | Cpu.CR0_EM)) == 0
                && (cpu.cr4 & Cpu.CR4_OSFXSR) != 0
                && (cpu.mxcsr & MXCSR_MASKS) == MXCSR_MASKS;
    }

    /** {@return whether AVX instructions run without an exception, given that SSE instructions do} */
    protected final boolean avxUsable() {
        return (cpu.cr4 & Cpu.CR4_OSXSAVE) != 0 && (cpu.xcr0 & VexOp.COMPONENTS) == VexOp.COMPONENTS;
    }

    /** {@return whether AVX-512 instructions run without an exception, given that AVX instructions do} */
    protected final boolean avx512Usable() {
        return (cpu.xcr0 & EvexOp.COMPONENTS) == EvexOp.COMPONENTS;
    }

    /** {@return whether the CPU's model has AVX-512} */
    protected final boolean hasAvx512() {
        return (cpu.features.components() & EvexOp.COMPONENTS) == EvexOp.COMPONENTS;
    }

    private static int vectorQuadwords(boolean all) {
        return all ? SimdOp.MEMORY_SLOT : 16 * VexOp.STRIDE;
    }

    /**
     * Copies vector registers out.
     *
     * @param target where to
     * @param at index of the first one; each takes 8
     * @param all whether there are 32, and opmask registers behind them, or 16
     * @return whether one of the first 16 has a bit set above the lowest 128
     */
    protected final boolean copyVectorsOut(LongBuffer target, int at, boolean all) {
        long[] v = cpu.vec;
        target.put(at, v, 0, vectorQuadwords(all));
        long upper = 0;
        for (int i = 0; i < 16 * VexOp.STRIDE; i += VexOp.STRIDE) {
            for (int j = 2; j < VexOp.STRIDE; j++) {
                upper |= v[i + j];
            }
        }
        return upper != 0;
    }

    /**
     * Copies vector registers in.
     *
     * @param source where from
     * @param at index of the first one; each takes 8
     * @param all whether there are 32, and opmask registers behind them, or 16
     */
    protected final void copyVectorsIn(LongBuffer source, int at, boolean all) {
        source.get(at, cpu.vec, 0, vectorQuadwords(all));
    }

    /** {@return MXCSR} */
    protected final int mxcsr() {
        return cpu.mxcsr;
    }

    /** Sets MXCSR. */
    protected final void setMxcsr(int value) {
        cpu.mxcsr = value;
    }

    /** A page translated for data. */
    public static final class DataPage {
        /** Offset of the page in RAM. */
        public long offset;

        /** Reads may go there directly. */
        public boolean readable;

        /** Writes may go there directly. */
        public boolean writable;

        /** What decides which flushes concern the page; see {@link #sameLargePage} and {@link #global}. */
        public int flags;

        /** Creates an object to be filled. */
        public DataPage() {}
    }

    /** {@return whether {@link #translateData} would change nothing: the page has been accessed in this way, and is remembered} */
    protected final boolean isTranslated(long address, boolean write) {
        return write ? cpu.mmu.writable(address) : cpu.mmu.readable(address);
    }

    /** {@return the guest's RAM, with what is known of its pages} */
    protected final GuestMemory memory() {
        return cpu.memory;
    }

    /**
     * {@return where in RAM the page tables begin that translated code may walk through by itself, or -1} It may enter a page for data
     * if all entries on the way there are present and have their accessed bit set, no reserved bit is set, and the access is allowed
     * as things are; for writing, if moreover the dirty bit is set and the page is not among {@link GuestMemory#watchedPages}.
     * {@link #noteEntered} must be called before anything else is done with the CPU.
     */
    protected final long usualPageTables() {
        return cpu.mmu.usualPageTables();
    }

    /**
     * Takes note of a page that translated code has entered for data.
     *
     * @param table the TLB, as {@link #table} numbers them
     * @param address linear address of the page
     * @param flags as those of {@link DataPage}
     * @param writable the number of the page of RAM if it was entered for writing, too, else a negative number
     */
    protected final void noteEntered(int table, long address, int flags, int writable) {
        cpu.mmu.noteEntered(table, address, flags, writable);
    }

    /**
     * Translates a page for data, without raising the exception of an access that is not allowed.
     *
     * @param address linear address
     * @param write whether the access writes
     * @param result filled when the access may be made directly
     * @return whether the access may be made directly; otherwise the instruction must be interpreted, which also delivers
     *     its exception
     */
    protected final boolean translateData(long address, boolean write, DataPage result) {
        long pageFaultAddress = cpu.cr2;
        try {
            long offset = cpu.mmu.translatePage(address, write);
            if (offset < 0) {
                return false;
            }
            result.offset = offset;
            result.readable = cpu.mmu.readable(address);
            result.writable = cpu.mmu.writable(address);
            result.flags = cpu.mmu.flags(address);
            return true;
        } catch (Fault fault) {
            cpu.cr2 = pageFaultAddress;
            return false;
        }
    }
}
