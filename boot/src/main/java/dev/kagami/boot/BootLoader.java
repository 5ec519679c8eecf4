package dev.kagami.boot;

import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Loads kernels into guest memory. See the package's page for formats and protocols.
 *
 * <p>Thread-safety: the methods keep no state; the memory belongs to the caller while they run.
 */
public final class BootLoader {
    /** Enough for every header that is looked at. */
    private static final int HEAD = Math.max(BzImage.HEAD, ElfHeader.MAX_HEADERS);

    private BootLoader() {}

    /**
     * Puts a kernel and everything that belongs to it into guest memory.
     *
     * <p>Writes to usable regions only. The rest of the memory is not touched, so memory that isn't fresh keeps its old
     * content; the kernel's own zero-initialized data is cleared.
     *
     * @param memory the guest's memory
     * @param memoryMap what to tell the kernel about the guest-physical address space, in ascending order; usable
     *     regions must be RAM and hold nothing yet
     * @param rsdpAddress guest-physical address of the ACPI root system description pointer, or 0 for none
     * @param source what to boot
     * @return the kernel, ready to run
     * @throws BootException when a file can't be read, is damaged, of an unknown kind or too large for the memory; what
     *     the usable regions hold is undefined then
     * @throws IllegalArgumentException when the memory map doesn't fit the memory or overlaps itself
     */
    public static LoadedKernel load(
            GuestMemory memory, List<MemoryRegion> memoryMap, long rsdpAddress, BootSource source) {
        GuestLayout layout = new GuestLayout(memory, memoryMap);
        BootContext context = new BootContext(layout, List.copyOf(memoryMap), rsdpAddress, source);
        try (ImageFile kernel = ImageFile.open(source.kernel(), "kernel")) {
            byte[] head = kernel.head(HEAD);
            boolean isElf = ElfHeader.isElf(head);
            if (!isElf && BzImage.isBzImage(head)) {
                return bzImage(context, kernel, head);
            }
            if (source.protocol() == BootProtocol.AUTOMATIC || source.protocol() == BootProtocol.MULTIBOOT) {
                Optional<MultibootHeader> header = MultibootHeader.find(head);
                if (header.isPresent()) {
                    return MultibootBoot.load(context, kernel, header.get());
                }
            }
            if (isElf) {
                return elf(context, kernel);
            }
            throw unknown(kernel, head);
        }
    }

    private static LoadedKernel bzImage(BootContext context, ImageFile kernel, byte[] head) {
        if (context.source().protocol() == BootProtocol.MULTIBOOT) {
            throw noMultibootHeader(kernel);
        }
        return LinuxBoot.bzImage(context, kernel, BzImage.parse(kernel.name(), head, kernel.size()));
    }

    private static LoadedKernel elf(BootContext context, ImageFile kernel) {
        BootProtocol protocol = context.source().protocol();
        if (protocol == BootProtocol.MULTIBOOT) {
            throw noMultibootHeader(kernel);
        }
        ElfLoader loader = loadElf(context, kernel);
        ElfHeader elf = loader.finish();
        OptionalLong pvhEntry = loader.pvhEntry();
        if (protocol == BootProtocol.PVH || protocol == BootProtocol.AUTOMATIC && pvhEntry.isPresent()) {
            return PvhBoot.start(context, kernel.name(), elf, pvhEntry);
        }
        return LinuxBoot.vmlinux(context, kernel.name(), elf);
    }

    /** Streams an ELF file into memory; the caller asks the loader to finish. */
    static ElfLoader loadElf(BootContext context, ImageFile kernel) {
        ElfLoader loader = new ElfLoader(kernel.name(), context.layout());
        kernel.feed(0, kernel.size(), loader);
        return loader;
    }

    private static BootException noMultibootHeader(ImageFile kernel) {
        return BootException.unsupported(
                kernel.name(), "has no multiboot header in its first 8192 bytes", "use another protocol");
    }

    private static BootException unknown(ImageFile kernel, byte[] head) {
        if (kernel.size() == 0) {
            return BootException.corrupt(kernel.name(), "is empty");
        }
        String hint = "pass a Linux bzImage (vmlinuz), an ELF kernel or a multiboot kernel";
        PayloadFormat format = PayloadFormat.detect(head);
        if (format != null) {
            hint = "it is a " + format.title() + "-compressed file; unpack it first";
        }
        return new BootException(
                BootException.Code.FORMAT_UNKNOWN,
                kernel.name() + ": is no bzImage, no ELF file and has no multiboot header",
                hint);
    }
}
