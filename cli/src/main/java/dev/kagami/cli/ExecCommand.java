package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kagami exec}. */
@Command(
        name = "exec",
        description = {
            "Runs a command in the guest of a machine, as root, and ends with its exit status. The default guest can do that,"
                    + " and cloud images that were started with cloud-init's options.",
            ""
        },
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        usageHelpAutoWidth = true,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {
            "N:that of the command",
            "1:also when it could not be run; the message on standard error names the cause",
            MachineCommands.STATUS_USAGE
        })
final class ExecCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "NAME", description = "The machine's name.")
    private String name = "";

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "COMMAND",
            description =
                    "A line for the guest's /bin/sh; several words are joined by blanks. Write -- before one that has"
                            + " options.")
    private List<String> words = new ArrayList<>();

    @Option(
            names = {"-t", "--timeout"},
            paramLabel = "SECONDS",
            defaultValue = "300",
            description = "How long it may take, with the guest's start. Default: ${DEFAULT-VALUE}.")
    private int seconds;

    @Option(
            names = {"-i", "--stdin"},
            description = "Pass standard input on to the command, as it comes.")
    private boolean input;

    @Override
    public Integer call() {
        InputStream typed = input ? new FileInputStream(FileDescriptor.in) : InputStream.nullInputStream();
        try (ControlClient client = Machines.ofUser().connect(name)) {
            return client.exec(
                    String.join(" ", words),
                    typed,
                    new FileOutputStream(FileDescriptor.out),
                    new FileOutputStream(FileDescriptor.err),
                    Duration.ofSeconds(seconds));
        }
    }
}
