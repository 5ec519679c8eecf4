package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kagami stop}. */
@Command(
        name = "stop",
        description =
                "Shuts machines down: presses the power button, and pulls the plug when the guest takes too long.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {"0:the machines have ended", MachineCommands.STATUS_FAILED, MachineCommands.STATUS_USAGE})
final class StopCommand implements Callable<Integer> {
    private static final int POLL_MILLISECONDS = 100;
    private static final Duration PRESSING = Duration.ofSeconds(5);
    private static final Duration PULLING = Duration.ofSeconds(30);

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(paramLabel = "NAME", arity = "1..*", description = "The machines' names.")
    private List<String> names = new ArrayList<>();

    @Option(
            names = {"-f", "--force"},
            description = "Pull the plug at once.")
    private boolean force;

    @Option(
            names = {"-t", "--timeout"},
            paramLabel = "SECONDS",
            defaultValue = "90",
            description = "How long the guest may take to shut down. Default: ${DEFAULT-VALUE}.")
    private int seconds;

    @Override
    public Integer call() throws InterruptedException {
        Machines machines = Machines.ofUser();
        int status = 0;
        for (String name : names) {
            try {
                stop(machines, name);
            } catch (KagamiException e) {
                Kagami.report(spec.commandLine(), e);
                status = Kagami.FAILED;
            }
        }
        return status;
    }

    private void stop(Machines machines, String name) throws InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        try (ControlClient client = machines.connect(name)) {
            if (!force) {
                client.requestStop();
                if (shutsDown(machines, name, client)) {
                    return;
                }
                err.println("kagami: '%s' did not shut down in %d seconds; pulling the plug".formatted(name, seconds));
                err.flush();
            }
            client.stop();
        }
        requireEnd(machines, name, PULLING);
    }

    /** Waits for the end of a machine whose plug was pulled. */
    static void requireEnd(Machines machines, String name, Duration patience) throws InterruptedException {
        if (!hasEnded(machines, name, patience)) {
            throw new KagamiException(
                    ErrorCode.CONTROL_FAILED,
                    "the process of '%s' doesn't end".formatted(name),
                    "end it by the number in 'kagami ps': kill -9 PID");
        }
    }

    /** Waits, and presses the button again from time to time: a guest that is still starting doesn't hear it. */
    private boolean shutsDown(Machines machines, String name, ControlClient client) throws InterruptedException {
        Duration left = Duration.ofSeconds(seconds);
        while (left.compareTo(PRESSING) > 0) {
            if (hasEnded(machines, name, PRESSING)) {
                return true;
            }
            left = left.minus(PRESSING);
            try {
                client.requestStop();
            } catch (KagamiException e) {
                // It has just ended, which the next look tells.
            }
        }
        return hasEnded(machines, name, left);
    }

    private static boolean hasEnded(Machines machines, String name, Duration timeout) throws InterruptedException {
        long end = System.nanoTime() + timeout.toNanos();
        while (machines.isServing(name)) {
            if (System.nanoTime() - end > 0) {
                return false;
            }
            Thread.sleep(POLL_MILLISECONDS);
        }
        return true;
    }
}
