package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Timers;
import dev.kagami.cpu.X86State;
import java.util.Arrays;

/**
 * A local APIC, in xAPIC and x2APIC mode, with its timer (SDM 3A chapter 11).
 *
 * <p>Thread-safe: the CPU's thread reads and writes registers, other CPUs and devices deliver interrupts, the timer thread
 * expires the timer. Whatever may become deliverable signals {@link Cpu#EVENT_INTERRUPT}.
 */
final class LocalApic {
    /** Frequency of the timer before its divider, equal to the TSC's: 1 GHz, so ticks are nanoseconds. */
    static final long TIMER_HERTZ = 1_000_000_000L;

    /** {@link #nextVector}: nothing to deliver. */
    static final int NO_VECTOR = -1;

    // IA32_APIC_BASE (SDM 3A 11.4.4).
    private static final long BASE_BSP = 1 << 8;
    private static final long BASE_X2APIC = 1 << 10;
    private static final long BASE_ENABLED = 1 << 11;
    private static final long BASE_ADDRESS = (1L << Mmu.PHYSICAL_BITS) - Mmu.PAGE_SIZE;
    private static final long DEFAULT_ADDRESS = 0xFEE0_0000L;

    // Register numbers: offset in the page divided by 16, and number behind MSR 0x800.
    private static final int ID = 0x02;
    private static final int VERSION = 0x03;
    private static final int TPR = 0x08;
    private static final int PPR = 0x0A;
    private static final int EOI = 0x0B;
    private static final int LDR = 0x0D;
    private static final int DFR = 0x0E;
    private static final int SVR = 0x0F;
    private static final int ISR = 0x10;
    private static final int TMR = 0x18;
    private static final int IRR = 0x20;
    private static final int ESR = 0x28;
    private static final int ICR_LOW = 0x30;
    private static final int ICR_HIGH = 0x31;
    private static final int LVT_TIMER = 0x32;
    private static final int LVT_THERMAL = 0x33;
    private static final int LVT_PERFORMANCE = 0x34;
    private static final int LVT_LINT0 = 0x35;
    private static final int LVT_LINT1 = 0x36;
    private static final int LVT_ERROR = 0x37;
    private static final int TIMER_INITIAL = 0x38;
    private static final int TIMER_CURRENT = 0x39;
    private static final int TIMER_DIVIDE = 0x3E;
    private static final int SELF_IPI = 0x3F;
    private static final int REGISTERS = 0x40;

    /** Integrated APIC with six LVT entries. */
    private static final int VERSION_VALUE = 0x0005_0014;

    private static final int SVR_ENABLED = 1 << 8;
    private static final int LVT_MASKED = 1 << 16;
    private static final int LVT_MODE = 7 << 8;
    private static final int TIMER_MODE = 3 << 17;
    private static final int TIMER_PERIODIC = 1 << 17;
    private static final int TIMER_DEADLINE = 2 << 17;

    // Delivery modes (SDM 3A 11.5.1).
    static final int FIXED = 0;
    static final int LOWEST_PRIORITY = 1;
    static final int SMI = 2;
    static final int DELIVER_NMI = 4;
    static final int INIT = 5;
    static final int STARTUP = 6;
    static final int EXTINT = 7;

    private static final int ESR_SEND_ILLEGAL = 1 << 5;
    private static final int ESR_RECEIVE_ILLEGAL = 1 << 6;
    private static final int ESR_REGISTER_ILLEGAL = 1 << 7;

    private final Cpu cpu;
    private final InterpreterProcessors processors;
    private final Timers timers;
    private final Timers.Timer timer;

    private final int[] registers = new int[REGISTERS];
    private final long[] isr = new long[4];
    private final long[] irr = new long[4];
    private final long[] tmr = new long[4];
    private long base;
    private int pendingErrors;

    /** Time in nanoseconds at which the timer's count was last at its initial value. */
    private long timerStart;

    private boolean timerRunning;

    /** Time in nanoseconds for which the timer is armed. An expiry that comes before it is one of an earlier arming. */
    private long timerDue;

    private long deadline;

    private boolean nmiPending;

    /** An INIT message has arrived that the CPU has not acted on. */
    private boolean initPending;

    /** The CPU waits for a start-up message, or will once it has acted on {@link #initPending}. */
    private boolean startupExpected;

    /** Vector of the start-up message that has arrived, or {@link #NO_VECTOR}. */
    private int startupVector = NO_VECTOR;

    private boolean externalInterrupt;

    /** Guest-physical address and enable bit of the paravirtual EOI flag (KVM's MSR_KVM_PV_EOI_EN). */
    private long paravirtualEoi;
    /** The flag in guest memory is set: the guest ends the interrupt by clearing it. */
    private boolean paravirtualEoiArmed;

    LocalApic(Cpu cpu, InterpreterProcessors processors) {
        this.cpu = cpu;
        this.processors = processors;
        timers = cpu.timers;
        timer = timers.create(this::timerExpired);
        reset();
    }

    /** Puts the APIC into the state after power-on. */
    synchronized void reset() {
        base = DEFAULT_ADDRESS | BASE_ENABLED | (boot() ? BASE_BSP : 0);
        initPending = false;
        startupVector = NO_VECTOR;
        startupExpected = !boot();
        initialize();
        // As a PC's firmware leaves it: the 8259A reaches the boot processor through LINT0 ("virtual wire").
        if (boot()) {
            registers[LVT_LINT0] = EXTINT << 8;
            registers[LVT_LINT1] = DELIVER_NMI << 8;
        }
    }

    private boolean boot() {
        return cpu.index == 0;
    }

    /** Does what INIT does to the APIC: everything but its mode and its id are reset (SDM 3A 11.4.7.3, 11.12.5.1). */
    synchronized void initialize() {
        timer.disarm();
        timerRunning = false;
        deadline = 0;
        Arrays.fill(registers, 0);
        identify();
        registers[DFR] = -1;
        registers[SVR] = 0xFF;
        for (int lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt++) {
            registers[lvt] = LVT_MASKED;
        }
        Arrays.fill(isr, 0);
        Arrays.fill(irr, 0);
        Arrays.fill(tmr, 0);
        pendingErrors = 0;
        nmiPending = false;
        paravirtualEoi = 0;
        paravirtualEoiArmed = false;
    }

    // ---------------------------------------------------------------- base register and modes

    synchronized long baseRegister() {
        return base;
    }

    /** {@return whether the APIC is not switched off by its base register} */
    synchronized boolean enabled() {
        return (base & BASE_ENABLED) != 0;
    }

    /** Writes IA32_APIC_BASE; returns false for a transition that raises #GP. */
    synchronized boolean setBaseRegister(long value) {
        boolean enabled = (value & BASE_ENABLED) != 0;
        boolean x2 = (value & BASE_X2APIC) != 0;
        if ((value & ~(BASE_ADDRESS | BASE_ENABLED | BASE_X2APIC | BASE_BSP)) != 0
                || x2 && !enabled
                || (base & BASE_X2APIC) != 0 && enabled && !x2
                || (base & BASE_ENABLED) == 0 && x2) {
            return false;
        }
        if (!enabled) {
            Arrays.fill(isr, 0);
            Arrays.fill(irr, 0);
            timer.disarm();
            timerRunning = false;
        }
        boolean changed = ((value ^ base) & BASE_X2APIC) != 0;
        base = value;
        if (changed) {
            identify();
        }
        return true;
    }

    /** Sets the ids as the mode has them (SDM 3A 11.12.10). */
    private void identify() {
        if (x2()) {
            registers[ID] = cpu.index;
            registers[LDR] = (cpu.index >> 4) << 16 | 1 << (cpu.index & 15);
        } else {
            registers[ID] = cpu.index << 24;
            registers[LDR] = 0;
        }
    }

    private boolean x2() {
        return (base & BASE_X2APIC) != 0;
    }

    private boolean softwareEnabled() {
        return (base & BASE_ENABLED) != 0 && (registers[SVR] & SVR_ENABLED) != 0;
    }

    /** {@return whether a guest-physical address is in the register page} */
    boolean claims(long address) {
        return (base & (BASE_ENABLED | BASE_X2APIC)) == BASE_ENABLED
                && (address & -Mmu.PAGE_SIZE) == (base & BASE_ADDRESS);
    }

    // ---------------------------------------------------------------- register access

    /** Reads the register page; only aligned doublewords mean something. */
    long read(int offset, int size) {
        int value = offset >> 4 < REGISTERS ? readRegister(offset >> 4) : 0;
        int shift = 8 * (offset & 3);
        long bits = (offset & 0xC) != 0 ? 0 : value >>> shift & 0xFFFF_FFFFL;
        return size >= 4 ? bits : bits & (1L << 8 * size) - 1;
    }

    void write(int offset, int size, long value) {
        if ((offset & 0xF) != 0 || size < 4 || offset >> 4 >= REGISTERS) {
            return;
        }
        writeRegister(offset >> 4, (int) value);
    }

    /** {@return whether a register can be read through its x2APIC MSR} */
    synchronized boolean x2Readable(int register) {
        return x2()
                && switch (register) {
                    case EOI, ICR_HIGH, SELF_IPI, DFR -> false;
                    default -> defined(register);
                };
    }

    /** {@return whether a value can be written to a register through its x2APIC MSR} */
    synchronized boolean x2Writable(int register, long value) {
        if (!x2()) {
            return false;
        }
        return switch (register) {
            case EOI, ESR -> value == 0;
            case ICR_LOW -> true;
            case TPR -> (value & ~0xFFL) == 0;
            case SVR -> (value & ~0x1FFL) == 0;
            case SELF_IPI -> (value & ~0xFFL) == 0;
            case TIMER_DIVIDE -> (value & ~0xBL) == 0;
            case LVT_TIMER -> (value & ~0x710FFL) == 0;
            case LVT_THERMAL, LVT_PERFORMANCE -> (value & ~0x117FFL) == 0;
            case LVT_LINT0, LVT_LINT1 -> (value & ~0x1F7FFL) == 0;
            case LVT_ERROR -> (value & ~0x110FFL) == 0;
            case TIMER_INITIAL -> value >>> 32 == 0;
            default -> false;
        };
    }

    synchronized long x2Read(int register) {
        if (register == ICR_LOW) {
            return registers[ICR_LOW] & 0xFFFF_FFFFL | (long) registers[ICR_HIGH] << 32;
        }
        return readRegister(register) & 0xFFFF_FFFFL;
    }

    void x2Write(int register, long value) {
        if (register == ICR_LOW) {
            synchronized (this) {
                registers[ICR_HIGH] = (int) (value >>> 32);
            }
        }
        writeRegister(register, (int) value);
    }

    private static boolean defined(int register) {
        return switch (register) {
            case ID,
                    VERSION,
                    TPR,
                    PPR,
                    EOI,
                    LDR,
                    DFR,
                    SVR,
                    ESR,
                    ICR_LOW,
                    ICR_HIGH,
                    TIMER_INITIAL,
                    TIMER_CURRENT,
                    TIMER_DIVIDE,
                    SELF_IPI -> true;
            default -> register >= ISR && register < ESR || register >= LVT_TIMER && register <= LVT_ERROR;
        };
    }

    private synchronized int readRegister(int register) {
        settleParavirtualEoi();
        if (register >= ISR && register < ESR) {
            long[] bits = register < TMR ? isr : register < IRR ? tmr : irr;
            int word = register & 7;
            return (int) (bits[word >> 1] >>> 32 * (word & 1));
        }
        return switch (register) {
            case VERSION -> VERSION_VALUE;
            case PPR -> processorPriority();
            case TIMER_CURRENT -> currentCount();
            case EOI, SELF_IPI -> 0;
            default -> {
                if (!defined(register)) {
                    error(ESR_REGISTER_ILLEGAL);
                    yield 0;
                }
                yield registers[register];
            }
        };
    }

    private void writeRegister(int register, int value) {
        int broadcast = NO_VECTOR;
        boolean send = false;
        synchronized (this) {
            settleParavirtualEoi();
            switch (register) {
                case ID, VERSION, PPR, TIMER_CURRENT -> {}
                case TPR -> {
                    registers[TPR] = value & 0xFF;
                    cpu.signal(Cpu.EVENT_INTERRUPT);
                }
                case EOI -> broadcast = endOfInterrupt();
                case LDR -> registers[LDR] = x2() ? registers[LDR] : value & 0xFF00_0000;
                case DFR -> registers[DFR] = value | 0x0FFF_FFFF;
                case SVR -> {
                    registers[SVR] = value & 0x1FF;
                    if ((value & SVR_ENABLED) == 0) {
                        for (int lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt++) {
                            registers[lvt] |= LVT_MASKED;
                        }
                    }
                    cpu.signal(Cpu.EVENT_INTERRUPT);
                }
                case ESR -> {
                    registers[ESR] = pendingErrors;
                    pendingErrors = 0;
                }
                case ICR_LOW -> {
                    registers[ICR_LOW] = value & 0x000C_CFFF;
                    send = true;
                }
                case ICR_HIGH -> registers[ICR_HIGH] = value & 0xFF00_0000;
                case LVT_TIMER -> setTimerEntry(value & 0x7_00FF | value & LVT_MASKED);
                case LVT_THERMAL, LVT_PERFORMANCE -> setEntry(register, value & 0x1_07FF);
                case LVT_LINT0, LVT_LINT1 -> {
                    setEntry(register, value & 0x1_A7FF);
                    cpu.signal(Cpu.EVENT_INTERRUPT);
                }
                case LVT_ERROR -> setEntry(register, value & 0x1_00FF);
                case TIMER_INITIAL -> {
                    if ((registers[LVT_TIMER] & TIMER_MODE) != TIMER_DEADLINE) {
                        registers[TIMER_INITIAL] = value;
                        startTimer();
                    }
                }
                case TIMER_DIVIDE -> {
                    registers[TIMER_DIVIDE] = value & 0xB;
                    if (timerRunning) {
                        startTimer();
                    }
                }
                case SELF_IPI -> accept(value & 0xFF, false);
                default -> error(ESR_REGISTER_ILLEGAL);
            }
        }
        // Other CPUs' APICs and the bus have locks of their own, so ours must be free.
        if (broadcast != NO_VECTOR) {
            cpu.bus.endOfInterrupt(broadcast);
        }
        if (send) {
            sendInterprocessor();
        }
    }

    private void setEntry(int register, int value) {
        registers[register] = softwareEnabled() ? value : value | LVT_MASKED;
    }

    private void error(int bit) {
        pendingErrors |= bit;
        int entry = registers[LVT_ERROR];
        if ((entry & LVT_MASKED) == 0 && softwareEnabled()) {
            set(irr, entry & 0xFF);
            clear(tmr, entry & 0xFF);
            cpu.signal(Cpu.EVENT_INTERRUPT);
        }
    }

    // ---------------------------------------------------------------- priorities

    private static int highest(long[] bits) {
        for (int i = 3; i >= 0; i--) {
            if (bits[i] != 0) {
                return 64 * i + 63 - Long.numberOfLeadingZeros(bits[i]);
            }
        }
        return NO_VECTOR;
    }

    private static void set(long[] bits, int vector) {
        bits[vector >> 6] |= 1L << vector;
    }

    private static void clear(long[] bits, int vector) {
        bits[vector >> 6] &= ~(1L << vector);
    }

    private static boolean test(long[] bits, int vector) {
        return (bits[vector >> 6] >>> vector & 1) != 0;
    }

    private int processorPriority() {
        int inService = Math.max(highest(isr), 0);
        int task = registers[TPR];
        return task >> 4 >= inService >> 4 ? task : inService & 0xF0;
    }

    /** {@return the vector to deliver next, {@link #EXTINT_VECTOR} for the 8259A's, or {@link #NO_VECTOR}} */
    synchronized int nextVector() {
        settleParavirtualEoi();
        if (softwareEnabled()) {
            int vector = highest(irr);
            if (vector != NO_VECTOR && vector >> 4 > processorPriority() >> 4) {
                return vector;
            }
        }
        return externalDeliverable() ? EXTINT_VECTOR : NO_VECTOR;
    }

    /** {@link #nextVector}: ask the 8259A. */
    static final int EXTINT_VECTOR = 256;

    private boolean externalDeliverable() {
        if (!externalInterrupt) {
            return false;
        }
        // A hardware-disabled APIC passes INTR through.
        int entry = registers[LVT_LINT0];
        return (base & BASE_ENABLED) == 0 || (entry & LVT_MASKED) == 0 && (entry & LVT_MODE) == EXTINT << 8;
    }

    /** Moves a vector from requested to in service, as its delivery begins. */
    synchronized void acknowledge(int vector) {
        clear(irr, vector);
        set(isr, vector);
        // Let the guest end it without leaving, if nothing waits behind it that an EOI would release.
        if ((paravirtualEoi & 1) != 0 && !test(tmr, vector) && highest(irr) == NO_VECTOR) {
            paravirtualEoiArmed = writeFlag(1);
        }
    }

    private int endOfInterrupt() {
        int vector = highest(isr);
        if (vector == NO_VECTOR) {
            return NO_VECTOR;
        }
        clear(isr, vector);
        cpu.signal(Cpu.EVENT_INTERRUPT);
        if (test(tmr, vector)) {
            clear(tmr, vector);
            return vector;
        }
        return NO_VECTOR;
    }

    // ---------------------------------------------------------------- paravirtual EOI

    /** Writes MSR_KVM_PV_EOI_EN; returns false when the address is not a flag in RAM. */
    synchronized boolean setParavirtualEoi(long value) {
        if ((value & 1) != 0 && ((value & 2) != 0 || !cpu.memory.isRam(value & ~3L, 4))) {
            return false;
        }
        paravirtualEoi = value;
        paravirtualEoiArmed = false;
        return true;
    }

    synchronized long paravirtualEoi() {
        return paravirtualEoi;
    }

    private boolean writeFlag(int value) {
        long address = paravirtualEoi & ~3L;
        if (!cpu.memory.isRam(address, 4)) {
            return false;
        }
        cpu.memory.writeByte(address, value);
        return true;
    }

    /** Finds out whether the guest ended the interrupt by clearing the flag; if not yet, takes the offer back. */
    private void settleParavirtualEoi() {
        if (!paravirtualEoiArmed) {
            return;
        }
        boolean ended = (cpu.memory.readByte(paravirtualEoi & ~3L) & 1) == 0;
        paravirtualEoiArmed = false;
        if (ended) {
            endOfInterrupt();
        } else {
            writeFlag(0);
        }
    }

    // ---------------------------------------------------------------- delivery

    /** Sets the INTR line. */
    synchronized void setExternalInterrupt(boolean asserted) {
        externalInterrupt = asserted;
        if (asserted) {
            cpu.signal(Cpu.EVENT_INTERRUPT);
        }
    }

    /** Accepts an interrupt message. */
    synchronized void deliver(int mode, int vector, boolean level) {
        switch (mode) {
            case FIXED, LOWEST_PRIORITY -> accept(vector, level);
            case DELIVER_NMI -> {
                nmiPending = true;
                cpu.signal(Cpu.EVENT_INTERRUPT);
            }
            case EXTINT -> {
                externalInterrupt = true;
                cpu.signal(Cpu.EVENT_INTERRUPT);
            }
            case INIT -> {
                // A start-up message that came before is for the state that ends here.
                initPending = true;
                startupExpected = !boot();
                startupVector = NO_VECTOR;
                cpu.signal(Cpu.EVENT_STARTUP);
            }
            case STARTUP -> {
                if (startupExpected) {
                    startupVector = vector;
                    cpu.signal(Cpu.EVENT_STARTUP);
                }
            }
            default -> {
                // SMI: there is no system management mode.
            }
        }
    }

    /** {@return whether an INIT message had arrived; it no longer counts} */
    synchronized boolean takeInit() {
        boolean pending = initPending;
        initPending = false;
        return pending;
    }

    /** {@return the vector of the start-up message that had arrived, or {@link #NO_VECTOR}; further ones are ignored} */
    synchronized int takeStartup() {
        int vector = startupVector;
        if (vector != NO_VECTOR) {
            startupVector = NO_VECTOR;
            startupExpected = false;
        }
        return vector;
    }

    /** Sets whether the CPU waits for a start-up message. */
    synchronized void expectStartup(boolean expected) {
        startupExpected = expected;
        startupVector = NO_VECTOR;
    }

    /**
     * Tells whether something has arrived that wakes a CPU with interrupts disabled.
     *
     * @param resting the CPU, which is resting
     */
    synchronized boolean wakes(Cpu resting) {
        return initPending
                || startupVector != NO_VECTOR
                || nmiPending && !resting.awaitingStartup && !resting.nmiBlocked;
    }

    private void accept(int vector, boolean level) {
        if (!softwareEnabled()) {
            return;
        }
        if (vector < 16) {
            error(ESR_RECEIVE_ILLEGAL);
            return;
        }
        set(irr, vector);
        if (level) {
            set(tmr, vector);
        } else {
            clear(tmr, vector);
        }
        cpu.signal(Cpu.EVENT_INTERRUPT);
    }

    /** {@return whether an NMI was pending; it no longer is} */
    synchronized boolean takeNmi() {
        boolean pending = nmiPending;
        nmiPending = false;
        return pending;
    }

    synchronized boolean nmiPending() {
        return nmiPending;
    }

    /** {@return CR8: the task-priority class} */
    synchronized int taskPriority() {
        return registers[TPR] >> 4;
    }

    /** Sets CR8. */
    synchronized void setTaskPriority(int priorityClass) {
        registers[TPR] = (priorityClass & 15) << 4;
        cpu.signal(Cpu.EVENT_INTERRUPT);
    }

    /** {@return whether a message with this destination is for this APIC} */
    synchronized boolean matches(int destination, boolean logical) {
        if ((base & BASE_ENABLED) == 0) {
            return false;
        }
        if (destination == 0xFF && !x2() || destination == -1) {
            return true;
        }
        if (!logical) {
            return destination == cpu.index;
        }
        if (x2()) {
            int ldr = registers[LDR];
            return destination >>> 16 == ldr >>> 16 && (destination & ldr & 0xFFFF) != 0;
        }
        int ldr = registers[LDR] >>> 24;
        if (registers[DFR] == -1) {
            return (destination & ldr) != 0;
        }
        return (destination & 0xF0) == (ldr & 0xF0) && (destination & ldr & 0x0F) != 0;
    }

    synchronized int priority() {
        return processorPriority();
    }

    private void sendInterprocessor() {
        int low;
        int destination;
        synchronized (this) {
            low = registers[ICR_LOW];
            destination = x2() ? registers[ICR_HIGH] : registers[ICR_HIGH] >>> 24;
            int mode = low >> 8 & 7;
            if ((mode == FIXED || mode == LOWEST_PRIORITY) && (low & 0xFF) < 16) {
                error(ESR_SEND_ILLEGAL);
                return;
            }
        }
        int mode = low >> 8 & 7;
        int vector = low & 0xFF;
        boolean level = (low & 1 << 15) != 0;
        // INIT with the level de-asserted only synchronizes arbitration ids, which we don't have.
        if (mode == INIT && level && (low & 1 << 14) == 0) {
            return;
        }
        switch (low >> 18 & 3) {
            case 0 -> processors.route(destination, (low & 1 << 11) != 0, mode, vector, false, null);
            case 1 -> processors.deliver(cpu.index, mode, vector);
            case 2 -> processors.route(-1, false, mode, vector, false, null);
            default -> processors.route(-1, false, mode, vector, false, cpu);
        }
    }

    // ---------------------------------------------------------------- timer

    private long divider() {
        int bits = registers[TIMER_DIVIDE];
        int code = bits & 3 | bits >> 1 & 4;
        return code == 7 ? 1 : 2L << code;
    }

    private long periodNanos() {
        return (registers[TIMER_INITIAL] & 0xFFFF_FFFFL) * divider();
    }

    private void startTimer() {
        timer.disarm();
        timerStart = timers.nanoTime();
        timerRunning = registers[TIMER_INITIAL] != 0;
        if (timerRunning) {
            arm(timerStart + periodNanos());
        }
    }

    private void arm(long due) {
        timerDue = due;
        timer.arm(due);
    }

    private void setTimerEntry(int value) {
        int before = registers[LVT_TIMER] & TIMER_MODE;
        setEntry(LVT_TIMER, value);
        if ((value & TIMER_MODE) != before) {
            // A change to or from TSC-deadline mode disarms the timer (SDM 3A 11.5.4.1).
            if ((value & TIMER_MODE) == TIMER_DEADLINE || before == TIMER_DEADLINE) {
                timer.disarm();
                timerRunning = false;
                deadline = 0;
                registers[TIMER_INITIAL] = 0;
            }
        }
    }

    private int currentCount() {
        if (!timerRunning) {
            return 0;
        }
        long elapsed = timers.nanoTime() - timerStart;
        long period = periodNanos();
        if ((registers[LVT_TIMER] & TIMER_MODE) == TIMER_PERIODIC) {
            elapsed %= period;
        } else if (elapsed >= period) {
            return 0;
        }
        return (int) ((period - elapsed) / divider());
    }

    /** {@return IA32_TSC_DEADLINE} */
    synchronized long deadline() {
        return deadline;
    }

    /** Writes IA32_TSC_DEADLINE; ignored in the other timer modes. */
    synchronized void setDeadline(long value) {
        if ((registers[LVT_TIMER] & TIMER_MODE) != TIMER_DEADLINE) {
            return;
        }
        deadline = value;
        if (value == 0) {
            timer.disarm();
        } else {
            arm(cpu.nanosAtTimeStamp(value));
        }
    }

    private synchronized void timerExpired() {
        if (timers.nanoTime() - timerDue < 0) {
            // The guest has set the timer anew while this waited for the lock; it comes again when that is due.
            return;
        }
        int entry = registers[LVT_TIMER];
        switch (entry & TIMER_MODE) {
            case TIMER_DEADLINE -> {
                if (deadline == 0) {
                    return;
                }
                deadline = 0;
            }
            case TIMER_PERIODIC -> {
                if (!timerRunning) {
                    return;
                }
                long period = periodNanos();
                long now = timers.nanoTime();
                // Periods that passed while the host was busy elsewhere are lost, as they'd be merged in IRR anyway.
                timerStart += Math.max(1, (now - timerStart) / period) * period;
                arm(timerStart + period);
            }
            default -> {
                if (!timerRunning) {
                    return;
                }
                timerRunning = false;
            }
        }
        if ((entry & LVT_MASKED) == 0) {
            accept(entry & 0xFF, false);
        }
    }

    // ---------------------------------------------------------------- state

    /** {@return the register page for a snapshot} */
    synchronized int[] state() {
        settleParavirtualEoi();
        int[] page = new int[REGISTERS];
        for (int i = 0; i < REGISTERS; i++) {
            page[i] = defined(i) ? readRegister(i) : 0;
        }
        return page;
    }

    /** Sets the register page from a snapshot. */
    synchronized void setState(int[] page) {
        if (page.length != REGISTERS) {
            throw new IllegalArgumentException("a local APIC has " + REGISTERS + " registers, not " + page.length);
        }
        for (int i = 0; i < REGISTERS; i++) {
            if (i >= ISR && i < ESR) {
                long[] bits = i < TMR ? isr : i < IRR ? tmr : irr;
                int word = i & 7;
                int shift = 32 * (word & 1);
                bits[word >> 1] = bits[word >> 1] & ~(0xFFFF_FFFFL << shift) | (page[i] & 0xFFFF_FFFFL) << shift;
            } else if (i != VERSION && i != PPR && i != TIMER_CURRENT && defined(i)) {
                registers[i] = page[i];
            }
        }
        if ((registers[LVT_TIMER] & TIMER_MODE) != TIMER_DEADLINE && registers[TIMER_INITIAL] != 0) {
            long remaining = (page[TIMER_CURRENT] & 0xFFFF_FFFFL) * divider();
            timerStart = timers.nanoTime() - (periodNanos() - remaining);
            timerRunning = remaining > 0 || (registers[LVT_TIMER] & TIMER_MODE) == TIMER_PERIODIC;
            if (timerRunning) {
                arm(timerStart + periodNanos());
            }
        }
        cpu.signal(Cpu.EVENT_INTERRUPT);
    }

    /** {@return the messages that wait, together with what the CPU itself knows} */
    synchronized X86State.Pending pending(boolean nmiBlocked, int debugTraps, boolean debugShadow, boolean step) {
        return new X86State.Pending(nmiPending, nmiBlocked, initPending, startupVector, debugTraps, debugShadow, step);
    }

    /** Sets the messages that wait from a snapshot. */
    synchronized void setPending(X86State.Pending pending) {
        nmiPending = pending.nmi();
        initPending = pending.init();
        if (pending.startup() != NO_VECTOR) {
            startupVector = pending.startup() & 0xFF;
            startupExpected = true;
        }
        if (initPending || startupVector != NO_VECTOR) {
            cpu.signal(Cpu.EVENT_STARTUP);
        }
    }

    /** Stops the timer for good. */
    synchronized void close() {
        timerRunning = false;
        timer.disarm();
    }
}
