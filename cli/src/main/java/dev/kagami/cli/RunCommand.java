package dev.kagami.cli;

import dev.kagami.control.ControlServer;
import dev.kagami.control.Machines;
import dev.kagami.control.SharedConsole;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.SummaryLine;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import dev.kagami.vm.VirtualMachineStats;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kagami run}. */
@Command(
        name = "run",
        description = {
            "Boots a kernel, or the default Debian guest when none is named, with the first serial port on the"
                    + " terminal.",
            "",
            "Keys: Ctrl-A x leaves, Ctrl-A h shows the keys, Ctrl-A Ctrl-A sends one Ctrl-A to the guest.",
            ""
        },
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        sortOptions = false,
        usageHelpAutoWidth = true,
        customSynopsis = "kagami run [OPTION]...",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:the guest switched the power off (or reset, with --no-reboot), or you left with Ctrl-A x",
            "1:the machine crashed, or could not be started; the message on standard error names the cause",
            "2:the command line is wrong",
            "(v<<1)|1:the guest wrote v to the --debug-exit port"
        })
final class RunCommand implements Callable<Integer> {
    /** How long those who view a console may take to see the end of it. */
    private static final Duration GOODBYE = Duration.ofSeconds(2);

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(
            names = {"-v", "--verbose"},
            description =
                    "At the start, print to standard error what was chosen: engine and why, disks, networks, kernel.")
    private boolean verbose;

    @Option(
            names = "--no-raw",
            description = "Leave the terminal as it is: line by line, with Ctrl-C for Kagami and no Ctrl-A keys.")
    private boolean noRaw;

    @Option(
            names = "--restore",
            paramLabel = "FILE",
            description =
                    "Go on from what 'kagami save' has written, with the options that the machine was started with, and"
                            + " its disks as they were then.")
    private @Nullable Path restored;

    @ArgGroup(exclusive = false, validate = false, heading = BootOptions.HEADING)
    private BootOptions boot = new BootOptions();

    @ArgGroup(exclusive = false, validate = false, heading = ProcessorOptions.HEADING)
    private ProcessorOptions processors = new ProcessorOptions();

    @ArgGroup(exclusive = false, validate = false, heading = StorageOptions.HEADING)
    private StorageOptions storage = new StorageOptions();

    @ArgGroup(exclusive = false, validate = false, heading = NetworkOptions.HEADING)
    private NetworkOptions networks = new NetworkOptions();

    @ArgGroup(exclusive = false, validate = false, heading = DeviceOptions.HEADING)
    private DeviceOptions devices = new DeviceOptions();

    @ArgGroup(exclusive = false, validate = false, heading = CloudInitOptions.HEADING)
    private CloudInitOptions cloudInit = new CloudInitOptions();

    @ArgGroup(exclusive = false, validate = false, heading = DebugOptions.HEADING)
    private DebugOptions debugging = new DebugOptions();

    @ArgGroup(exclusive = false, validate = false, heading = NameOptions.HEADING)
    private NameOptions naming = new NameOptions();

    @Override
    public Integer call() throws Exception {
        Machines machines = Machines.ofUser();
        try (Machines.Claim claim = naming.claim(machines)) {
            if (claim != null && naming.startsAnother()) {
                return startAnother(machines, claim);
            }
            return run(claim);
        }
    }

    /** Finds out what can go wrong while somebody looks, then starts the machine in another process. */
    private int startAnother(Machines machines, Machines.Claim claim) throws InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        Optional<String> password = cloudInit.askedPassword();
        Optional<LinuxBoot> linux = prepare(claim, err, Optional.empty());
        VirtualMachine.create(c -> describe(c, linux, System.err)).close();
        // The other process claims the name for itself.
        claim.close();
        List<String> arguments =
                new ArrayList<>(spec.root().commandLine().getParseResult().originalArgs());
        arguments.add(NameOptions.DETACHED);
        if (!naming.isNamed()) {
            arguments.add("--name=" + claim.name());
        }
        int status = new Background(machines, claim.name(), claim.directory()).start(arguments, password, err);
        if (status == 0) {
            spec.commandLine().getOut().println(claim.name());
            spec.commandLine().getOut().flush();
        }
        return status;
    }

    private Optional<LinuxBoot> prepare(Machines.@Nullable Claim claim, PrintWriter err, Optional<Terminal.Size> size) {
        storage.prepare(claim == null ? null : claim.directory(), err);
        return boot.kernel(storage, err, size);
    }

    private int run(Machines.@Nullable Claim claim) throws IOException, InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        Optional<Terminal> terminal = noRaw || naming.isDetached() ? Optional.empty() : Terminal.onStandardInput();
        Optional<LinuxBoot> linux = prepare(claim, err, terminal.flatMap(Terminal::size));
        Leave leave = new Leave(err);
        boolean raw = terminal.isPresent();
        InputStream standardInput = new FileInputStream(FileDescriptor.in);
        InputStream keys = raw ? new EscapeKeys(standardInput, leave) : standardInput;
        OutputStream screen = claim != null && naming.isDetached()
                ? MachineLog.open(claim.directory())
                : new FileOutputStream(FileDescriptor.out);
        try (PrintStream trace = debugging.openTrace(raw);
                SharedConsole console = claim == null ? null : new SharedConsole();
                VirtualMachine machine = create(c -> {
                    connect(c, console, keys, screen);
                    describe(c, linux, trace);
                })) {
            leave.machine = machine;
            Outcome outcome;
            // Who ends the process doesn't mean to lose what the guest has flushed.
            Thread atExit = new Thread(machine::close, "kagami-exit");
            Runtime.getRuntime().addShutdownHook(atExit);
            try {
                terminal.ifPresent(Terminal::enterRawMode);
                if (restored == null) {
                    machine.start();
                } else {
                    machine.resume();
                }
                if (verbose) {
                    print(machine.summary(), raw ? "\r\n" : System.lineSeparator(), err);
                }
                outcome = await(machine, claim, console);
            } finally {
                terminal.ifPresent(Terminal::close);
                remove(atExit);
            }
            if (raw && outcome instanceof Outcome.Stopped) {
                // The guest was cut off in the middle of its line.
                err.println();
            }
            if (debugging.stats()) {
                print(machine.stats(), machine, err);
            }
            return status(outcome, err);
        }
    }

    private static void remove(Thread atExit) {
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException e) {
            // The process is ending already.
        }
    }

    /** Makes the machine, to be started; or one that goes on where a saved one was, to be resumed. */
    private VirtualMachine create(Consumer<VirtualMachineConfig.Builder> description) {
        return restored == null ? VirtualMachine.create(description) : VirtualMachine.restore(restored, description);
    }

    /** Connects the guest's console with the terminal: directly, or as one of several who may view and type. */
    private void connect(
            VirtualMachineConfig.Builder c, @Nullable SharedConsole console, InputStream keys, OutputStream screen) {
        if (console == null) {
            devices.addTerminal(c, keys, screen);
            return;
        }
        devices.addTerminal(c, console.input(), console.output());
        console.addSink(screen);
        if (!naming.isDetached()) {
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
    }

    @SuppressWarnings("try") // the server is there to serve, not to be used
    private static Outcome await(
            VirtualMachine machine, Machines.@Nullable Claim claim, @Nullable SharedConsole console)
            throws InterruptedException {
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

    private void describe(VirtualMachineConfig.Builder c, Optional<LinuxBoot> linux, PrintStream trace) {
        boot.addTo(c, linux);
        processors.addTo(c);
        storage.addTo(c);
        networks.addTo(c, storage);
        devices.addTo(c);
        debugging.addTo(c, trace);
        if (cloudInit.isGiven() && boot.isDefaultGuest(storage)) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "the default guest has no cloud-init, which host names, users and keys are for",
                    "name an image that has it, with --disk");
        }
        cloudInit.seed().ifPresent(c::cloudInit);
    }

    private static int status(Outcome outcome, PrintWriter err) {
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

    private static void print(List<SummaryLine> summary, String lineEnd, PrintWriter err) {
        int width =
                summary.stream().mapToInt(line -> line.topic().length()).max().orElse(1);
        for (SummaryLine line : summary) {
            err.print(("%-" + width + "s  %s").formatted(line.topic(), line.text()) + lineEnd);
        }
        err.flush();
    }

    private static void print(VirtualMachineStats s, VirtualMachine machine, PrintWriter err) {
        err.printf("engine                %s (%s)%n", machine.engine(), machine.engineReason());
        err.printf("time                  %.3f s%n", s.running().toNanos() / 1e9);
        err.printf("guest instructions    %,d%n", s.instructions());
        err.printf("speed                 %.1f MIPS%n", s.millionInstructionsPerSecond());
        err.printf("exits                 %,d%n", s.exits());
        err.printf("  port reads          %,d%n", s.portReads());
        err.printf("  port writes         %,d%n", s.portWrites());
        err.printf("  MMIO reads          %,d%n", s.mmioReads());
        err.printf("  MMIO writes         %,d%n", s.mmioWrites());
        err.printf("  halts               %,d%n", s.halts());
        err.printf("interrupts            %,d%n", s.interrupts());
        err.printf("exceptions            %,d%n", s.exceptions());
        err.printf("resets                %,d%n", s.resets());
        err.printf("run without the VMM   %.4f %% of instructions%n", s.unassistedShare() * 100);
        err.flush();
    }

    /** What the Ctrl-A keys do. */
    private static final class Leave implements EscapeKeys.Actions {
        private final PrintWriter err;
        private volatile @Nullable VirtualMachine machine;

        Leave(PrintWriter err) {
            this.err = err;
        }

        @Override
        public void leave() {
            VirtualMachine running = machine;
            if (running != null) {
                running.stop();
            }
        }

        @Override
        public void help() {
            err.print("\r\nCtrl-A x       leave\r\nCtrl-A h       this help\r\nCtrl-A Ctrl-A  send one Ctrl-A\r\n");
            err.flush();
        }
    }
}
