package dev.kagami.boot;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What to boot.
 *
 * @param kernel the kernel: bzImage, ELF or multiboot
 * @param initrd the initial RAM disk, or null; PVH and multiboot kernels get it as their first module
 * @param commandLine the kernel's command line; multiboot kernels see the kernel file's name and a space before it, as
 *     from other boot loaders
 * @param modules more files for PVH and multiboot kernels
 * @param protocol which protocol to use, or {@link BootProtocol#AUTOMATIC}
 * @param unpackOnHost whether the kernel inside a bzImage is decompressed on the host, where that is supported (see the
 *     package's page)
 */
public record BootSource(
        Path kernel,
        @Nullable Path initrd,
        String commandLine,
        List<BootModule> modules,
        BootProtocol protocol,
        boolean unpackOnHost) {
    /** Copies the list. */
    public BootSource {
        modules = List.copyOf(modules);
    }

    /**
     * Describes a kernel with an empty command line and nothing else.
     *
     * @param kernel the kernel
     * @return the description
     */
    public static BootSource of(Path kernel) {
        return new BootSource(kernel, null, "", List.of(), BootProtocol.AUTOMATIC, true);
    }

    /**
     * Copies this with another initial RAM disk.
     *
     * @param newInitrd the file, or null for none
     * @return the copy
     */
    public BootSource withInitrd(@Nullable Path newInitrd) {
        return new BootSource(kernel, newInitrd, commandLine, modules, protocol, unpackOnHost);
    }

    /**
     * Copies this with another command line.
     *
     * @param newCommandLine the command line
     * @return the copy
     */
    public BootSource withCommandLine(String newCommandLine) {
        return new BootSource(kernel, initrd, newCommandLine, modules, protocol, unpackOnHost);
    }

    /**
     * Copies this with other modules.
     *
     * @param newModules the modules, in the order in which the kernel sees them
     * @return the copy
     */
    public BootSource withModules(List<BootModule> newModules) {
        return new BootSource(kernel, initrd, commandLine, newModules, protocol, unpackOnHost);
    }

    /**
     * Copies this with another protocol.
     *
     * @param newProtocol the protocol to insist on, or {@link BootProtocol#AUTOMATIC}
     * @return the copy
     */
    public BootSource withProtocol(BootProtocol newProtocol) {
        return new BootSource(kernel, initrd, commandLine, modules, newProtocol, unpackOnHost);
    }

    /**
     * Copies this, saying who unpacks the kernel in a bzImage.
     *
     * @param newUnpackOnHost true for the host, false for the guest
     * @return the copy
     */
    public BootSource withUnpackOnHost(boolean newUnpackOnHost) {
        return new BootSource(kernel, initrd, commandLine, modules, protocol, newUnpackOnHost);
    }
}
