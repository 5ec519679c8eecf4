package dev.kagami.cli;

import dev.kagami.control.Machines;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kagami restore}. */
@Command(
        name = "restore",
        description = {
            "Lets a machine go on that 'kagami save' has saved, with the hardware, disks, networks and forwards that it had,"
                    + " and its first serial port on the terminal.",
            "",
            "To connect it otherwise, use 'kagami run --restore FILE' with the options that it was started with.",
            ""
        },
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        sortOptions = false,
        usageHelpAutoWidth = true,
        customSynopsis = "kagami restore [OPTION]... FILE",
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {
            "0:the guest switched the power off, or you left with Ctrl-A x",
            "1:the machine crashed, or can't go on; the message on standard error names the cause",
            MachineCommands.STATUS_USAGE
        })
final class RestoreCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(paramLabel = "FILE", description = "What 'kagami save' has written.")
    private Path file = Path.of("");

    @Option(
            names = "--copy",
            description =
                    "Make a copy: any number may run at a time. What it writes to disks is forgotten at its end; its network"
                            + " cards have addresses of their own, and forwards any ports that are free (kagami ps tells).")
    private boolean copy;

    @Option(
            names = "--engine",
            paramLabel = "NAME",
            description = "How to virtualize the CPUs: auto, or a name from 'kagami engines'. Default: auto.")
    private String engine = "auto";

    @Option(
            names = {"-v", "--verbose"},
            description = "Print to standard error what the machine is: engine and why, disks, networks.")
    private boolean verbose;

    @Option(
            names = "--no-raw",
            description = "Leave the terminal as it is: line by line, with Ctrl-C for Kagami and no Ctrl-A keys.")
    private boolean noRaw;

    @ArgGroup(exclusive = false, validate = false, heading = NameOptions.HEADING)
    private NameOptions naming = new NameOptions();

    @Override
    public Integer call() throws Exception {
        PrintWriter err = spec.commandLine().getErr();
        Machines machines = Machines.ofUser();
        try (Machines.Claim claim = naming.claim(machines)) {
            if (claim != null && naming.startsAnother()) {
                // What can be wrong with the file is best told here.
                Snapshot.open(file).close();
                return naming.startAnother(machines, claim, spec, Optional.empty());
            }
            Optional<Terminal> terminal = noRaw || naming.isDetached() ? Optional.empty() : Terminal.onStandardInput();
            return new MachineRun(err, claim, naming.isDetached(), terminal, verbose).run(this::restore, machine -> {});
        }
    }

    private VirtualMachine restore(MachineRun.Streams streams) {
        Consumer<VirtualMachineConfig.Builder> changes =
                c -> c.engine(engine).serial(s -> s.input(streams.keys()).output(streams.screen()));
        try (Snapshot snapshot = Snapshot.open(file)) {
            return copy
                    ? snapshot.branch(changes)
                    : snapshot.restore(snapshot.config().with(changes));
        }
    }
}
