package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import dev.kagami.vm.Network;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kagami forward}. */
@Command(
        name = "forward",
        description = "Adds, removes or lists the ports of the host that are forwarded to a machine that runs.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        usageHelpAutoWidth = true,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {MachineCommands.STATUS_OK, MachineCommands.STATUS_FAILED, MachineCommands.STATUS_USAGE})
final class ForwardCommand implements Runnable {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(index = "0", paramLabel = "NAME", description = "The machine's name.")
    private String name = "";

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "ACTION",
            defaultValue = "list",
            description = "${COMPLETION-CANDIDATES}. Connections that exist go on after a removal. Default: list.")
    private Action action = Action.LIST;

    @Parameters(
            index = "2..*",
            paramLabel = "[ADDRESS:]PORT:GUESTPORT[/udp]",
            converter = ForwardConverter.class,
            description = "A port of the host, 0 for any that is free, on 127.0.0.1 unless an ADDRESS is given, and the"
                    + " guest's port that it leads to.")
    private List<Network.Forward> forwards = new ArrayList<>();

    private enum Action {
        ADD,
        REMOVE,
        LIST;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Override
    public void run() {
        if (forwards.isEmpty() == (action != Action.LIST)) {
            throw new ParameterException(
                    spec.commandLine(),
                    action == Action.LIST
                            ? "'list' needs nothing but the name"
                            : "'%s' needs a forward, such as 2222:22".formatted(action));
        }
        try (ControlClient client = Machines.ofUser().connect(name)) {
            switch (action) {
                case ADD -> {
                    List<Network.Forward> added = new ArrayList<>();
                    forwards.forEach(forward -> added.add(client.addForward(forward)));
                    print(added);
                }
                case REMOVE -> forwards.forEach(client::removeForward);
                case LIST -> print(client.forwards());
            }
        }
    }

    private void print(List<Network.Forward> printed) {
        PrintWriter out = spec.commandLine().getOut();
        printed.forEach(forward -> out.println(MachineCommands.forward(forward)));
        out.flush();
    }
}
