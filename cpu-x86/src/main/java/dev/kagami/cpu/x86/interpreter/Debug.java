package dev.kagami.cpu.x86.interpreter;

/** Debug registers: breakpoints on data, code and I/O, and single-step (SDM 3B chapter 18). */
final class Debug {
    /** DR6 bits: which of the four breakpoints was met. */
    private static final long DR6_TRAPS = 0xF;

    /** DR6 bit: an instruction wanted to access a debug register while DR7.GD was set. */
    static final int DR6_BD = 1 << 13;
    /** DR6 bit: single-step. */
    static final int DR6_BS = 1 << 14;
    /** DR6 bit: a task switch to a task whose T flag is set. */
    static final int DR6_BT = 1 << 15;

    /** Bits of DR6 that are always set. */
    static final long DR6_ONES = 0xFFFF_0FF0L;
    /** Bits of DR6 that can be written. */
    static final long DR6_WRITABLE = 0xE00FL;
    /** Bit 10 of DR7 is always set. */
    static final long DR7_ONES = 0x400;
    /** Bits of DR7 that can be written. */
    static final long DR7_WRITABLE = 0xFFFF_23FFL;
    /** DR7 bit: general detect. */
    static final long DR7_GD = 1 << 13;

    private static final long DR7_ENABLED = 0xFF;

    private static final int CONDITION_CODE = 0;
    private static final int CONDITION_WRITE = 1;
    private static final int CONDITION_IO = 2;

    private Debug() {}

    /** {@return whether instructions must run one at a time: TF is set, a breakpoint is armed or a trap is due} */
    static boolean active(Cpu cpu) {
        return (cpu.systemFlags & Cpu.TF) != 0 || (cpu.dr[7] & DR7_ENABLED) != 0 || cpu.stepPending;
    }

    /**
     * Makes instructions run one at a time if they must. To be called after every change of TF or DR7. Breakpoints of any
     * kind ask for it, so that the trap follows its instruction at once.
     */
    static void update(Cpu cpu) {
        if (active(cpu)) {
            cpu.signal(Cpu.EVENT_STEP);
        }
    }

    /**
     * Follows the delivery of a debug exception, which switches general detect off.
     *
     * @param byInstruction it was INT1, which takes along the data breakpoints that MOV SS had put off
     */
    static void enteringHandler(Cpu cpu, boolean byInstruction) {
        cpu.dr[7] &= ~DR7_GD;
        if (byInstruction) {
            cpu.dr[6] = cpu.dr[6] & ~DR6_TRAPS | cpu.debugTraps;
            cpu.debugTraps = 0;
        }
    }

    private static int condition(int dr7, int i) {
        return dr7 >> 16 + 4 * i & 3;
    }

    private static boolean enabled(int dr7, int i) {
        return (dr7 >> 2 * i & 3) != 0;
    }

    private static int length(int dr7, int i) {
        int code = dr7 >> 18 + 4 * i & 3;
        return code == 2 ? 8 : code + 1;
    }

    private static boolean overlaps(Cpu cpu, int dr7, int i, long address, int size) {
        int length = length(dr7, i);
        long start = cpu.dr[i] & -length;
        return address < start + length && start < address + size;
    }

    /** Notes a data access that a debug register watches; the trap follows the instruction. */
    static void dataAccess(Cpu cpu, long address, int size, boolean write) {
        int dr7 = (int) cpu.dr[7];
        for (int i = 0; i < 4; i++) {
            int condition = condition(dr7, i);
            if (!enabled(dr7, i)
                    || condition == CONDITION_CODE
                    || condition == CONDITION_IO
                    || condition == CONDITION_WRITE && !write) {
                continue;
            }
            if (overlaps(cpu, dr7, i, address, size)) {
                cpu.debugTraps |= 1 << i;
            }
        }
    }

    /** Notes an access to an I/O port; with CR4.DE, debug registers may watch those. */
    static void portAccess(Cpu cpu, int port, int size) {
        int dr7 = (int) cpu.dr[7];
        if ((dr7 & DR7_ENABLED) == 0 || (cpu.cr4 & Cpu.CR4_DE) == 0) {
            return;
        }
        for (int i = 0; i < 4; i++) {
            if (enabled(dr7, i) && condition(dr7, i) == CONDITION_IO && overlaps(cpu, dr7, i, port, size)) {
                cpu.debugTraps |= 1 << i;
            }
        }
    }

    /**
     * Raises #DB for a breakpoint on the instruction about to run; RF suppresses those for one instruction. To be called
     * before each instruction while {@link #active}.
     *
     * @param cpu the CPU
     * @param linear linear address of the instruction
     */
    static void beforeInstruction(Cpu cpu, long linear) {
        if (cpu.stepPending) {
            cpu.stepPending = false;
            throw raise(cpu, DR6_BS);
        }
        boolean shadow = cpu.debugShadow;
        cpu.debugShadow = false;
        if (!shadow) {
            // What MOV SS put off comes with the trap of this instruction; the rest is history.
            cpu.debugTraps = 0;
        }
        cpu.singleStep = (cpu.systemFlags & Cpu.TF) != 0;
        if ((cpu.systemFlags & Cpu.RF) != 0) {
            cpu.systemFlags &= ~Cpu.RF;
            return;
        }
        int dr7 = (int) cpu.dr[7];
        if ((dr7 & DR7_ENABLED) == 0 || shadow) {
            return;
        }
        int hits = 0;
        for (int i = 0; i < 4; i++) {
            if (enabled(dr7, i) && condition(dr7, i) == CONDITION_CODE && cpu.dr[i] == linear) {
                hits |= 1 << i;
            }
        }
        if (hits != 0) {
            throw raise(cpu, hits);
        }
    }

    /** Raises #DB for what the instruction that just completed has met. To be called after each one while {@link #active}. */
    static void afterInstruction(Cpu cpu) {
        if (cpu.debugShadow) {
            return;
        }
        int traps = cpu.debugTraps;
        if (cpu.singleStep) {
            traps |= DR6_BS;
        }
        if (traps != 0) {
            throw raise(cpu, traps);
        }
    }

    private static Fault raise(Cpu cpu, int conditions) {
        cpu.debugTraps = 0;
        cpu.singleStep = false;
        // B0 to B3 tell about this exception only; the others stick until software clears them (SDM 3B 18.2.3).
        cpu.dr[6] = cpu.dr[6] & ~DR6_TRAPS | conditions;
        return cpu.fault(Vector.DEBUG);
    }

    /** {@return the #DB that general detect raises for an access to a debug register, to throw} */
    static Fault generalDetect(Cpu cpu) {
        cpu.dr[6] = cpu.dr[6] & ~DR6_TRAPS | DR6_BD;
        return cpu.fault(Vector.DEBUG);
    }
}
