package dev.kagami.boot;

import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.util.List;
import java.util.OptionalLong;

/** Starts an ELF kernel at its 32-bit PVH entry (Xen, docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h). */
final class PvhBoot {
    private static final int START_INFO_SIZE = 56;
    private static final int START_INFO_MAGIC = 0x336E_C578;
    private static final int START_INFO_VERSION = 1;
    private static final int MODULE_ENTRY_SIZE = 32;
    private static final int MEMORY_MAP_ENTRY_SIZE = 24;

    /** The protocol has no limit; this keeps the data in low memory. */
    private static final long MAX_COMMAND_LINE = 64 << 10;

    private PvhBoot() {}

    /**
     * Starts a kernel that has been loaded.
     *
     * @param context where to and with what
     * @param file name for messages
     * @param elf its headers
     * @param entry the address in its PVH note
     * @return the kernel, ready to run
     */
    static LoadedKernel start(BootContext context, String file, ElfHeader elf, OptionalLong entry) {
        if (entry.isEmpty()) {
            throw BootException.unsupported(
                    file, "has no note XEN_ELFNOTE_PHYS32_ENTRY", "use another protocol, or a kernel with CONFIG_PVH");
        }
        BootContext.requireBelowFourGibibytes(file, elf);
        long address = entry.getAsLong();
        if (!elf.isLoaded(address)) {
            throw BootException.corrupt(
                    file, "note XEN_ELFNOTE_PHYS32_ENTRY is 0x%x, in no segment".formatted(address));
        }
        long startInfo = placeStartInfo(context);
        long gdt = context.placeGdt(false);
        EntryState state = EntryState.protected32(address, 0, startInfo, gdt);
        String description = "ELF kernel, %s entry at 0x%x".formatted(BootProtocol.PVH.title(), address);
        return new LoadedKernel(
                BootProtocol.PVH, description, state, context.layout().placements());
    }

    private static long placeStartInfo(BootContext context) {
        byte[] commandLine =
                BootContext.terminated("command line", context.source().commandLine(), MAX_COMMAND_LINE);
        List<BootModule> modules = context.allModules();
        byte[] startInfo = new byte[START_INFO_SIZE];
        LittleEndian.putInt(startInfo, 0, START_INFO_MAGIC);
        LittleEndian.putInt(startInfo, 4, START_INFO_VERSION);
        LittleEndian.putInt(startInfo, 12, modules.size());
        LittleEndian.putLong(startInfo, 24, context.placeBootData("command line", commandLine));
        LittleEndian.putLong(startInfo, 32, context.rsdpAddress());
        LittleEndian.putLong(startInfo, 40, context.placeBootData("memory map", memoryMap(context.map())));
        LittleEndian.putInt(startInfo, 48, context.map().size());
        long address = context.placeBootData("PVH start info", START_INFO_SIZE);
        if (!modules.isEmpty()) {
            LittleEndian.putLong(startInfo, 16, placeModules(context, modules));
        }
        context.memory().write(address, startInfo);
        return address;
    }

    private static byte[] memoryMap(List<MemoryRegion> map) {
        byte[] entries = new byte[map.size() * MEMORY_MAP_ENTRY_SIZE];
        int at = 0;
        for (MemoryRegion region : map) {
            LittleEndian.putLong(entries, at, region.start());
            LittleEndian.putLong(entries, at + 8, region.size());
            LittleEndian.putInt(entries, at + 16, region.type().number());
            at += MEMORY_MAP_ENTRY_SIZE;
        }
        return entries;
    }

    private static long placeModules(BootContext context, List<BootModule> modules) {
        byte[] list = new byte[modules.size() * MODULE_ENTRY_SIZE];
        long address = context.placeBootData("module list", list.length);
        int at = 0;
        for (BootModule module : modules) {
            try (ImageFile file = ImageFile.open(module.file(), "module")) {
                // An empty module has no memory of its own; its address is any that is valid.
                long start = file.size() == 0
                        ? address
                        : context.layout()
                                .placeHigh(
                                        file.name(),
                                        file.name(),
                                        file.size(),
                                        GuestMemory.PAGE_SIZE,
                                        GuestLayout.ONE_MEBIBYTE,
                                        GuestLayout.FOUR_GIBIBYTES);
                file.copyTo(context.memory(), start, 0, file.size());
                LittleEndian.putLong(list, at, start);
                LittleEndian.putLong(list, at + 8, file.size());
                if (!module.arguments().isEmpty()) {
                    byte[] arguments =
                            BootContext.terminated("arguments of " + file.name(), module.arguments(), MAX_COMMAND_LINE);
                    LittleEndian.putLong(list, at + 16, context.placeBootData("module arguments", arguments));
                }
            }
            at += MODULE_ENTRY_SIZE;
        }
        context.memory().write(address, list);
        return address;
    }
}
