package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import dev.kagami.vm.GuestTerminal;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

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
    private static final int USUAL_SECONDS = 300;
    private static final Duration FOR_EVER = Duration.ofDays(365);
    /** Of a terminal that doesn't say. */
    private static final GuestTerminal.Size USUAL_SIZE = new GuestTerminal.Size(80, 24);

    @Spec
    private CommandSpec spec = CommandSpec.create();

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
            names = "--timeout",
            paramLabel = "SECONDS",
            description = "How long it may take, with the guest's start. Default: 300; with -t, as long as you like.")
    private @Nullable Integer seconds;

    @Option(
            names = {"-i", "--stdin"},
            description = "Pass standard input on to the command, as it comes.")
    private boolean input;

    @Option(
            names = {"-t", "--tty"},
            description =
                    "Give the command a terminal, as large as the one here, on which it is seen and typed to: all keys go to it.")
    private boolean tty;

    @Override
    public Integer call() {
        if (tty) {
            return callOnTerminal();
        }
        InputStream typed = input ? new FileInputStream(FileDescriptor.in) : InputStream.nullInputStream();
        try (ControlClient client = Machines.ofUser().connect(name)) {
            return client.exec(
                    String.join(" ", words),
                    typed,
                    new FileOutputStream(FileDescriptor.out),
                    new FileOutputStream(FileDescriptor.err),
                    Duration.ofSeconds(seconds == null ? USUAL_SECONDS : seconds));
        }
    }

    private int callOnTerminal() {
        Terminal terminal = Terminal.onStandardInput()
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(), "-t needs a terminal on standard input; for a pipe or a file, use -i"));
        String type = System.getenv("TERM");
        GuestTerminal there = new GuestTerminal(type == null ? "xterm" : type, size(terminal));
        try (terminal;
                ControlClient client = Machines.ofUser().connect(name)) {
            Terminal.onResize(() -> there.resize(size(terminal)));
            return client.exec(
                    String.join(" ", words),
                    there,
                    new FileInputStream(FileDescriptor.in),
                    new FileOutputStream(FileDescriptor.out),
                    // Until then Ctrl-C leaves, which may be wanted when the guest doesn't answer.
                    terminal::enterRawMode,
                    seconds == null ? FOR_EVER : Duration.ofSeconds(seconds));
        }
    }

    private static GuestTerminal.Size size(Terminal terminal) {
        return terminal.size()
                .map(size -> new GuestTerminal.Size(size.columns(), size.rows()))
                .orElse(USUAL_SIZE);
    }
}
