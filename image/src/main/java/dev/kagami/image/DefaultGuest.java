package dev.kagami.image;

import java.io.IOException;
import java.util.List;

/**
 * Prepares the default guest: the newest Debian cloud kernel and a static busybox, to a root shell on the serial console.
 *
 * <p>The first call fetches some 30 MB with the host's own {@code apt-get}, which checks the signatures; it needs no root
 * and no package lists on the host. Later calls need neither network nor apt: the files are in
 * {@code $XDG_CACHE_HOME/kagami} (by default {@code ~/.cache/kagami}), and their digests are checked at every call; what
 * is damaged is fetched anew. Several threads and processes may call at once; one of them fetches.
 *
 * <p>In the guest, {@code poweroff}, {@code reboot} and the end of the shell do what they say; Ctrl-C, Ctrl-Z, {@code fg}
 * and {@code bg} work. {@link GuestParameters} makes kernel parameters that the guest understands: a command to run in
 * place of the shell, and the terminal's size.
 *
 * <p>All methods throw {@link ImageException}; where there is no apt, its hint says which files to pass instead.
 */
public final class DefaultGuest {

    /** A stock command line: nothing but where the console is. */
    static final String COMMAND_LINE = "console=ttyS0";

    /** Counts changes to how modules are put into the initramfs, which the rest of the cache's key can't tell. */
    private static final String FORMAT = "2 ";

    private DefaultGuest() {}

    /**
     * Returns the default guest, fetching what isn't in the cache yet.
     *
     * @param progress hears of the fetching; not called if there is nothing to fetch
     * @return the files to boot from and the command line {@code console=ttyS0}
     * @throws ImageException if it can't be had
     */
    public static BootFiles prepare(ProgressListener progress) {
        return prepare(PackageStore.ofUser(), false, progress);
    }

    /**
     * Looks for a newer kernel and busybox and returns the default guest with them.
     *
     * @param progress hears of the fetching
     * @return the files to boot from and the command line
     * @throws ImageException if they can't be had; what was in the cache is still there then
     */
    public static BootFiles refresh(ProgressListener progress) {
        return prepare(PackageStore.ofUser(), true, progress);
    }

    /**
     * Returns a guest with the default guest's initramfs and another kernel.
     *
     * @param kernel the kernel
     * @param progress hears of the fetching of busybox
     * @return the files to boot from and the command line
     * @throws ImageException if busybox can't be had
     */
    public static BootFiles prepare(DebianKernel kernel, ProgressListener progress) {
        PackageStore store = PackageStore.ofUser();
        Busybox busybox =
                Busybox.of(store.get(List.of(Busybox.RECIPE), false, progress).getFirst());
        return assemble(store, kernel, busybox);
    }

    static BootFiles prepare(PackageStore store, boolean anew, ProgressListener progress) {
        List<PackageStore.Entry> entries =
                store.get(List.of(DebianKernel.recipe(DebianKernel.CLOUD), Busybox.RECIPE), anew, progress);
        return assemble(store, DebianKernel.of(entries.getFirst()), Busybox.of(entries.getLast()));
    }

    private static BootFiles assemble(PackageStore store, DebianKernel kernel, Busybox busybox) {
        try {
            // Modules are slow to get; which there are follows from the kernel's version.
            CpioArchive withoutModules = Initramfs.shell(busybox.program(), kernel.release(), List.of());
            String key = FORMAT + kernel.version() + Initramfs.MODULES + Digests.sha256(withoutModules.toByteArray());
            return new BootFiles(
                    kernel.image(),
                    InitramfsStore.keep(
                            store.root(),
                            "shell",
                            key,
                            () -> Initramfs.shell(
                                    busybox.program(), kernel.release(), kernel.modules(Initramfs.MODULES))),
                    COMMAND_LINE);
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't keep the initramfs in " + store.root() + ": " + e, e);
        }
    }
}
