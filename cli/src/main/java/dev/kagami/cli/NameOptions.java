package dev.kagami.cli;

import dev.kagami.control.Machines;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** What the options say about the machine for other processes. */
final class NameOptions {
    static final String HEADING = "%nTo find it from elsewhere:%n";

    /** Tells a process that it is the one in the background. */
    static final String DETACHED = "--detached";

    @Option(
            names = "--name",
            paramLabel = "NAME",
            description =
                    "Its name for 'kagami ps', 'kagami console' and so on. What the guest writes over an --image is"
                            + " kept under the name, and used again at the next 'kagami run --name NAME'.")
    private @Nullable String name;

    @Option(
            names = {"-d", "--detach"},
            description =
                    "Run it in the background, where it outlives the terminal, and return when it has started. Prints"
                            + " its name.")
    private boolean detach;

    @Option(names = DETACHED, hidden = true, description = "Whether this is the process in the background.")
    private boolean detached;

    /** {@return whether to start another process, which goes on in the background} */
    boolean startsAnother() {
        return detach && !detached;
    }

    /** {@return whether this is the process in the background} */
    boolean isDetached() {
        return detached;
    }

    /** {@return the name, claimed; null when the machine has none} */
    Machines.@Nullable Claim claim(Machines machines) {
        if (name != null) {
            return machines.claim(name);
        }
        return detach ? machines.claimAny() : null;
    }

    /**
     * Starts this command once more in the background, where it claims the name for itself.
     *
     * @param machines the user's machines
     * @param claim the name, given back
     * @param command this command
     * @param password what the machine's process would ask for, if it is known
     * @return the status to end with
     */
    int startAnother(Machines machines, Machines.Claim claim, CommandSpec command, Optional<String> password)
            throws InterruptedException {
        claim.close();
        List<String> arguments =
                new ArrayList<>(command.root().commandLine().getParseResult().originalArgs());
        arguments.add(DETACHED);
        if (name == null) {
            arguments.add("--name=" + claim.name());
        }
        int status = new Background(machines, claim.name(), claim.directory())
                .start(arguments, password, command.commandLine().getErr());
        if (status == 0) {
            command.commandLine().getOut().println(claim.name());
            command.commandLine().getOut().flush();
        }
        return status;
    }
}
