package dev.kagami.cli;

import dev.kagami.control.MachineStatus;
import dev.kagami.control.Machines;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kagami ps}. */
@Command(
        name = "ps",
        description = "Lists the machines of yours that have names.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {MachineCommands.STATUS_OK, MachineCommands.STATUS_FAILED, MachineCommands.STATUS_USAGE})
final class PsCommand implements Runnable {
    private static final String ROW = "%-16s %-8s %8s %8s %5s %8s  %-12s %s%n";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(
            names = {"-a", "--all"},
            description = "Also those that don't run, but of which a disk or a log is kept.")
    private boolean all;

    @Option(
            names = {"-q", "--quiet"},
            description = "Only the names, one a line.")
    private boolean quiet;

    @Override
    public void run() {
        Machines machines = Machines.ofUser();
        TreeSet<String> names = new TreeSet<>(machines.running());
        if (all) {
            names.addAll(machines.kept());
        }
        PrintWriter out = spec.commandLine().getOut();
        if (quiet) {
            names.forEach(out::println);
        } else {
            out.printf(ROW, "NAME", "STATE", "PID", "UPTIME", "CPUS", "MEMORY", "ENGINE", "FORWARDS");
            names.forEach(name -> print(out, name, MachineCommands.status(machines, name)));
        }
        out.flush();
    }

    private void print(PrintWriter out, String name, Optional<MachineStatus> status) {
        if (status.isPresent()) {
            MachineStatus s = status.get();
            out.printf(
                    ROW,
                    name,
                    s.state().name().toLowerCase(Locale.ROOT),
                    s.pid(),
                    MachineCommands.duration(s.uptime()),
                    s.cpus(),
                    (s.memoryBytes() >> 20) + "M",
                    s.engine(),
                    MachineCommands.forwards(s.forwards()));
        } else if (all) {
            out.printf(ROW, name, "stopped", "-", "-", "-", "-", "-", "");
        }
    }
}
