package dev.kagami.tests;

import dev.kagami.image.BootFiles;
import dev.kagami.image.CpioArchive;
import dev.kagami.image.DebianKernel;
import dev.kagami.image.DefaultGuest;
import dev.kagami.image.ImageException;
import dev.kagami.image.KernelModule;
import dev.kagami.image.ProgressListener;
import dev.kagami.image.TinyBoot;
import dev.kagami.vm.LinuxBoot;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;

/** Unmodified Debian kernels with busybox, from the host's own package sources. */
final class Guests {
    private Guests() {}

    /** Where a guest's files come from. */
    private interface Source {
        BootFiles files();
    }

    /** {@return the default guest: the cloud kernel and a shell} */
    static LinuxBoot cloud() {
        return boot(() -> DefaultGuest.prepare(ProgressListener.none()));
    }

    /** Loads the modules of {@link #cloudWith}, as a command of the guest's shell. */
    static final String LOAD_MODULES = "for m in $(cat /modules.order); do insmod /$m; done";

    /**
     * Adds kernel modules to the default guest.
     *
     * @param modules their names; those that are built into the kernel are left out
     */
    static LinuxBoot cloudWith(String... modules) {
        LinuxBoot shell = cloud();
        try {
            DebianKernel kernel = DebianKernel.fetch(DebianKernel.CLOUD, ProgressListener.none());
            CpioArchive archive = new CpioArchive();
            List<KernelModule> needed = kernel.modules(List.of(modules));
            needed.forEach(module -> archive.file(module.path(), 0644, module.content()));
            archive.file(
                    "modules.order",
                    0644,
                    needed.stream().map(KernelModule::path).collect(Collectors.joining("\n", "", "\n")));
            // A kernel unpacks all archives of its initial RAM disk, one after the other.
            Path initrd = Files.createTempFile("kagami-modules", ".img");
            initrd.toFile().deleteOnExit();
            try (OutputStream out = Files.newOutputStream(initrd)) {
                Files.copy(Objects.requireNonNull(shell.initrd()), out);
                archive.writeTo(out);
            }
            return new LinuxBoot(shell.kernel(), initrd, shell.commandLine());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@return the kernel for all PCs and a shell} */
    static LinuxBoot generic() {
        return boot(() -> DefaultGuest.prepare(
                DebianKernel.fetch(DebianKernel.GENERIC, ProgressListener.none()), ProgressListener.none()));
    }

    /** {@return the cloud kernel and an initramfs that says hello and powers off} */
    static LinuxBoot tiny() {
        return boot(() -> TinyBoot.prepare(ProgressListener.none()));
    }

    /** Adds kernel parameters. */
    static LinuxBoot with(LinuxBoot boot, String parameters) {
        return new LinuxBoot(boot.kernel(), boot.initrd(), (boot.commandLine() + " " + parameters).strip());
    }

    private static LinuxBoot boot(Source source) {
        // Fetching is one at a time anyway, and several tests ask.
        synchronized (Guests.class) {
            try {
                BootFiles files = source.files();
                return new LinuxBoot(files.kernel(), files.initrd(), files.commandLine());
            } catch (ImageException e) {
                // A host without apt, or whose apt knows no such package: nothing that this project can do about.
                if (e.code() == ImageException.Code.APT_MISSING || e.code() == ImageException.Code.PACKAGE_NOT_FOUND) {
                    Assumptions.abort(String.valueOf(e.getMessage()));
                }
                throw e;
            }
        }
    }
}
