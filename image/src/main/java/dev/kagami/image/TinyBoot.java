package dev.kagami.image;

import java.io.IOException;
import java.util.List;

/**
 * Prepares a guest that boots, prints {@link #MARKER} and powers off at once: what benchmarks and boot tests run.
 *
 * <p>The files come from the same cache, in the same way, as the {@linkplain DefaultGuest default guest's}.
 */
public final class TinyBoot {

    /** What the guest prints on its console, as a line, before it powers off. */
    public static final String MARKER = "kagami: tiny boot is up";

    private TinyBoot() {}

    /**
     * Returns the guest with the Debian cloud kernel.
     *
     * @param progress hears of the fetching; not called if there is nothing to fetch
     * @return the files to boot from and the command line {@code console=ttyS0}
     * @throws ImageException if it can't be had
     */
    public static BootFiles prepare(ProgressListener progress) {
        return prepare(DebianKernel.fetch(DebianKernel.CLOUD, progress), progress);
    }

    /**
     * Returns the guest with another kernel.
     *
     * @param kernel the kernel
     * @param progress hears of the fetching of busybox
     * @return the files to boot from and the command line {@code console=ttyS0}
     * @throws ImageException if busybox can't be had
     */
    public static BootFiles prepare(DebianKernel kernel, ProgressListener progress) {
        PackageStore store = PackageStore.ofUser();
        Busybox busybox =
                Busybox.of(store.get(List.of(Busybox.RECIPE), false, progress).getFirst());
        try {
            return new BootFiles(
                    kernel.image(),
                    InitramfsStore.keep(store.root(), "tiny", Initramfs.tiny(busybox.program())),
                    DefaultGuest.COMMAND_LINE);
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't keep the initramfs in " + store.root() + ": " + e, e);
        }
    }
}
