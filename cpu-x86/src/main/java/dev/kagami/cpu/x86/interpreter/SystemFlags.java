package dev.kagami.cpu.x86.interpreter;

/** Writes of RFLAGS with what follows from them: interrupts, single-step, and the view that SMAP gives (SDM 1 3.4.3). */
final class SystemFlags {
    /** Flags that POPF, IRET and SYSRET can change at all. */
    static final int WRITABLE = Cpu.ARITHMETIC | Cpu.TF | Cpu.DF | Cpu.NT;

    private SystemFlags() {}

    /**
     * Replaces some flags.
     *
     * @param cpu the CPU
     * @param flags new values
     * @param mask which to replace
     */
    static void write(Cpu cpu, int flags, int mask) {
        if ((mask & Cpu.ARITHMETIC) != 0) {
            cpu.setArithmeticFlags(cpu.arithmeticFlags() & ~mask | flags & mask);
        }
        int before = cpu.systemFlags;
        int systemMask = mask & ~Cpu.ARITHMETIC;
        int after = before & ~systemMask | flags & systemMask | 2;
        cpu.systemFlags = after;
        int changed = before ^ after;
        if ((changed & after & Cpu.IF) != 0) {
            interruptsEnabled(cpu);
        }
        if ((changed & Cpu.TF) != 0) {
            Debug.update(cpu);
        }
        if ((changed & (Cpu.AC | Cpu.VM)) != 0) {
            cpu.updateView();
        }
    }

    /** {@return the flags that POPF and IRET may change at the current privilege level, for an operand size in bytes} */
    static int writable(Cpu cpu, int size) {
        int mask = WRITABLE;
        if (size > 2) {
            mask |= Cpu.AC | Cpu.ID;
        }
        if (cpu.cpl <= (cpu.systemFlags & Cpu.IOPL) >> 12) {
            mask |= Cpu.IF;
        }
        if (cpu.cpl == 0) {
            mask |= Cpu.IOPL;
        }
        return mask;
    }

    /** Looks again at interrupts that were waiting for IF. */
    static void interruptsEnabled(Cpu cpu) {
        if (cpu.interruptWaiting) {
            cpu.signal(Cpu.EVENT_INTERRUPT);
        }
    }
}
