package dev.kagami.cpu.x86.interpreter;

/** IRET, IRETD and IRETQ in every mode (SDM 2A IRET). */
final class InterruptReturn {
    /** Flags that the virtual-8086 and real modes pop with 32-bit operands. */
    private static final int REAL_FLAGS = Cpu.ARITHMETIC | Cpu.TF | Cpu.IF | Cpu.DF | Cpu.IOPL | Cpu.NT;

    private InterruptReturn() {}

    /**
     * Returns from an interrupt handler. Throws before any register has changed.
     *
     * @param cpu the CPU
     * @param size operand size in bytes: 2, 4 or 8
     * @param next instruction pointer behind the instruction, for a task switch
     */
    static void execute(Cpu cpu, int size, long next) {
        // Even an IRET that faults lets the next NMI in (SDM 3C 25.3).
        if (cpu.nmiBlocked) {
            cpu.nmiBlocked = false;
            cpu.signal(Cpu.EVENT_INTERRUPT);
        }
        if (!cpu.protectedMode()) {
            inReal(cpu, size, REAL_FLAGS);
        } else if (cpu.virtual8086()) {
            if ((cpu.systemFlags & Cpu.IOPL) != Cpu.IOPL) {
                throw cpu.generalProtection();
            }
            inReal(cpu, size, REAL_FLAGS & ~Cpu.IOPL);
        } else if ((cpu.systemFlags & Cpu.NT) != 0) {
            if (cpu.longMode()) {
                throw cpu.generalProtection();
            }
            TaskSwitch.nestedReturn(cpu, next);
        } else {
            inProtected(cpu, size);
        }
    }

    private static void inReal(Cpu cpu, int size, int mask) {
        long target = cpu.peek(0, size);
        int selector = (int) cpu.peek(size, size) & 0xFFFF;
        int flags = (int) cpu.peek(2 * size, size);
        if (target > cpu.limit[Cpu.CS]) {
            throw cpu.generalProtection();
        }
        cpu.setStackPointer(cpu.r[Cpu.RSP] + 3L * size);
        Segmentation.setReal(cpu, Cpu.CS, selector);
        cpu.r[Cpu.RIP] = target;
        cpu.updateMode();
        SystemFlags.write(cpu, flags, size == 2 ? mask : mask | Cpu.RF | Cpu.AC | Cpu.ID);
    }

    private static void inProtected(Cpu cpu, int size) {
        long target = cpu.peek(0, size);
        int selector = (int) cpu.peek(size, size) & 0xFFFF;
        int flags = (int) cpu.peek(2 * size, size);
        boolean from64 = cpu.mode == 64;
        if (!cpu.longMode() && size == 4 && cpu.cpl == 0 && (flags & Cpu.VM) != 0) {
            to8086(cpu, target, selector, flags);
            return;
        }
        int mask = SystemFlags.writable(cpu, size);
        if (size > 2) {
            mask |= Cpu.RF;
            if (cpu.cpl == 0) {
                mask |= Cpu.VIF | Cpu.VIP;
            }
        }
        long descriptor = FarTransfer.returnSegment(cpu, selector);
        if (from64 || (selector & 3) != cpu.cpl) {
            long pointer = cpu.peek(3 * size, size);
            int stackSelector = (int) cpu.peek(4 * size, size) & 0xFFFF;
            FarTransfer.toOuter(cpu, selector, descriptor, target, stackSelector, pointer, 0);
        } else {
            target = FarTransfer.checkTarget(cpu, descriptor, target);
            descriptor = Segmentation.markAccessed(cpu, selector, descriptor);
            cpu.setStackPointer(cpu.r[Cpu.RSP] + 3L * size);
            Segmentation.set(cpu, Cpu.CS, selector, descriptor);
            cpu.r[Cpu.RIP] = target;
            cpu.updateMode();
        }
        SystemFlags.write(cpu, flags, mask);
    }

    /** Goes to virtual-8086 mode (SDM 3B 20.2.5). */
    private static void to8086(Cpu cpu, long target, int selector, int flags) {
        int[] selectors = new int[6];
        long pointer = cpu.peek(12, 4);
        selectors[Cpu.SS] = (int) cpu.peek(16, 4) & 0xFFFF;
        selectors[Cpu.ES] = (int) cpu.peek(20, 4) & 0xFFFF;
        selectors[Cpu.DS] = (int) cpu.peek(24, 4) & 0xFFFF;
        selectors[Cpu.FS] = (int) cpu.peek(28, 4) & 0xFFFF;
        selectors[Cpu.GS] = (int) cpu.peek(32, 4) & 0xFFFF;
        selectors[Cpu.CS] = selector;
        if (target > 0xFFFF) {
            throw cpu.generalProtection();
        }
        int mask = REAL_FLAGS | Cpu.RF | Cpu.VM | Cpu.AC | Cpu.ID | Cpu.VIF | Cpu.VIP;
        SystemFlags.write(cpu, flags, mask);
        for (int i = 0; i < 6; i++) {
            Segmentation.setReal(cpu, i, selectors[i]);
        }
        cpu.r[Cpu.RSP] = pointer;
        cpu.r[Cpu.RIP] = target;
        cpu.cpl = 3;
        cpu.updateMode();
    }
}
