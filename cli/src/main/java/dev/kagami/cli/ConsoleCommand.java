package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kagami console}. */
@Command(
        name = "console",
        description = {
            "Connects the terminal to the serial console of a machine, beginning with what it has printed before. Several may"
                    + " be connected at a time; all see the same, and all may type.",
            "",
            "Keys: Ctrl-A x leaves (the machine goes on), Ctrl-A h shows the keys, Ctrl-A Ctrl-A sends one Ctrl-A.",
            ""
        },
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {
            "0:you left, or the machine has ended",
            MachineCommands.STATUS_FAILED,
            MachineCommands.STATUS_USAGE
        })
final class ConsoleCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Parameters(paramLabel = "NAME", description = "The machine's name.")
    private String name = "";

    @Option(
            names = "--no-raw",
            description = "Leave the terminal as it is: line by line, with Ctrl-C for Kagami and no Ctrl-A keys.")
    private boolean noRaw;

    @Override
    public Integer call() throws IOException {
        PrintWriter err = spec.commandLine().getErr();
        Optional<Terminal> terminal = noRaw ? Optional.empty() : Terminal.onStandardInput();
        try (ControlClient client = Machines.ofUser().connect(name)) {
            ControlClient.Console console = client.console();
            terminal.ifPresent(raw -> {
                err.println("kagami: connected to '%s'; Ctrl-A x leaves".formatted(name));
                err.flush();
                raw.enterRawMode();
            });
            boolean[] left = new boolean[1];
            EscapeKeys.Actions actions = new EscapeKeys.Actions() {
                @Override
                public void leave() {
                    left[0] = true;
                    hangUp(console.input());
                }

                @Override
                public void help() {
                    err.print("\r\nCtrl-A x       leave; the machine goes on\r\nCtrl-A h       this help\r\n"
                            + "Ctrl-A Ctrl-A  send one Ctrl-A\r\n");
                    // A serial line has no way to tell the guest.
                    terminal.flatMap(Terminal::size)
                            .ifPresent(size -> err.print("To tell the guest how large this terminal is, type there:"
                                    + " stty rows %d columns %d\r\n".formatted(size.rows(), size.columns())));
                    err.flush();
                }
            };
            InputStream keys = new FileInputStream(FileDescriptor.in);
            InputStream typed = terminal.isPresent() ? new EscapeKeys(keys, actions) : keys;
            Thread.ofPlatform().daemon().name("kagami-console-input").start(() -> copyQuietly(typed, console.input()));
            copyQuietly(console.output(), new FileOutputStream(FileDescriptor.out));
            terminal.ifPresent(Terminal::close);
            if (terminal.isPresent()) {
                err.println();
                err.println(left[0] ? "kagami: left '%s'".formatted(name) : "kagami: '%s' has ended".formatted(name));
                err.flush();
            }
            return 0;
        } finally {
            terminal.ifPresent(Terminal::close);
        }
    }

    private static void hangUp(OutputStream connection) {
        try {
            connection.close();
        } catch (IOException e) {
            // Then it has ended by itself.
        }
    }

    /** Copies until either side ends; the end of what is typed isn't the end of the console. */
    private static void copyQuietly(InputStream in, OutputStream out) {
        byte[] chunk = new byte[8192];
        try {
            for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                out.write(chunk, 0, count);
                out.flush();
            }
        } catch (IOException e) {
            // One of them has left.
        }
    }
}
