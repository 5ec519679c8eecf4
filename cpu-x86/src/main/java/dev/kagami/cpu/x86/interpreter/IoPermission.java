package dev.kagami.cpu.x86.interpreter;

/** Decides whether code may use an I/O port (SDM 1 19.5). */
final class IoPermission {
    /** Offset in the task-state segment of the I/O map's own offset. */
    private static final int MAP_BASE = 0x66;

    /** Bit of a TSS descriptor's type that tells 32- and 64-bit ones from 16-bit ones, which have no map. */
    private static final int TYPE_32 = 1 << 3;

    private IoPermission() {}

    /**
     * Raises #GP(0) unless the CPU may use a port.
     *
     * @param cpu the CPU
     * @param port first port
     * @param size bytes: 1, 2 or 4
     */
    static void check(Cpu cpu, int port, int size) {
        if (!cpu.protectedMode()) {
            return;
        }
        int ioPrivilege = (cpu.systemFlags & Cpu.IOPL) >> 12;
        if (cpu.cpl > ioPrivilege || cpu.virtual8086()) {
            checkMap(cpu, port, size);
        }
    }

    private static void checkMap(Cpu cpu, int port, int size) {
        long limit = cpu.limit[Cpu.TR];
        int attributes = cpu.attributes[Cpu.TR];
        if ((attributes & Segmentation.PRESENT) == 0 || (attributes & TYPE_32) == 0 || limit < MAP_BASE + 1) {
            throw cpu.generalProtection();
        }
        // Two bytes are always read, so that any access of up to 4 ports is covered (SDM 1 19.5.2).
        long index = cpu.mmu.readSystem(cpu.trBase + MAP_BASE, 2) + (port >> 3);
        if (index + 1 > limit) {
            throw cpu.generalProtection();
        }
        long bits = cpu.mmu.readSystem(cpu.trBase + index, 2);
        if ((bits >> (port & 7) & (1 << size) - 1) != 0) {
            throw cpu.generalProtection();
        }
    }
}
