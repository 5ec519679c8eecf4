package dev.kagami.vm.snapshot;

/**
 * The hardware of a saved machine, to be compared with what it is restored on.
 *
 * @param cpus number of CPUs
 * @param cpuModel name of the CPU model
 * @param cpuFeatures what the guest was shown of CPUID: names with blanks between
 * @param memory bytes of RAM
 * @param devices kinds of the PCI devices in their order, with commas between
 * @param debugExitPort the debug-exit port, or -1
 * @param testDevice whether it has the test device
 */
public record MachineDescription(
        int cpus,
        String cpuModel,
        String cpuFeatures,
        long memory,
        String devices,
        int debugExitPort,
        boolean testDevice) {}
