package dev.kagami.cpu;

/**
 * Counters of a virtual CPU since it was made.
 *
 * @param instructions guest instructions retired
 * @param portReads port reads that left the engine for the {@link Bus}
 * @param portWrites port writes that left the engine for the {@link Bus}
 * @param mmioReads memory-mapped reads that left the engine for the {@link Bus}
 * @param mmioWrites memory-mapped writes that left the engine for the {@link Bus}
 * @param halts times that the CPU went to sleep in HLT
 * @param interrupts interrupts delivered to the guest
 * @param exceptions exceptions delivered to the guest
 */
public record VcpuStats(
        long instructions,
        long portReads,
        long portWrites,
        long mmioReads,
        long mmioWrites,
        long halts,
        long interrupts,
        long exceptions) {
    /** {@return how often guest code could not go on without the machine around it} */
    public long exits() {
        return portReads + portWrites + mmioReads + mmioWrites + halts;
    }
}
