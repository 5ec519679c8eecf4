package dev.kagami.vm;

import dev.kagami.cpu.VcpuStats;
import java.time.Duration;

/**
 * Counters of a machine since it was started, over all its CPUs and resets.
 *
 * @param running how long the machine has run
 * @param instructions guest instructions retired
 * @param portReads port reads that needed the machine around the CPU
 * @param portWrites port writes that needed the machine around the CPU
 * @param mmioReads memory-mapped reads that needed the machine around the CPU
 * @param mmioWrites memory-mapped writes that needed the machine around the CPU
 * @param halts times that a CPU went to sleep in HLT
 * @param interrupts interrupts delivered to the guest
 * @param exceptions exceptions delivered to the guest
 * @param resets how often the guest reset the machine and it started over
 */
public record VirtualMachineStats(
        Duration running,
        long instructions,
        long portReads,
        long portWrites,
        long mmioReads,
        long mmioWrites,
        long halts,
        long interrupts,
        long exceptions,
        int resets) {
    static final VirtualMachineStats NONE = new VirtualMachineStats(Duration.ZERO, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** {@return how often guest code could not go on without the machine around it} */
    public long exits() {
        return portReads + portWrites + mmioReads + mmioWrites + halts;
    }

    /** {@return the share of guest instructions, 0 to 1, that ran without help from the virtual machine monitor} */
    public double unassistedShare() {
        return instructions == 0 ? 0 : Math.max(0, 1 - (double) exits() / instructions);
    }

    /** {@return millions of guest instructions per second of wall time} */
    public double millionInstructionsPerSecond() {
        return running.isZero() ? 0 : instructions * 1e3 / running.toNanos();
    }

    VirtualMachineStats plus(VcpuStats cpu) {
        return new VirtualMachineStats(
                running,
                instructions + cpu.instructions(),
                portReads + cpu.portReads(),
                portWrites + cpu.portWrites(),
                mmioReads + cpu.mmioReads(),
                mmioWrites + cpu.mmioWrites(),
                halts + cpu.halts(),
                interrupts + cpu.interrupts(),
                exceptions + cpu.exceptions(),
                resets);
    }

    VirtualMachineStats running(Duration time, int resets) {
        return new VirtualMachineStats(
                time,
                instructions,
                portReads,
                portWrites,
                mmioReads,
                mmioWrites,
                halts,
                interrupts,
                exceptions,
                resets);
    }
}
