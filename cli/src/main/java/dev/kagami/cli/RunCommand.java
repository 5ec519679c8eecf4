package dev.kagami.cli;

import dev.kagami.control.Machines;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import dev.kagami.vm.VirtualMachineStats;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kagami run}. */
@Command(
        name = "run",
        description = {
            "Boots a kernel, or the default Debian guest when none is named, with the first serial port on the"
                    + " terminal.",
            "",
            "Keys: Ctrl-A x leaves, Ctrl-A h shows the keys, Ctrl-A Ctrl-A sends one Ctrl-A to the guest.",
            ""
        },
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        sortOptions = false,
        usageHelpAutoWidth = true,
        customSynopsis = "kagami run [OPTION]...",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:the guest switched the power off (or reset, with --no-reboot), or you left with Ctrl-A x",
            "1:the machine crashed, or could not be started; the message on standard error names the cause",
            "2:the command line is wrong",
            "(v<<1)|1:the guest wrote v to the --debug-exit port"
        })
final class RunCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(
            names = {"-v", "--verbose"},
            description =
                    "At the start, print to standard error what was chosen: engine and why, disks, networks, kernel.")
    private boolean verbose;

    @Option(
            names = "--no-raw",
            description = "Leave the terminal as it is: line by line, with Ctrl-C for Kagami and no Ctrl-A keys.")
    private boolean noRaw;

    @Option(
            names = "--restore",
            paramLabel = "FILE",
            description =
                    "Go on from what 'kagami save' has written, with the options that the machine was started with, and"
                            + " its disks as they were then. 'kagami restore' knows the options by itself.")
    private @Nullable Path restored;

    @ArgGroup(exclusive = false, validate = false, heading = BootOptions.HEADING)
    private BootOptions boot = new BootOptions();

    @ArgGroup(exclusive = false, validate = false, heading = ProcessorOptions.HEADING)
    private ProcessorOptions processors = new ProcessorOptions();

    @ArgGroup(exclusive = false, validate = false, heading = StorageOptions.HEADING)
    private StorageOptions storage = new StorageOptions();

    @ArgGroup(exclusive = false, validate = false, heading = NetworkOptions.HEADING)
    private NetworkOptions networks = new NetworkOptions();

    @ArgGroup(exclusive = false, validate = false, heading = DeviceOptions.HEADING)
    private DeviceOptions devices = new DeviceOptions();

    @ArgGroup(exclusive = false, validate = false, heading = CloudInitOptions.HEADING)
    private CloudInitOptions cloudInit = new CloudInitOptions();

    @ArgGroup(exclusive = false, validate = false, heading = DebugOptions.HEADING)
    private DebugOptions debugging = new DebugOptions();

    @ArgGroup(exclusive = false, validate = false, heading = NameOptions.HEADING)
    private NameOptions naming = new NameOptions();

    @Override
    public Integer call() throws Exception {
        Machines machines = Machines.ofUser();
        try (Machines.Claim claim = naming.claim(machines)) {
            if (claim != null && naming.startsAnother()) {
                return startAnother(machines, claim);
            }
            return run(claim);
        }
    }

    /** Finds out what can go wrong while somebody looks, then starts the machine in another process. */
    private int startAnother(Machines machines, Machines.Claim claim) throws InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        Optional<String> password = cloudInit.askedPassword();
        Optional<LinuxBoot> linux = prepare(claim, err, Optional.empty());
        VirtualMachine.create(c -> describe(c, linux, System.err)).close();
        return naming.startAnother(machines, claim, spec, password);
    }

    private Optional<LinuxBoot> prepare(Machines.@Nullable Claim claim, PrintWriter err, Optional<Terminal.Size> size) {
        storage.prepare(claim == null ? null : claim.directory(), err);
        if (cloudInit.isGiven() && boot.isDefaultGuest(storage)) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "the default guest has no cloud-init, which host names, users and keys are for",
                    "name an image that has it, with --disk or --image");
        }
        return boot.kernel(storage, err, size);
    }

    private int run(Machines.@Nullable Claim claim) throws IOException, InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        Optional<Terminal> terminal = noRaw || naming.isDetached() ? Optional.empty() : Terminal.onStandardInput();
        Optional<LinuxBoot> linux = prepare(claim, err, terminal.flatMap(Terminal::size));
        try (PrintStream trace = debugging.openTrace(terminal.isPresent())) {
            return new MachineRun(err, claim, naming.isDetached(), terminal, verbose)
                    .run(
                            streams -> create(c -> {
                                devices.addTerminal(c, streams.keys(), streams.screen());
                                describe(c, linux, trace);
                            }),
                            machine -> {
                                if (debugging.stats()) {
                                    print(machine.stats(), machine, err);
                                }
                            });
        }
    }

    /** Makes the machine, to be started; or one that goes on where a saved one was, to be resumed. */
    private VirtualMachine create(Consumer<VirtualMachineConfig.Builder> description) {
        return restored == null ? VirtualMachine.create(description) : VirtualMachine.restore(restored, description);
    }

    private void describe(VirtualMachineConfig.Builder c, Optional<LinuxBoot> linux, PrintStream trace) {
        boot.addTo(c, linux);
        processors.addTo(c);
        storage.addTo(c);
        networks.addTo(c, storage);
        devices.addTo(c);
        debugging.addTo(c, trace);
        cloudInit.seed().ifPresent(c::cloudInit);
    }

    private static void print(VirtualMachineStats s, VirtualMachine machine, PrintWriter err) {
        err.printf("engine                %s (%s)%n", machine.engine(), machine.engineReason());
        err.printf("time                  %.3f s%n", s.running().toNanos() / 1e9);
        err.printf("guest instructions    %,d%n", s.instructions());
        err.printf("speed                 %.1f MIPS%n", s.millionInstructionsPerSecond());
        err.printf("exits                 %,d%n", s.exits());
        err.printf("  port reads          %,d%n", s.portReads());
        err.printf("  port writes         %,d%n", s.portWrites());
        err.printf("  MMIO reads          %,d%n", s.mmioReads());
        err.printf("  MMIO writes         %,d%n", s.mmioWrites());
        err.printf("  halts               %,d%n", s.halts());
        err.printf("interrupts            %,d%n", s.interrupts());
        err.printf("exceptions            %,d%n", s.exceptions());
        err.printf("resets                %,d%n", s.resets());
        err.printf("run without the VMM   %.4f %% of instructions%n", s.unassistedShare() * 100);
        err.flush();
    }
}
