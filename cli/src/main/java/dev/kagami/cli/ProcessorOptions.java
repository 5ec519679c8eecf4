package dev.kagami.cli;

import dev.kagami.vm.CpuModel;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.ResetPolicy;
import dev.kagami.vm.VirtualMachineConfig;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What the options say about processors and memory. */
final class ProcessorOptions {
    static final String HEADING = "%nProcessors and memory:%n";

    @Option(
            names = {"-m", "--memory"},
            paramLabel = "SIZE",
            converter = MemoryConverter.class,
            description = "Guest memory, for example 512M or 2G. Default: 512M.")
    private MemorySize memory = MemorySize.ofMebibytes(512);

    @Option(names = "--cpus", paramLabel = "N", description = "Number of CPUs. Default: 1.")
    private int cpus = 1;

    @Option(
            names = "--cpu",
            paramLabel = "MODEL",
            description =
                    "What the CPUs can do: v2, v3 or v4 (levels of x86-64), max (all that engine and host can), or"
                            + " auto. Default: auto, the most that is fast with the engine on this host.")
    private CpuModel cpu = CpuModel.AUTO;

    @Option(
            names = "--engine",
            paramLabel = "NAME",
            description = "How to virtualize the CPUs: auto, or a name from 'kagami engines'. Default: auto.")
    private String engine = "auto";

    @Option(
            names = "--no-reboot",
            description = "End when the guest resets the machine. Default: the machine starts over.")
    private boolean noReboot;

    void addTo(VirtualMachineConfig.Builder c) {
        c.memory(memory)
                .cpus(cpus)
                .cpuModel(cpu)
                .engine(engine)
                .onReset(noReboot ? ResetPolicy.STOP : ResetPolicy.RESTART);
    }

    private static final class MemoryConverter implements ITypeConverter<MemorySize> {
        @Override
        public MemorySize convert(String value) {
            try {
                return MemorySize.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
