package dev.kagami.cli;

import dev.kagami.control.ControlServer;
import dev.kagami.control.Machines;
import dev.kagami.control.SharedConsole;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.SummaryLine;
import dev.kagami.vm.VirtualMachine;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Runs a machine to its end: with its console on the terminal, and within reach of other processes if it has a name. */
final class MachineRun {
    /** How long those who view a console may take to see the end of it. */
    private static final Duration GOODBYE = Duration.ofSeconds(2);

    /**
     * What the guest's console is to be connected to.
     *
     * @param keys what is typed
     * @param screen what is shown
     */
    record Streams(InputStream keys, OutputStream screen) {}

    private final PrintWriter err;
    private final Machines.@Nullable Claim claim;
    private final boolean detached;
    private final Optional<Terminal> terminal;
    private final boolean verbose;
    private volatile @Nullable VirtualMachine running;

    /**
     * Prepares a run.
     *
     * @param err where to tell what happens
     * @param claim the machine's name, if it has one
     * @param detached whether this is a process in the background, which has a log in place of a terminal
     * @param terminal the terminal, if it is to be raw
     * @param verbose whether to tell what was chosen
     */
    MachineRun(
            PrintWriter err,
            Machines.@Nullable Claim claim,
            boolean detached,
            Optional<Terminal> terminal,
            boolean verbose) {
        this.err = err;
        this.claim = claim;
        this.detached = detached;
        this.terminal = terminal;
        this.verbose = verbose;
    }

    /**
     * Runs a machine.
     *
     * @param maker makes it, to be started or resumed
     * @param atEnd looks at it when it has ended
     * @return the process status that stands for how it ended
     */
    int run(Function<Streams, VirtualMachine> maker, Consumer<VirtualMachine> atEnd)
            throws IOException, InterruptedException {
        boolean raw = terminal.isPresent();
        InputStream standardInput = new FileInputStream(FileDescriptor.in);
        InputStream keys = raw ? new EscapeKeys(standardInput, new Leave()) : standardInput;
        OutputStream screen = claim != null && detached
                ? MachineLog.open(claim.directory())
                : new FileOutputStream(FileDescriptor.out);
        try (SharedConsole console = claim == null ? null : new SharedConsole();
                VirtualMachine machine =
                        maker.apply(console == null ? new Streams(keys, screen) : shared(console, keys, screen))) {
            running = machine;
            Outcome outcome;
            // Who ends the process doesn't mean to lose what the guest has flushed.
            Thread atExit = new Thread(machine::close, "kagami-exit");
            Runtime.getRuntime().addShutdownHook(atExit);
            try {
                terminal.ifPresent(Terminal::enterRawMode);
                if (machine.canStart()) {
                    machine.start();
                } else {
                    machine.resume();
                }
                if (verbose) {
                    print(machine.summary(), raw ? "\r\n" : System.lineSeparator());
                }
                outcome = await(machine, console);
            } finally {
                terminal.ifPresent(Terminal::close);
                remove(atExit);
            }
            if (raw && outcome instanceof Outcome.Stopped) {
                // The guest was cut off in the middle of its line.
                err.println();
            }
            atEnd.accept(machine);
            return status(outcome);
        }
    }

    private static void remove(Thread atExit) {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // The process is ending already.
        }
    }

    /** Makes the terminal, or the log, one of several who may view the console and type. */
    private Streams shared(SharedConsole console, InputStream keys, OutputStream screen) {
        console.addSink(screen);
        if (!detached) {
            Thread.ofPlatform().daemon().name("kagami-keys").start(() -> {
                byte[] chunk = new byte[1024];
                try {
                    for (int count = keys.read(chunk); count >= 0; count = keys.read(chunk)) {
                        console.type(chunk, 0, count);
                    }
                } catch (IOException e) {
                    // The machine has ended.
                }
            });
        }
        return new Streams(console.input(), console.output());
    }

    @SuppressWarnings("try") // the server is there to serve, not to be used
    private Outcome await(VirtualMachine machine, @Nullable SharedConsole console) throws InterruptedException {
        if (claim == null || console == null) {
            return machine.awaitShutdown();
        }
        try (ControlServer control = ControlServer.start(claim, machine, console)) {
            Outcome outcome = machine.awaitShutdown();
            console.close();
            console.awaitViewers(GOODBYE);
            return outcome;
        }
    }

    private int status(Outcome outcome) {
        return switch (outcome) {
            case Outcome.PoweredOff() -> 0;
            case Outcome.Reset() -> 0;
            case Outcome.Stopped() -> 0;
            case Outcome.DebugExit(int status) -> status;
            case Outcome.Crashed(Outcome.Reason reason, String detail) -> {
                err.println("kagami: the machine crashed: " + reason + (detail.isEmpty() ? "" : ": " + detail));
                yield Kagami.FAILED;
            }
        };
    }

    private void print(List<SummaryLine> summary, String lineEnd) {
        int width =
                summary.stream().mapToInt(line -> line.topic().length()).max().orElse(1);
        for (SummaryLine line : summary) {
            err.print(("%-" + width + "s  %s").formatted(line.topic(), line.text()) + lineEnd);
        }
        err.flush();
    }

    /** What the Ctrl-A keys do. */
    private final class Leave implements EscapeKeys.Actions {
        @Override
        public void leave() {
            VirtualMachine machine = running;
            if (machine != null) {
                machine.stop();
            }
        }

        @Override
        public void help() {
            err.print("\r\nCtrl-A x       leave\r\nCtrl-A h       this help\r\nCtrl-A Ctrl-A  send one Ctrl-A\r\n");
            err.flush();
        }
    }
}
