package dev.kagami.cli;

import dev.kagami.vm.Disk;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.Network;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kagami snapshot}. */
@Command(
        name = "snapshot",
        description = "Verifies what 'kagami save' has written, all of it, and tells which machine it is of.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {MachineCommands.STATUS_OK, MachineCommands.STATUS_FAILED, MachineCommands.STATUS_USAGE})
final class SnapshotCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(paramLabel = "FILE", description = "The file.")
    private Path file = Path.of("");

    @Override
    public Integer call() {
        VirtualMachineConfig machine;
        try (Snapshot snapshot = Snapshot.open(file)) {
            machine = snapshot.config();
        }
        print(
                "processors",
                "%d, model %s".formatted(machine.cpus(), machine.cpuModel().label()));
        print("memory", machine.memory().toString());
        LinuxBoot linux = machine.linux();
        print("boots", linux == null ? "the first disk" : linux.kernel().toString());
        for (int i = 0; i < machine.disks().size(); i++) {
            Disk disk = machine.disks().get(i);
            Path writable = disk.overlay();
            print(
                    "disk " + i,
                    disk.mode().name().toLowerCase(Locale.ROOT).replace('_', '-')
                            + " "
                            + disk.image()
                            + (writable == null ? "" : ", overlay " + writable));
        }
        for (int i = 0; i < machine.networks().size(); i++) {
            Network network = machine.networks().get(i);
            String forwards = MachineCommands.forwards(network.forwards());
            print(
                    "network " + i,
                    (network.link() instanceof Network.NamedSwitch(String name) ? "switch " + name : "nat")
                            + ", address "
                            + network.mac()
                            + (forwards.isEmpty() ? "" : ", forwards " + forwards));
        }
        spec.commandLine().getOut().flush();
        return 0;
    }

    private void print(String topic, String text) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%-10s  %s%n", topic, text);
    }
}
