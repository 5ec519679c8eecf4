package dev.kagami.vm;

import dev.kagami.image.BootFiles;
import dev.kagami.image.DefaultGuest;
import dev.kagami.image.ImageException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A kernel that is loaded into memory and entered without firmware.
 *
 * @param kernel bzImage, ELF {@code vmlinux} (PVH or 64-bit entry), or multiboot 1 kernel
 * @param initrd initial RAM disk, or null for none
 * @param commandLine the kernel's command line
 * @param modules more files, for kernels that take any number of them (multiboot 1, PVH); Linux takes none
 */
public record LinuxBoot(Path kernel, @Nullable Path initrd, String commandLine, List<Module> modules) {
    /** What a kernel is told when nobody says otherwise: to talk over the first serial port. */
    public static final String DEFAULT_COMMAND_LINE = "console=ttyS0";

    /**
     * A file that is loaded beside the kernel.
     *
     * @param file the file
     * @param arguments what the kernel sees behind the file's name; may be empty
     */
    public record Module(Path file, String arguments) {}

    /** Copies the list. */
    public LinuxBoot {
        modules = List.copyOf(modules);
    }

    /**
     * Describes a kernel without modules.
     *
     * @param kernel the kernel
     * @param initrd initial RAM disk, or null for none
     * @param commandLine the kernel's command line
     */
    public LinuxBoot(Path kernel, @Nullable Path initrd, String commandLine) {
        this(kernel, initrd, commandLine, List.of());
    }

    /**
     * Prepares the default guest: the newest Debian cloud kernel, with a busybox shell as its initial RAM disk. The
     * first time, that is fetched through the host's own {@code apt}, which needs no root; later it comes from the cache.
     *
     * @param progress hears how far a fetch has come
     * @return what to boot, with the command line that brings it to a shell on the first serial port
     * @throws KagamiException when the guest is not in the cache and can't be fetched
     */
    public static LinuxBoot defaultGuest(ProgressListener progress) {
        try {
            BootFiles guest = DefaultGuest.prepare(progress::progress);
            return new LinuxBoot(guest.kernel(), guest.initrd(), guest.commandLine());
        } catch (ImageException e) {
            throw new KagamiException(ErrorCode.DEFAULT_GUEST_UNAVAILABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    /** Collects the parts. */
    public static final class Builder {
        @Nullable
        Path kernel;

        private final List<Module> modules = new ArrayList<>();
        private @Nullable Path initrd;
        private String commandLine = DEFAULT_COMMAND_LINE;

        Builder() {}

        /**
         * Sets the kernel; required.
         *
         * @param kernel a bzImage, ELF or multiboot 1 file
         * @return this
         */
        public Builder kernel(Path kernel) {
            this.kernel = kernel;
            return this;
        }

        /**
         * Sets the initial RAM disk; by default there is none.
         *
         * @param initrd the file, handed to the kernel as it is
         * @return this
         */
        public Builder initrd(Path initrd) {
            this.initrd = initrd;
            return this;
        }

        /**
         * Sets the command line; {@value LinuxBoot#DEFAULT_COMMAND_LINE} by default.
         *
         * @param commandLine the command line
         * @return this
         */
        public Builder commandLine(String commandLine) {
            this.commandLine = commandLine;
            return this;
        }

        /**
         * Adds a file beside the kernel; by default there is none.
         *
         * @param file the file
         * @param arguments what the kernel sees behind the file's name
         * @return this
         */
        public Builder module(Path file, String arguments) {
            modules.add(new Module(file, arguments));
            return this;
        }

        @Nullable
        LinuxBoot build() {
            return kernel == null ? null : new LinuxBoot(kernel, initrd, commandLine, modules);
        }
    }
}
