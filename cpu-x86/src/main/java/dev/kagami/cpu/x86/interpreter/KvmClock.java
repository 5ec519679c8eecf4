package dev.kagami.cpu.x86.interpreter;

/**
 * The KVM paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst): the guest names a structure in its memory, we fill
 * it with how to turn its time-stamp counter into nanoseconds. The counter runs at 1 GHz at a constant rate, so once is
 * enough.
 */
final class KvmClock {
    private static final long ENABLED = 1;

    // Offsets in struct pvclock_vcpu_time_info.
    private static final int VERSION = 0;
    private static final int TSC_TIMESTAMP = 8;
    private static final int SYSTEM_TIME = 16;
    private static final int MULTIPLIER = 24;
    private static final int SHIFT = 28;
    private static final int FLAGS = 29;
    private static final int LENGTH = 32;

    /** nanoseconds = (ticks << 1) * 2^31 / 2^32 = ticks. */
    private static final int MULTIPLIER_VALUE = 0x8000_0000;

    private static final int SHIFT_VALUE = 1;
    private static final int FLAG_TSC_STABLE = 1;

    private final Cpu cpu;
    private long wallClock;
    private long systemTime;

    KvmClock(Cpu cpu) {
        this.cpu = cpu;
    }

    void reset() {
        wallClock = 0;
        systemTime = 0;
    }

    long wallClock() {
        return wallClock;
    }

    long systemTime() {
        return systemTime;
    }

    /** Sets both registers from a snapshot, whose memory holds what they caused to be written. */
    void restore(long restoredWallClock, long restoredSystemTime) {
        wallClock = restoredWallClock;
        systemTime = restoredSystemTime;
    }

    /** Writes the wall-clock time at which the guest's system time was 0; returns false for an address outside RAM. */
    boolean setWallClock(long address) {
        if (address != 0) {
            if ((address & 3) != 0 || !cpu.memory.isRam(address, 12)) {
                return false;
            }
            long bootMillis = System.currentTimeMillis() - cpu.timeStampCounter() / 1_000_000;
            int version = cpu.memory.readInt(address) | 1;
            cpu.memory.writeInt(address, version);
            cpu.memory.writeInt(address + 4, (int) (bootMillis / 1000));
            cpu.memory.writeInt(address + 8, (int) (bootMillis % 1000) * 1_000_000);
            cpu.memory.writeInt(address, version + 1);
        }
        wallClock = address;
        return true;
    }

    /** Starts or stops the clock structure at an address; returns false for one outside RAM. */
    boolean setSystemTime(long value) {
        if ((value & ENABLED) != 0) {
            long address = value & ~ENABLED;
            if ((address & 3) != 0 || !cpu.memory.isRam(address, LENGTH)) {
                return false;
            }
            // An odd version tells readers that the rest is in flux.
            int version = cpu.memory.readInt(address + VERSION) | 1;
            cpu.memory.writeInt(address + VERSION, version);
            cpu.memory.writeLong(address + TSC_TIMESTAMP, 0);
            cpu.memory.writeLong(address + SYSTEM_TIME, 0);
            cpu.memory.writeInt(address + MULTIPLIER, MULTIPLIER_VALUE);
            cpu.memory.writeByte(address + SHIFT, SHIFT_VALUE);
            cpu.memory.writeByte(address + FLAGS, FLAG_TSC_STABLE);
            cpu.memory.writeInt(address + VERSION, version + 1);
        }
        systemTime = value;
        return true;
    }
}
