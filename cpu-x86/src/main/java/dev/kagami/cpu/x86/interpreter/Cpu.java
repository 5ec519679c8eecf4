package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The state of one virtual CPU, with the accessors that instructions are made of.
 *
 * <p>Everything here belongs to the vCPU's thread, except {@link #signal}, and except what another CPU does to it while it
 * holds the {@link Rendezvous}.
 *
 * <h2>Lazy flags</h2>
 * The six arithmetic flags live in two longs. {@link #flagResult} is the last result, sign-extended to 64 bits: ZF is
 * "equals 0", SF its sign and PF the parity of its low byte. {@link #flagAux} holds the carries: bit 63 is CF, bit 62 is CF
 * xor OF (the carry into the sign bit), bit 3 is AF. So that any combination can be set, bit 0 of it inverts SF, and bits
 * 8 to 15 are xored into the byte whose parity is taken.
 */
public final class Cpu {
    // Slots of r behind the 16 general registers; they let an effective address be a plain sum.
    /** Always 0. */
    static final int ZERO = 16;
    /** Instruction pointer of the start of the current block. */
    static final int RIP = 17;
    /** First of the six segment bases. */
    static final int SEGMENT_BASE = 18;

    static final int RAX = 0;
    static final int RCX = 1;
    static final int RDX = 2;
    static final int RBX = 3;
    static final int RSP = 4;
    static final int RBP = 5;
    static final int RSI = 6;
    static final int RDI = 7;
    static final int R11 = 11;

    // Segment numbers; LDTR and TR follow the six of the encoding.
    static final int ES = 0;
    static final int CS = 1;
    static final int SS = 2;
    static final int DS = 3;
    static final int FS = 4;
    static final int GS = 5;
    static final int LDTR = 6;
    static final int TR = 7;

    // RFLAGS bits (SDM 1 3.4.3).
    static final int CF = 1;
    static final int PF = 1 << 2;
    static final int AF = 1 << 4;
    static final int ZF = 1 << 6;
    static final int SF = 1 << 7;
    static final int TF = 1 << 8;
    static final int IF = 1 << 9;
    static final int DF = 1 << 10;
    static final int OF = 1 << 11;
    static final int IOPL = 3 << 12;
    static final int NT = 1 << 14;
    static final int RF = 1 << 16;
    static final int VM = 1 << 17;
    static final int AC = 1 << 18;
    static final int VIF = 1 << 19;
    static final int VIP = 1 << 20;
    static final int ID = 1 << 21;
    /** The flags that are computed lazily. */
    static final int ARITHMETIC = CF | PF | AF | ZF | SF | OF;

    // CR0 (SDM 3A 2.5).
    static final long CR0_PE = 1;
    static final long CR0_MP = 1 << 1;
    static final long CR0_EM = 1 << 2;
    static final long CR0_TS = 1 << 3;
    static final long CR0_ET = 1 << 4;
    static final long CR0_NE = 1 << 5;
    static final long CR0_WP = 1 << 16;
    static final long CR0_AM = 1 << 18;
    static final long CR0_NW = 1 << 29;
    static final long CR0_CD = 1 << 30;
    static final long CR0_PG = 1L << 31;

    // CR4.
    static final long CR4_VME = 1;
    static final long CR4_PVI = 1 << 1;
    static final long CR4_TSD = 1 << 2;
    static final long CR4_DE = 1 << 3;
    static final long CR4_PSE = 1 << 4;
    static final long CR4_PAE = 1 << 5;
    static final long CR4_MCE = 1 << 6;
    static final long CR4_PGE = 1 << 7;
    static final long CR4_PCE = 1 << 8;
    static final long CR4_OSFXSR = 1 << 9;
    static final long CR4_OSXMMEXCPT = 1 << 10;
    static final long CR4_UMIP = 1 << 11;
    static final long CR4_LA57 = 1 << 12;
    static final long CR4_FSGSBASE = 1 << 16;
    static final long CR4_PCIDE = 1 << 17;
    static final long CR4_OSXSAVE = 1 << 18;
    static final long CR4_SMEP = 1 << 20;
    static final long CR4_SMAP = 1 << 21;

    // EFER.
    static final long EFER_SCE = 1;
    static final long EFER_LME = 1 << 8;
    static final long EFER_LMA = 1 << 10;
    static final long EFER_NXE = 1 << 11;

    // Events that a running CPU looks at between blocks.
    /** {@link dev.kagami.cpu.Vcpu#kick} was called. */
    static final int EVENT_KICK = 1;
    /** The local APIC or an interrupt line may have something to deliver. */
    static final int EVENT_INTERRUPT = 1 << 1;
    /** Pages whose code is cached were written by somebody else. */
    static final int EVENT_CODE_WRITTEN = 1 << 2;
    /** The CPU executed HLT. */
    static final int EVENT_HALT = 1 << 3;
    /** Single-step, breakpoints or trace: one instruction at a time. */
    static final int EVENT_STEP = 1 << 4;
    /** Another CPU wants this one out of guest code for a moment; see {@link Rendezvous}. */
    static final int EVENT_STOP = 1 << 5;
    /** INIT or start-up messages have arrived; see {@link LocalApic#takeInit}. */
    static final int EVENT_STARTUP = 1 << 6;
    /** Cached code is too much for the process, see {@link CodeBudget}. */
    static final int EVENT_GIVE_BACK = 1 << 7;

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long PAGE_MASK = -Mmu.PAGE_SIZE;

    /** A spinning CPU offers its core of the host to others after so many PAUSEs. A power of 2. */
    private static final int PAUSES_TO_YIELD = 64;

    private static final VarHandle EVENTS;

    static {
        try {
            EVENTS = MethodHandles.lookup().findVarHandle(Cpu.class, "events", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final int index;
    final GuestMemory memory;
    final MemorySegment ram;

    /** The same if it isn't too large for a buffer, which is less work for the JVM's compilers. */
    final @Nullable ByteBuffer ramBuffer;

    final Bus bus;
    final Timers timers;
    final Mmu mmu;
    final CodeCache code;
    final Fault fault = new Fault();

    /** General registers, then the slots named above. */
    final long[] r = new long[SEGMENT_BASE + 6];

    long flagResult;
    long flagAux;
    /** RFLAGS without the arithmetic flags; bit 1 is always set. */
    int systemFlags = 2;

    // Segment registers with their hidden parts; bases of the six usual ones are in r.
    final int[] selector = new int[8];
    final long[] limit = new long[8];
    /** Attributes as {@link dev.kagami.cpu.X86State.Segment} has them. */
    final int[] attributes = new int[8];

    long ldtBase;
    long trBase;
    long gdtBase;
    int gdtLimit;
    long idtBase;
    int idtLimit;

    long cr0;
    long cr2;
    long cr3;
    long cr4;
    long efer;
    long xcr0 = 1;
    final long[] dr = new long[8];
    int cpl;

    /** Execution mode: 16, 32 or 64. */
    int mode = 16;
    /** What decoded code depends on: {@link #mode}, the stack's size and the privilege; see {@link #updateMode}. */
    int codeMode;

    /** 32 vector registers of 8 quadwords, then slots for memory operands and what instructions are put together from. */
    final long[] vec = new long[VexOp.SLOTS_END];

    /** What {@link X87State} puts together or takes apart. */
    final long[] saved = new long[X87State.PACKED_QUADWORDS];

    int mxcsr = 0x1F80;
    /** Rounding and flags of SSE arithmetic; follows {@link #mxcsr}. */
    final FloatContext sse = new FloatContext();

    final X87 x87 = new X87();

    /** Whether equal pages of instruction pointers mean equal linear pages: CS begins at a page. */
    boolean linksBlocks;

    /** What an instruction pointer lacks to be a linear address. */
    long codeBase;

    /** Set while the next instruction is in the shadow of STI, MOV SS or POP SS. */
    boolean interruptShadow;

    boolean halted;

    /** INIT was received, or the CPU is not the boot processor: it does nothing until a start-up message comes. */
    boolean awaitingStartup;

    /** An NMI handler runs: further NMIs wait until IRET. */
    boolean nmiBlocked;

    /** Debug conditions met by the current instruction, as bits 0-3 and 13-15 of DR6. */
    int debugTraps;

    /** The next instruction is in the shadow of MOV SS or POP SS, which puts debug traps off too. */
    boolean debugShadow;

    /** TF was set when the current instruction began, so a trap follows it; see {@link Debug}. */
    boolean singleStep;

    /** SYSRET has set TF: a trap is due before the next instruction. */
    boolean stepPending;

    /** An interrupt waits until IF is set. */
    boolean interruptWaiting;

    /** Where to go on after the current block, when the last op knows it. */
    @Nullable
    Block next;

    /** The branch that wants to remember the block found next, if any. */
    @Nullable
    BranchOp linkFrom;

    /** Which of its two ways that branch went. */
    boolean linkTaken;

    /** The instruction of a {@link Trace} that may be about to fault, see {@link Trace#position}. */
    int position;

    /** Instructions retired up to the start of the current block. */
    long retired;

    // Counters for VcpuStats.
    long portReads;
    long portWrites;
    long mmioReads;
    long mmioWrites;
    long halts;
    long interrupts;
    long exceptions;

    private volatile int events;

    /** Told about pending events and forgotten translations, when host code runs in place of the interpreter. */
    @Nullable
    TranslationListener translations;

    // Result halves of 128-bit reads.
    long low;
    long high;

    /** What the time-stamp counter has over the host's monotonic clock. */
    private long timeStampOffset;

    /** Whether the machine has no other CPU. */
    final boolean alone;

    /** What CPUID shows besides what every CPU has. */
    final ProcessorFeatures features;

    final Rendezvous rendezvous;
    final Rendezvous.Member member = new Rendezvous.Member();

    /** PAUSE instructions since the CPU was made. */
    private int pauses;

    final LocalApic apic;
    final Msrs msrs;

    /** The thread that waits in HLT, to be woken by events. */
    private volatile @Nullable Thread sleeper;

    /** TLB view of the current privilege; see {@link Mmu}. */
    long[] tlb;

    final InterpreterProcessors processors;
    private RandomOps.@Nullable Source random;
    private long readModifyWriteOffset;
    private long readModifyWriteAddress;

    Cpu(int index, GuestMemory memory, Bus bus, Timers timers, InterpreterProcessors processors) {
        this.index = index;
        this.processors = processors;
        alone = processors.count() == 1;
        features = processors.features();
        rendezvous = processors.rendezvous();
        this.memory = memory;
        this.ram = memory.segment();
        ramBuffer = memory.size() <= Integer.MAX_VALUE ? ram.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN) : null;
        this.bus = bus;
        this.timers = timers;
        mmu = new Mmu(this);
        code = new CodeCache(this);
        tlb = mmu.view(this);
        timeStampOffset = processors.timeStampOffset();
        apic = new LocalApic(this, processors);
        msrs = new Msrs(this);
    }

    /** {@return the number of CPUs in the machine} */
    int processorsCount() {
        return processors.count();
    }

    /** {@return the random numbers of this CPU; made on first use, because that takes a while} */
    RandomOps.Source random() {
        RandomOps.Source source = random;
        if (source == null) {
            source = new RandomOps.Source();
            random = source;
        }
        return source;
    }

    // ---------------------------------------------------------------- events

    /**
     * Makes the CPU look at an event before its next block. Thread-safe.
     *
     * @param event one of the EVENT bits
     */
    void signal(int event) {
        EVENTS.getAndBitwiseOr(this, event);
        TranslationListener listener = translations;
        if (listener != null) {
            listener.eventPending();
        }
        Thread thread = sleeper;
        if (thread != null) {
            LockSupport.unpark(thread);
        }
    }

    /** {@return about how many bytes of memory decoded and translated code takes; may be called from any thread} */
    long codeBytes() {
        TranslationListener listener = translations;
        return code.bytes() + (listener == null ? 0 : listener.codeBytes());
    }

    /** Forgets all decoded and translated code, and what other address spaces' TLBs hold, so that its memory is free. Not while a block is being executed. */
    void giveCodeBack() {
        TranslationListener listener = translations;
        if (listener != null) {
            listener.giveCodeBack();
        }
        code.giveBack();
        mmu.giveBack();
    }

    /**
     * Nanoseconds that a halted CPU looks for events before its thread is parked, when the last halts were as short: to wake
     * a core of the host that has nothing to do takes some 50 us, a good part of what a disk or a network needs for an answer.
     */
    private static final long MOST_PATIENCE = 200_000;

    private static final int HOST_CORES = Runtime.getRuntime().availableProcessors();

    private long patience;

    /** Parks the calling thread, the CPU's own, until an event is pending besides those of {@code ignored}. */
    void sleep(int ignored) {
        rendezvous.leave(this);
        long begin = System.nanoTime();
        while ((events & ~ignored) == 0 && System.nanoTime() - begin < patience) {
            Thread.onSpinWait();
        }
        sleeper = Thread.currentThread();
        try {
            while ((events & ~ignored) == 0) {
                LockSupport.park(this);
                // An interrupted thread would spin here: whoever interrupts wants the CPU to leave.
                if (Thread.currentThread().isInterrupted()) {
                    EVENTS.getAndBitwiseOr(this, EVENT_KICK);
                }
            }
        } finally {
            sleeper = null;
            rendezvous.enter(this);
            if (System.nanoTime() - begin >= MOST_PATIENCE) {
                patience /= 2;
            } else if (processorsCount() < HOST_CORES) {
                patience = MOST_PATIENCE;
            }
        }
    }

    /** Executes PAUSE: the CPU that this one waits for may be waiting for a core of the host. */
    void pause() {
        if (!alone && (++pauses & PAUSES_TO_YIELD - 1) == 0) {
            Thread.yield();
        }
    }

    /** {@return the pending events} */
    int events() {
        return (int) EVENTS.getOpaque(this);
    }

    /** Takes events back. */
    void clear(int event) {
        EVENTS.getAndBitwiseAnd(this, ~event);
    }

    // ---------------------------------------------------------------- faults

    /**
     * Prepares a fault without an error code.
     *
     * @param vector exception vector
     * @return the exception to throw
     */
    Fault fault(int vector) {
        fault.vector = vector;
        fault.nonCanonical = false;
        fault.hasErrorCode = false;
        fault.errorCode = 0;
        return fault;
    }

    /**
     * Prepares a fault with an error code.
     *
     * @param vector exception vector
     * @param errorCode error code
     * @return the exception to throw
     */
    Fault fault(int vector, int errorCode) {
        fault.vector = vector;
        fault.nonCanonical = false;
        fault.hasErrorCode = true;
        fault.errorCode = errorCode;
        return fault;
    }

    /** {@return #UD, to throw} */
    Fault undefined() {
        return fault(Vector.INVALID_OPCODE);
    }

    /** {@return #GP(0), to throw} */
    Fault generalProtection() {
        return fault(Vector.GENERAL_PROTECTION, 0);
    }

    /** {@return a restart of the current instruction, to throw} */
    Fault restart() {
        return fault(Fault.RESTART);
    }

    // ---------------------------------------------------------------- mode

    /** {@return whether the CPU is in long mode, 64-bit or compatibility} */
    boolean longMode() {
        return (efer & EFER_LMA) != 0;
    }

    /** {@return whether the CPU is in protected mode (not real mode); also true in long and virtual-8086 mode} */
    boolean protectedMode() {
        return (cr0 & CR0_PE) != 0;
    }

    /** {@return whether the CPU is in virtual-8086 mode} */
    boolean virtual8086() {
        return (systemFlags & VM) != 0;
    }

    /** Recomputes what depends on CS, SS, CR0, CR4, EFER, RFLAGS.AC and the privilege level. */
    void updateMode() {
        boolean big = (attributes[CS] & Segmentation.BIG) != 0;
        if (longMode() && (attributes[CS] & Segmentation.LONG) != 0) {
            mode = 64;
        } else {
            mode = big ? 32 : 16;
        }
        int stack = mode == 64 ? 0 : (attributes[SS] & Segmentation.BIG) != 0 ? 1 : 2;
        // Privilege is part of it so that a link made at one level, whose target was checked there, is not taken at
        // another.
        codeMode = mode | stack | (cpl == 3 ? 4 : 0);
        codeBase = mode == 64 ? 0 : r[SEGMENT_BASE + CS];
        linksBlocks = (codeBase & Mmu.PAGE_SIZE - 1) == 0;
        updateView();
    }

    /** Selects the TLB view of the current privilege level and RFLAGS.AC. */
    void updateView() {
        tlb = mmu.view(this);
        code.selectView(cpl == 3);
    }

    /** {@return the linear address of the code at the instruction pointer} */
    long codeAddress() {
        return mode == 64 ? r[RIP] : r[SEGMENT_BASE + CS] + r[RIP] & 0xFFFF_FFFFL;
    }

    /** {@return a linear address that ran over its end: outside of 64-bit mode they wrap at 4 GiB} */
    long wrap(long address) {
        return mode == 64 ? address : address & 0xFFFF_FFFFL;
    }

    /** {@return the mask of the stack pointer: 64, 32 or 16 bits} */
    long stackMask() {
        return mode == 64 ? -1L : (attributes[SS] & Segmentation.BIG) != 0 ? 0xFFFF_FFFFL : 0xFFFFL;
    }

    // ---------------------------------------------------------------- time

    /** {@return the time-stamp counter, which counts at 1 GHz} */
    long timeStampCounter() {
        return timers.nanoTime() + timeStampOffset;
    }

    /**
     * {@return what RDTSC has over the host's monotonic clock, or {@link Timers#NOT_HOST_TIME} when it can't be read there:
     * the clock is another, or RDTSC is forbidden}
     */
    long timeStampOverHostTime() {
        long offset = timers.hostOffset();
        boolean forbidden = (cr4 & CR4_TSD) != 0 && cpl != 0;
        return forbidden || offset == Timers.NOT_HOST_TIME ? Timers.NOT_HOST_TIME : offset + timeStampOffset;
    }

    /** Sets the time-stamp counter. */
    void setTimeStampCounter(long value) {
        timeStampOffset = value - timers.nanoTime();
    }

    /** Sets the time-stamp counter from a snapshot, and keeps it in step with those of the other CPUs. */
    void restoreTimeStampCounter(long value) {
        timeStampOffset = processors.commonTimeStampOffset(this, value - timers.nanoTime());
    }

    /** Changes the time-stamp counter's offset if it is a certain one. */
    void moveTimeStamp(long from, long to) {
        if (timeStampOffset == from) {
            timeStampOffset = to;
        }
    }

    /** {@return the {@link Timers} time at which the time-stamp counter has a value} */
    long nanosAtTimeStamp(long value) {
        return value - timeStampOffset;
    }

    // ---------------------------------------------------------------- flags

    int add8(int a, int b) {
        int x = (byte) (a + b);
        int c = a & b | (a | b) & ~x;
        flagResult = x;
        flagAux = (long) c << 56 & 3L << 62 | c & 8;
        return x & 0xFF;
    }

    int add16(int a, int b) {
        int x = (short) (a + b);
        int c = a & b | (a | b) & ~x;
        flagResult = x;
        flagAux = (long) c << 48 & 3L << 62 | c & 8;
        return x & 0xFFFF;
    }

    long add32(int a, int b) {
        int x = a + b;
        int c = a & b | (a | b) & ~x;
        flagResult = x;
        flagAux = (long) c << 32 & 3L << 62 | c & 8;
        return x & 0xFFFF_FFFFL;
    }

    long add64(long a, long b) {
        long x = a + b;
        flagResult = x;
        flagAux = (a & b | (a | b) & ~x) & (3L << 62 | 8);
        return x;
    }

    int sub8(int a, int b) {
        int x = (byte) (a - b);
        int c = ~a & b | (~a | b) & x;
        flagResult = x;
        flagAux = (long) c << 56 & 3L << 62 | c & 8;
        return x & 0xFF;
    }

    int sub16(int a, int b) {
        int x = (short) (a - b);
        int c = ~a & b | (~a | b) & x;
        flagResult = x;
        flagAux = (long) c << 48 & 3L << 62 | c & 8;
        return x & 0xFFFF;
    }

    long sub32(int a, int b) {
        int x = a - b;
        int c = ~a & b | (~a | b) & x;
        flagResult = x;
        flagAux = (long) c << 32 & 3L << 62 | c & 8;
        return x & 0xFFFF_FFFFL;
    }

    long sub64(long a, long b) {
        long x = a - b;
        flagResult = x;
        flagAux = (~a & b | (~a | b) & x) & (3L << 62 | 8);
        return x;
    }

    /** Adds with carry in; {@code bits} is 8, 16, 32 or 64 and the operands may hold garbage above. */
    long adc(int bits, long a, long b) {
        long x = a + b + carry();
        return carries(bits, x, a & b | (a | b) & ~x);
    }

    /** Subtracts with borrow in; {@code bits} is 8, 16, 32 or 64 and the operands may hold garbage above. */
    long sbb(int bits, long a, long b) {
        long x = a - b - carry();
        return carries(bits, x, ~a & b | (~a | b) & x);
    }

    private long carries(int bits, long x, long c) {
        int shift = 64 - bits;
        flagResult = x << shift >> shift;
        flagAux = c << shift & 3L << 62 | c & 8;
        return x << shift >>> shift;
    }

    /** Sets the flags of a logical operation: CF, OF and AF clear. {@code x} is the sign-extended result. */
    void logic(long x) {
        flagResult = x;
        flagAux = 0;
    }

    /** Sets the flags of INC: all but CF. {@code x} is the sign-extended result, {@code bits} its size. */
    void flagsInc(int bits, long x) {
        flagResult = x;
        flagAux = incAux(flagAux, x, bits);
    }

    /** Sets the flags of DEC: all but CF. {@code x} is the sign-extended result, {@code bits} its size. */
    void flagsDec(int bits, long x) {
        flagResult = x;
        flagAux = decAux(flagAux, x, bits);
    }

    /** {@return {@link #flagAux} behind an INC with a result, sign-extended from its size} */
    static long incAux(long before, long x, int bits) {
        return incDecAux(before, x == Long.MIN_VALUE >> 64 - bits, (x & 15) == 0);
    }

    /** {@return {@link #flagAux} behind a DEC with a result, sign-extended from its size} */
    static long decAux(long before, long x, int bits) {
        return incDecAux(before, x == Long.MAX_VALUE >> 64 - bits, (x & 15) == 15);
    }

    private static long incDecAux(long before, boolean overflow, boolean adjust) {
        long aux = before & 1L << 63;
        aux |= aux >>> 1;
        return (overflow ? aux ^ 1L << 62 : aux) | (adjust ? 8 : 0);
    }

    /** {@return CF as 0 or 1} */
    long carry() {
        return flagAux >>> 63;
    }

    boolean carryFlag() {
        return flagAux < 0;
    }

    boolean zeroFlag() {
        return flagResult == 0;
    }

    boolean signFlag() {
        return sign(flagResult, flagAux);
    }

    boolean overflowFlag() {
        return overflow(flagAux);
    }

    boolean adjustFlag() {
        return (flagAux & 8) != 0;
    }

    boolean parityFlag() {
        return parity(flagResult, flagAux);
    }

    private static boolean sign(long result, long aux) {
        return (result ^ aux << 63) < 0;
    }

    private static boolean overflow(long aux) {
        return (aux ^ aux << 1) < 0;
    }

    private static boolean parity(long result, long aux) {
        int x = (int) (result ^ aux >>> 8) & 0xFF;
        return (Integer.bitCount(x) & 1) == 0;
    }

    /** {@return whether SF differs from OF} */
    private static boolean less(long result, long aux) {
        return (result ^ aux << 63 ^ aux ^ aux << 1) < 0;
    }

    /**
     * Evaluates a condition code.
     *
     * @param code the low four bits of Jcc, SETcc or CMOVcc (SDM 2D B.1.4.7)
     * @return whether it holds
     */
    boolean condition(int code) {
        return condition(code, flagResult, flagAux);
    }

    /**
     * Evaluates a condition code.
     *
     * @param code the low four bits of Jcc, SETcc or CMOVcc (SDM 2D B.1.4.7)
     * @param result what {@link #flagResult} is
     * @param aux what {@link #flagAux} is
     * @return whether it holds
     */
    static boolean condition(int code, long result, long aux) {
        boolean value = switch (code >> 1) {
            case 0 -> overflow(aux);
            case 1 -> aux < 0;
            case 2 -> result == 0;
            case 3 -> aux < 0 || result == 0;
            case 4 -> sign(result, aux);
            case 5 -> parity(result, aux);
            case 6 -> less(result, aux);
            default -> less(result, aux) || result == 0;
        };
        return value ^ (code & 1) != 0;
    }

    /** {@return the six arithmetic flags at their places in RFLAGS} */
    int arithmeticFlags() {
        return (carryFlag() ? CF : 0)
                | (parityFlag() ? PF : 0)
                | (adjustFlag() ? AF : 0)
                | (zeroFlag() ? ZF : 0)
                | (signFlag() ? SF : 0)
                | (overflowFlag() ? OF : 0);
    }

    /** Sets the six arithmetic flags from their places in {@code flags}; other bits are ignored. */
    void setArithmeticFlags(int flags) {
        flagResult = (flags & ZF) != 0 ? 0 : 0x100;
        long aux = (flags & AF) != 0 ? 8 : 0;
        if ((flags & CF) != 0) {
            aux |= 3L << 62;
        }
        if ((flags & OF) != 0) {
            aux ^= 1L << 62;
        }
        if ((flags & SF) != 0) {
            aux |= 1;
        }
        if ((flags & PF) == 0) {
            aux |= 1 << 8;
        }
        flagAux = aux;
    }

    /** Sets CF and leaves the other flags. */
    void setCarry(boolean carry) {
        // CF xor OF sits below CF: flipping CF alone must flip both bits.
        if (carry != carryFlag()) {
            flagAux ^= 3L << 62;
        }
    }

    /** Sets OF and leaves the other flags. */
    void setOverflow(boolean overflow) {
        if (overflow != overflowFlag()) {
            flagAux ^= 1L << 62;
        }
    }

    /** Sets ZF and leaves the other flags. */
    void setZero(boolean zero) {
        if (zero != zeroFlag()) {
            setArithmeticFlags(arithmeticFlags() ^ ZF);
        }
    }

    /** {@return RFLAGS} */
    int flags() {
        return arithmeticFlags() | systemFlags;
    }

    // ---------------------------------------------------------------- registers

    /** {@return the byte register of an encoding: 0-15, or 4-7 as ah, ch, dh, bh without REX} */
    int reg8(int number, boolean highByte) {
        return highByte ? (int) r[number - 4] >> 8 & 0xFF : (int) r[number] & 0xFF;
    }

    void setReg8(int number, boolean highByte, int value) {
        if (highByte) {
            r[number - 4] = r[number - 4] & ~0xFF00L | (value & 0xFF) << 8;
        } else {
            r[number] = r[number] & ~0xFFL | value & 0xFF;
        }
    }

    void setReg16(int number, int value) {
        r[number] = r[number] & ~0xFFFFL | value & 0xFFFF;
    }

    // ---------------------------------------------------------------- memory
    // Linear addresses. An access that straddles two pages never matches its TLB entry, because the tag of its last
    // byte
    // differs from that of its first.

    int readByte(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i] == (address & PAGE_MASK)) {
            return ram.get(BYTE, address + t[i + 2]) & 0xFF;
        }
        return (int) mmu.readSlow(address, 1);
    }

    int readShort(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i] == (address + 1 & PAGE_MASK)) {
            return ram.get(SHORT, address + t[i + 2]) & 0xFFFF;
        }
        return (int) mmu.readSlow(address, 2);
    }

    int readInt(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i] == (address + 3 & PAGE_MASK)) {
            return ram.get(INT, address + t[i + 2]);
        }
        return (int) mmu.readSlow(address, 4);
    }

    long readLong(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i] == (address + 7 & PAGE_MASK)) {
            return ram.get(LONG, address + t[i + 2]);
        }
        return mmu.readSlow(address, 8);
    }

    void writeByte(long address, int value) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address & PAGE_MASK)) {
            ram.set(BYTE, address + t[i + 2], (byte) value);
        } else {
            mmu.writeSlow(address, 1, value);
        }
    }

    void writeShort(long address, int value) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 1 & PAGE_MASK)) {
            ram.set(SHORT, address + t[i + 2], (short) value);
        } else {
            mmu.writeSlow(address, 2, value);
        }
    }

    void writeInt(long address, int value) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 3 & PAGE_MASK)) {
            ram.set(INT, address + t[i + 2], value);
        } else {
            mmu.writeSlow(address, 4, value);
        }
    }

    void writeLong(long address, long value) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 7 & PAGE_MASK)) {
            ram.set(LONG, address + t[i + 2], value);
        } else {
            mmu.writeSlow(address, 8, value);
        }
    }

    /** Reads 16 bytes into {@link #low} and {@link #high}; faults before either changes. */
    void read128(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i] == (address + 15 & PAGE_MASK)) {
            long offset = address + t[i + 2];
            low = ram.get(LONG, offset);
            high = ram.get(LONG, offset + 8);
        } else {
            long first = mmu.readSlow(address, 8);
            high = mmu.readSlow(address + 8, 8);
            low = first;
        }
    }

    /** Writes 16 bytes; faults before any of them changes. */
    void write128(long address, long low, long high) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 15 & PAGE_MASK)) {
            long offset = address + t[i + 2];
            ram.set(LONG, offset, low);
            ram.set(LONG, offset + 8, high);
        } else {
            mmu.probe(address, 16, true);
            mmu.writeSlow(address, 8, low);
            mmu.writeSlow(address + 8, 8, high);
        }
    }

    /**
     * Finds where an access that reads and writes may be made directly.
     *
     * @param address linear address
     * @param size bytes
     * @return the offset in RAM, or -1 when {@link Mmu} must see the access
     */
    long writableOffset(long address, int size) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        return t[i + 1] == (address + size - 1 & PAGE_MASK) ? address + t[i + 2] : -1;
    }

    // Read-modify-write: the read asks for write permission, so that the write that follows can't fault.

    int readByteToModify(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address & PAGE_MASK)) {
            long offset = address + t[i + 2];
            readModifyWriteOffset = offset;
            return ram.get(BYTE, offset) & 0xFF;
        }
        return (int) readToModifySlow(address, 1);
    }

    int readShortToModify(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 1 & PAGE_MASK)) {
            long offset = address + t[i + 2];
            readModifyWriteOffset = offset;
            return ram.get(SHORT, offset) & 0xFFFF;
        }
        return (int) readToModifySlow(address, 2);
    }

    int readIntToModify(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 3 & PAGE_MASK)) {
            long offset = address + t[i + 2];
            readModifyWriteOffset = offset;
            return ram.get(INT, offset);
        }
        return (int) readToModifySlow(address, 4);
    }

    long readLongToModify(long address) {
        long[] t = tlb;
        int i = Mmu.slot(address);
        if (t[i + 1] == (address + 7 & PAGE_MASK)) {
            long offset = address + t[i + 2];
            readModifyWriteOffset = offset;
            return ram.get(LONG, offset);
        }
        return readToModifySlow(address, 8);
    }

    private long readToModifySlow(long address, int size) {
        mmu.probe(address, size, true);
        readModifyWriteOffset = -1;
        readModifyWriteAddress = address;
        return mmu.readSlow(address, size);
    }

    void modifyByte(int value) {
        if (readModifyWriteOffset >= 0) {
            ram.set(BYTE, readModifyWriteOffset, (byte) value);
        } else {
            mmu.writeSlow(readModifyWriteAddress, 1, value);
        }
    }

    void modifyShort(int value) {
        if (readModifyWriteOffset >= 0) {
            ram.set(SHORT, readModifyWriteOffset, (short) value);
        } else {
            mmu.writeSlow(readModifyWriteAddress, 2, value);
        }
    }

    void modifyInt(int value) {
        if (readModifyWriteOffset >= 0) {
            ram.set(INT, readModifyWriteOffset, value);
        } else {
            mmu.writeSlow(readModifyWriteAddress, 4, value);
        }
    }

    void modifyLong(long value) {
        if (readModifyWriteOffset >= 0) {
            ram.set(LONG, readModifyWriteOffset, value);
        } else {
            mmu.writeSlow(readModifyWriteAddress, 8, value);
        }
    }

    /**
     * Computes a linear address outside of 64-bit mode, with all segment checks.
     *
     * @param segment segment number
     * @param offset offset in the segment
     * @param size bytes accessed
     * @param write whether they are written
     * @return the linear address, 32 bits
     */
    long checkedLinear(int segment, long offset, int size, boolean write) {
        return Segmentation.linear(this, segment, offset, size, write);
    }

    // ---------------------------------------------------------------- stack

    /**
     * Computes the linear address of a stack slot in any mode.
     *
     * @param pointer stack pointer, wrapped to the stack's size already
     * @param size bytes
     * @param write whether they are written
     * @return the linear address
     */
    long stackLinear(long pointer, int size, boolean write) {
        return mode == 64 ? pointer : checkedLinear(SS, pointer, size, write);
    }

    /** Sets the stack pointer, keeping the bits above the stack's size. */
    void setStackPointer(long pointer) {
        long mask = stackMask();
        r[RSP] = r[RSP] & ~mask | pointer & mask;
    }

    /** Reads {@code size} bytes (1, 2, 4 or 8), zero-extended. */
    long read(long address, int size) {
        return switch (size) {
            case 1 -> readByte(address);
            case 2 -> readShort(address);
            case 4 -> readInt(address) & 0xFFFF_FFFFL;
            default -> readLong(address);
        };
    }

    /** Writes {@code size} bytes (1, 2, 4 or 8). */
    void write(long address, int size, long value) {
        switch (size) {
            case 1 -> writeByte(address, (int) value);
            case 2 -> writeShort(address, (int) value);
            case 4 -> writeInt(address, (int) value);
            default -> writeLong(address, value);
        }
    }

    /** Pushes a value of 2, 4 or 8 bytes; faults before anything changes. */
    void push(int size, long value) {
        long pointer = r[RSP] - size & stackMask();
        write(stackLinear(pointer, size, true), size, value);
        setStackPointer(pointer);
    }

    /** {@return a value at a distance from the stack pointer, without popping it} */
    long peek(int distance, int size) {
        return read(stackLinear(r[RSP] + distance & stackMask(), size, false), size);
    }

    /** {@return the value popped; faults before anything changes} */
    long pop(int size) {
        long value = peek(0, size);
        setStackPointer(r[RSP] + size);
        return value;
    }
}
