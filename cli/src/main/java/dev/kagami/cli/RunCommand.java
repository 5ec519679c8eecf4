package dev.kagami.cli;

import dev.kagami.vm.Disk;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import dev.kagami.vm.VirtualMachineStats;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
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
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:the guest switched the power off (or reset, with --no-reboot), or you left with Ctrl-A x",
            "1:the machine crashed, or could not be started; the message on standard error names the cause",
            "2:the command line is wrong",
            "(v<<1)|1:the guest wrote v to the --debug-exit port"
        })
final class RunCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(
            names = "--no-raw",
            description = "Leave the terminal as it is: line by line, with Ctrl-C for Kagami and no Ctrl-A keys.")
    private boolean noRaw;

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

    @Override
    public Integer call() throws Exception {
        PrintWriter err = spec.commandLine().getErr();
        Optional<Terminal> terminal = noRaw ? Optional.empty() : Terminal.onStandardInput();
        Optional<LinuxBoot> linux = boot.kernel(storage, err, terminal.flatMap(Terminal::size));
        Optional<Disk> image = storage.image(err);
        InputStream keys = new FileInputStream(FileDescriptor.in);
        Leave leave = new Leave(err);
        boolean raw = terminal.isPresent();
        try (PrintStream trace = debugging.openTrace(raw);
                VirtualMachine machine = VirtualMachine.create(c -> describe(c, linux, image, trace)
                        .serial(s -> s.input(raw ? new EscapeKeys(keys, leave) : keys)
                                .output(new FileOutputStream(FileDescriptor.out))))) {
            leave.machine = machine;
            Outcome outcome;
            try {
                terminal.ifPresent(Terminal::enterRawMode);
                machine.start();
                outcome = machine.awaitShutdown();
            } finally {
                terminal.ifPresent(Terminal::close);
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

    private VirtualMachineConfig.Builder describe(
            VirtualMachineConfig.Builder c, Optional<LinuxBoot> linux, Optional<Disk> image, PrintStream trace) {
        boot.addTo(c, linux);
        processors.addTo(c);
        storage.addTo(c, image);
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
        return c;
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
