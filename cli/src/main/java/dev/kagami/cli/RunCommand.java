package dev.kagami.cli;

import dev.kagami.image.GuestParameters;
import dev.kagami.vm.Disk;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Network;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.ResetPolicy;
import dev.kagami.vm.Trace;
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
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

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
            names = {"-k", "--kernel"},
            paramLabel = "FILE",
            description =
                    "Kernel: a bzImage, an ELF vmlinux, or a multiboot 1 kernel. Default: the first disk's, or the default guest's.")
    private @Nullable Path kernel;

    @Option(
            names = {"-i", "--initrd"},
            paramLabel = "FILE",
            description = "Initial RAM disk. Default: the default guest's, unless --kernel or --disk is given.")
    private @Nullable Path initrd;

    @Option(
            names = {"-a", "--append"},
            paramLabel = "TEXT",
            description = "Kernel command line. Default: '" + LinuxBoot.DEFAULT_COMMAND_LINE
                    + "' with --kernel; without, the text is added to the default guest's, or to what the disk has.")
    private @Nullable String append;

    @Option(
            names = "--module",
            paramLabel = "FILE[ ARGS]",
            converter = ModuleConverter.class,
            description =
                    "Load a file beside a multiboot or PVH kernel, which sees ARGS as its arguments; may be repeated.")
    private List<LinuxBoot.Module> modules = new ArrayList<>();

    @Option(
            names = {"-m", "--memory"},
            paramLabel = "SIZE",
            defaultValue = "512M",
            converter = MemoryConverter.class,
            description = "Guest memory, for example 512M or 2G. Default: ${DEFAULT-VALUE}.")
    private MemorySize memory = MemorySize.ofMebibytes(512);

    @Option(
            names = "--disk",
            paramLabel = "FILE",
            description = "A disk: a raw or qcow2 image that the guest reads and writes; may be given several times."
                    + " Without --kernel, the first one's own kernel is booted.")
    private List<Path> disks = new ArrayList<>();

    @Option(
            names = "--temporary",
            description = "Forget what the guest writes to its disks when it ends; the images are only read.")
    private boolean temporary;

    @Option(
            names = "--network",
            paramLabel = "KIND",
            description =
                    "What the guest is connected to: ${COMPLETION-CANDIDATES}. Default: nat with --disk or --forward,"
                            + " else none.")
    private @Nullable NetworkKind network;

    @Option(
            names = "--forward",
            paramLabel = "[ADDRESS:]PORT:GUESTPORT[/udp]",
            converter = ForwardConverter.class,
            description =
                    "A port of the host, on 127.0.0.1 unless an ADDRESS is given, that leads to a port of the guest;"
                            + " may be given several times.")
    private List<Network.Forward> forwards = new ArrayList<>();

    @Option(
            names = "--cpus",
            paramLabel = "N",
            defaultValue = "1",
            description = "Number of CPUs. Default: ${DEFAULT-VALUE}.")
    private int cpus;

    @Option(
            names = "--engine",
            paramLabel = "NAME",
            defaultValue = "auto",
            description =
                    "How to virtualize the CPUs: auto, or a name from 'kagami engines'. Default: ${DEFAULT-VALUE}.")
    private String engine = "auto";

    @Option(
            names = "--no-reboot",
            description = "End when the guest resets the machine. Default: the machine starts over.")
    private boolean noReboot;

    @Option(
            names = "--debug-exit",
            paramLabel = "PORT",
            converter = PortConverter.class,
            description = "End with status (v<<1)|1 when the guest writes v to this port, for example 0xf4.")
    private @Nullable Integer debugExit;

    @Option(
            names = "--test-device",
            description =
                    "Add the device of bare-metal test kernels: latches at ports 0xe0 and 0xe8, page flush at 0xe4,"
                            + " interrupt lines at 0x2000-0x2017, 64 KiB of plain MMIO at 0xff000000; and the firmware"
                            + " configuration at 0x510 that tells them of CPUs and memory.")
    private boolean testDevice;

    @Option(
            names = "--no-raw",
            description = "Leave the terminal as it is: line by line, with Ctrl-C for Kagami and no Ctrl-A keys.")
    private boolean noRaw;

    @Option(
            names = "--stats",
            description = "At the end, print to standard error: guest instructions, MIPS, exits by reason, share of"
                    + " instructions run without the virtual machine monitor's help.")
    private boolean stats;

    @Option(
            names = "--trace",
            arity = "0..1",
            paramLabel = "WHAT",
            fallbackValue = "exec",
            description = "Print every executed instruction (exec, also without WHAT) or every port and memory-mapped"
                    + " access (exits). Slow.")
    private @Nullable TraceKind trace;

    @Option(
            names = "--trace-file",
            paramLabel = "FILE",
            description = "Where to print the trace. Default: standard error.")
    private @Nullable Path traceFile;

    @ArgGroup(exclusive = false, validate = false, heading = CloudInitOptions.HEADING)
    private CloudInitOptions cloudInit = new CloudInitOptions();

    @Override
    public Integer call() throws Exception {
        PrintWriter err = spec.commandLine().getErr();
        Optional<Terminal> terminal = noRaw ? Optional.empty() : Terminal.onStandardInput();
        @Nullable LinuxBoot linux = boot(err, terminal.flatMap(Terminal::size));
        InputStream keys = new FileInputStream(FileDescriptor.in);
        Leave leave = new Leave(err);
        boolean raw = terminal.isPresent();
        try (PrintStream traceOutput = openTrace(raw);
                VirtualMachine machine = VirtualMachine.create(c -> describe(c, linux)
                        .trace(trace(traceOutput))
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
            if (stats) {
                print(machine.stats(), machine, err);
            }
            return status(outcome, err);
        }
    }

    /** Finds out what to boot, fetching the default guest if it is needed; null for what the first disk would boot. */
    private @Nullable LinuxBoot boot(PrintWriter err, Optional<Terminal.Size> size) {
        if (kernel == null && !disks.isEmpty()) {
            return null;
        }
        if (kernel != null) {
            return new LinuxBoot(kernel, initrd, append == null ? LinuxBoot.DEFAULT_COMMAND_LINE : append, modules);
        }
        LinuxBoot guest;
        try (ProgressBar bar = ProgressBar.onStandardError(err)) {
            guest = LinuxBoot.defaultGuest(bar::show);
        }
        StringBuilder commandLine = new StringBuilder(guest.commandLine());
        // A serial line has no way to tell the guest; without this, it would take every terminal for 80 by 24.
        size.ifPresent(s -> commandLine
                .append(' ')
                .append(GuestParameters.terminal(
                        s.columns(), s.rows(), Objects.requireNonNullElse(System.getenv("TERM"), ""))));
        if (append != null) {
            commandLine.append(' ').append(append);
        }
        return new LinuxBoot(guest.kernel(), initrd == null ? guest.initrd() : initrd, commandLine.toString(), modules);
    }

    private VirtualMachineConfig.Builder describe(VirtualMachineConfig.Builder c, @Nullable LinuxBoot linux) {
        if (linux != null) {
            c.linux(linux);
        } else {
            c.diskCommandLine(Objects.requireNonNullElse(append, ""));
        }
        c.memory(memory)
                .cpus(cpus)
                .engine(engine)
                .testDevice(testDevice)
                .onReset(noReboot ? ResetPolicy.STOP : ResetPolicy.RESTART);
        disks.forEach(disk -> c.disk(temporary ? Disk.temporary(disk) : Disk.of(disk)));
        if (cloudInit.isGiven() && kernel == null && disks.isEmpty()) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "the default guest has no cloud-init, which host names, users and keys are for",
                    "name an image that has it, with --disk");
        }
        cloudInit.seed().ifPresent(c::cloudInit);
        if (network == null ? !disks.isEmpty() || !forwards.isEmpty() : network == NetworkKind.NAT) {
            c.network(new Network(forwards));
        } else if (!forwards.isEmpty()) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "--forward needs a network, and --network none says that there is none",
                    "leave out one of them");
        }
        return debugExit == null ? c : c.debugExit(debugExit);
    }

    private PrintStream openTrace(boolean raw) {
        if (traceFile == null) {
            return new PrintStream(new StandardError(raw), true, StandardCharsets.UTF_8);
        }
        try {
            return new PrintStream(Files.newOutputStream(traceFile), false, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "--trace-file %s: can't be written (%s)".formatted(traceFile, e.getMessage()),
                    "name a file in a directory that you may write to",
                    e);
        }
    }

    private Trace trace(PrintStream output) {
        return switch (trace) {
            case null -> new Trace.Off();
            case EXEC -> new Trace.Instructions(output);
            case EXITS -> new Trace.Exits(output);
        };
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

    /** Standard error, not closed with the trace, with the line ends that a terminal in raw mode wants. */
    private static final class StandardError extends OutputStream {
        private final OutputStream output = new FileOutputStream(FileDescriptor.err);
        private final boolean raw;

        StandardError(boolean raw) {
            this.raw = raw;
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (!raw) {
                output.write(bytes, offset, length);
                return;
            }
            String text = new String(bytes, offset, length, StandardCharsets.ISO_8859_1);
            output.write(text.replace("\n", "\r\n").getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    private static final class MemoryConverter implements ITypeConverter<MemorySize> {
        @Override
        public MemorySize convert(String value) {
            try {
                return MemorySize.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    private static final class ModuleConverter implements ITypeConverter<LinuxBoot.Module> {
        @Override
        public LinuxBoot.Module convert(String value) {
            int end = value.indexOf(' ');
            return end < 0
                    ? new LinuxBoot.Module(Path.of(value), "")
                    : new LinuxBoot.Module(
                            Path.of(value.substring(0, end)),
                            value.substring(end + 1).strip());
        }
    }

    private static final class PortConverter implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            try {
                return Integer.decode(value);
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'%s' is not a port number; write for example 0xf4".formatted(value));
            }
        }
    }
}
