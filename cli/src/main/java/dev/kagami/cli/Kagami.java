package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import dev.kagami.vm.KagamiException;
import java.lang.module.ModuleDescriptor;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The {@code kagami} command. */
@Command(
        name = "kagami",
        description = "Runs Linux virtual machines in a JVM: no root, no /dev/kvm, nothing native to install.",
        subcommands = {
            RunCommand.class,
            RestoreCommand.class,
            SnapshotCommand.class,
            PsCommand.class,
            ConsoleCommand.class,
            ExecCommand.class,
            LogsCommand.class,
            StopCommand.class,
            ForwardCommand.class,
            TopCommand.class,
            ImageCommand.class,
            EnginesCommand.class,
            CommandLine.HelpCommand.class
        },
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        footer = {"", "Run 'kagami COMMAND --help' for the options of a command."})
public final class Kagami implements Runnable {
    /** The status of a command that could not do what it was asked for. */
    static final int FAILED = 1;

    private static final String NAME = "NAME";
    private static final String NAME_OF_MACHINE = "The machine's name.";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    private Kagami() {}

    /**
     * Runs the command and ends the process with its status.
     *
     * @param arguments the command line
     */
    public static void main(String[] arguments) {
        // Not a plain return: a thread may still be blocked reading the terminal.
        System.exit(run(arguments));
    }

    /**
     * Runs the command.
     *
     * @param arguments the command line
     * @return the process status
     */
    static int run(String... arguments) {
        return commandLine().execute(arguments);
    }

    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new Kagami());
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.setParameterExceptionHandler((exception, arguments) -> {
            CommandLine failed = exception.getCommandLine();
            failed.getErr().println("kagami: " + exception.getMessage());
            CommandLine.UnmatchedArgumentException.printSuggestions(exception, failed.getErr());
            failed.getErr()
                    .println("  hint: see '%s --help'"
                            .formatted(failed.getCommandSpec().qualifiedName()));
            return failed.getCommandSpec().exitCodeOnInvalidInput();
        });
        commandLine.setExecutionExceptionHandler((exception, failed, result) -> {
            report(failed, exception);
            return FAILED;
        });
        return commandLine;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Missing command");
    }

    @Command(description = "Makes a machine stand still.", mixinStandardHelpOptions = true)
    void pause(@Parameters(paramLabel = NAME, description = NAME_OF_MACHINE) String name) {
        control(name, ControlClient::pause);
    }

    @Command(description = "Lets a paused machine go on.", mixinStandardHelpOptions = true)
    void resume(@Parameters(paramLabel = NAME, description = NAME_OF_MACHINE) String name) {
        control(name, ControlClient::resume);
    }

    @Command(description = "Presses the reset button of a machine.", mixinStandardHelpOptions = true)
    void reset(@Parameters(paramLabel = NAME, description = NAME_OF_MACHINE) String name) {
        control(name, ControlClient::reset);
    }

    @Command(
            description =
                    "Saves the state of a machine, which goes on, to a file for 'kagami restore'. The file holds all"
                            + " that the guest has in memory.",
            mixinStandardHelpOptions = true)
    void save(
            @Parameters(paramLabel = NAME, description = NAME_OF_MACHINE) String name,
            @Parameters(paramLabel = "FILE", description = "Where to; replaced as a whole if it is there.") Path file,
            @Option(names = "--compress", description = "Make the file smaller, which takes longer.")
                    boolean compress) {
        control(name, machine -> machine.save(file, compress));
    }

    @Command(
            description = "Deletes what is kept of a machine that doesn't run: its disk and its log.",
            mixinStandardHelpOptions = true)
    void rm(@Parameters(paramLabel = NAME, description = NAME_OF_MACHINE) String name) {
        Machines.ofUser().remove(name);
    }

    private static void control(String name, Consumer<ControlClient> action) {
        try (ControlClient client = Machines.ofUser().connect(name)) {
            action.accept(client);
        }
    }

    /** Tells the user what went wrong: the message and the hint for what can be expected, a stack trace for bugs. */
    static void report(CommandLine commandLine, Exception exception) {
        if (exception instanceof KagamiException known) {
            commandLine.getErr().println("kagami: " + known.getMessage());
            commandLine.getErr().println("  hint: " + known.hint());
        } else {
            commandLine.getErr().println("kagami: internal error; please report it with what follows");
            exception.printStackTrace(commandLine.getErr());
        }
    }

    /** Says what {@code --version} prints. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Optional.ofNullable(Kagami.class.getModule().getDescriptor())
                    .flatMap(ModuleDescriptor::rawVersion)
                    .orElse("(unpackaged)");
            return new String[] {"kagami %s (Java %s)".formatted(version, Runtime.version())};
        }
    }
}
