package dev.kagami.cli;

import dev.kagami.image.GuestParameters;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** What the options say about the kernel. */
final class BootOptions {
    static final String HEADING = "%nWhat to boot:%n";

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

    /** {@return whether the default guest is to be booted} */
    boolean isDefaultGuest(StorageOptions storage) {
        return kernel == null && storage.isEmpty();
    }

    /**
     * Finds out what to boot, fetching the default guest if it is needed.
     *
     * @return the kernel; empty for what the first disk would boot
     */
    Optional<LinuxBoot> kernel(StorageOptions storage, PrintWriter err, Optional<Terminal.Size> size) {
        if (kernel != null) {
            return Optional.of(
                    new LinuxBoot(kernel, initrd, append == null ? LinuxBoot.DEFAULT_COMMAND_LINE : append, modules));
        }
        return isDefaultGuest(storage) ? Optional.of(defaultGuest(err, size)) : Optional.empty();
    }

    private LinuxBoot defaultGuest(PrintWriter err, Optional<Terminal.Size> size) {
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

    /**
     * Describes what to boot.
     *
     * @param c the description
     * @param linux what {@link #kernel} found
     */
    void addTo(VirtualMachineConfig.Builder c, Optional<LinuxBoot> linux) {
        linux.ifPresentOrElse(c::linux, () -> c.diskCommandLine(Objects.requireNonNullElse(append, "")));
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
}
