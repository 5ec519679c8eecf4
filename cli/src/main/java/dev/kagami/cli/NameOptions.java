package dev.kagami.cli;

import dev.kagami.control.Machines;
import org.jspecify.annotations.Nullable;
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

    /** {@return whether it was given a name} */
    boolean isNamed() {
        return name != null;
    }

    /** {@return the name, claimed; null when the machine has none} */
    Machines.@Nullable Claim claim(Machines machines) {
        if (name != null) {
            return machines.claim(name);
        }
        return detach ? machines.claimAny() : null;
    }
}
