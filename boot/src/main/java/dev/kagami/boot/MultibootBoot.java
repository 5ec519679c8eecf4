package dev.kagami.boot;

import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.util.List;

/** Starts a multiboot kernel (Multiboot specification 0.6.96, 3.2 and 3.3). */
final class MultibootBoot {
    private static final int BOOTLOADER_MAGIC = 0x2BADB002;
    private static final String LOADER_NAME = "Kagami";

    private static final int INFO_SIZE = 120;
    private static final int MODULE_ENTRY_SIZE = 16;
    private static final int MEMORY_MAP_ENTRY_SIZE = 24;

    // Flags of the boot information: which of its fields are valid.
    private static final int INFO_MEMORY = 1;
    private static final int INFO_COMMAND_LINE = 1 << 2;
    private static final int INFO_MODULES = 1 << 3;
    private static final int INFO_MEMORY_MAP = 1 << 6;
    private static final int INFO_LOADER_NAME = 1 << 9;

    // Offsets in the boot information.
    private static final int MEMORY_LOWER = 4;
    private static final int MEMORY_UPPER = 8;
    private static final int COMMAND_LINE = 16;
    private static final int MODULE_COUNT = 20;
    private static final int MODULES = 24;
    private static final int MEMORY_MAP_LENGTH = 44;
    private static final int MEMORY_MAP = 48;
    private static final int NAME = 64;

    /** The protocol has no limit; this keeps the data in low memory. */
    private static final long MAX_STRING = 64 << 10;

    private MultibootBoot() {}

    /**
     * Loads and starts a multiboot kernel.
     *
     * @param context where to and with what
     * @param kernel the file
     * @param header its multiboot header
     * @return the kernel, ready to run
     */
    static LoadedKernel load(BootContext context, ImageFile kernel, MultibootHeader header) {
        if (header.unknownDemands() != 0) {
            throw BootException.unsupported(
                    kernel.name(),
                    "multiboot header field flags demands 0x%x, which is unknown".formatted(header.unknownDemands()),
                    "the kernel needs another boot loader");
        }
        long entry;
        long end;
        if (header.hasAddresses()) {
            end = loadFlat(context, kernel, header);
            entry = header.entryAddress();
        } else {
            ElfHeader elf = BootLoader.loadElf(context, kernel).finish();
            BootContext.requireBelowFourGibibytes(kernel.name(), elf);
            entry = elf.physicalEntry(kernel.name());
            end = elf.loads().stream()
                    .mapToLong(s -> s.physicalAddress() + s.memorySize())
                    .max()
                    .orElseThrow();
        }
        long information = placeInformation(context, end);
        long gdt = context.placeGdt(false);
        EntryState state = EntryState.protected32(entry, BOOTLOADER_MAGIC, information, gdt);
        String description = "%s kernel, %s entry at 0x%x"
                .formatted(header.hasAddresses() ? "flat" : "ELF", BootProtocol.MULTIBOOT.title(), entry);
        return new LoadedKernel(
                BootProtocol.MULTIBOOT, description, state, context.layout().placements());
    }

    /** Loads by the header's addresses; returns the address behind the kernel. */
    private static long loadFlat(BootContext context, ImageFile kernel, MultibootHeader header) {
        String file = kernel.name();
        long load = header.loadAddress();
        long before = header.headerAddress() - load;
        if (before < 0 || before > header.offset()) {
            throw BootException.corrupt(
                    file,
                    "multiboot fields header_addr 0x%x and load_addr 0x%x don't fit a header at 0x%x of the file"
                            .formatted(header.headerAddress(), load, header.offset()));
        }
        long offset = header.offset() - before;
        long inFile = kernel.size() - offset;
        long size = header.loadEndAddress() == 0 ? inFile : header.loadEndAddress() - load;
        if (size <= 0 || size > inFile) {
            throw BootException.corrupt(
                    file,
                    "multiboot field load_end_addr is 0x%x: the file has 0x%x bytes for load_addr 0x%x"
                            .formatted(header.loadEndAddress(), inFile, load));
        }
        long loadEnd = load + size;
        long end = header.bssEndAddress() == 0 ? loadEnd : header.bssEndAddress();
        if (end < loadEnd || end > GuestLayout.FOUR_GIBIBYTES) {
            throw BootException.corrupt(
                    file,
                    "multiboot field bss_end_addr is 0x%x: below the end of what is loaded, 0x%x, or above 4 GiB"
                            .formatted(header.bssEndAddress(), loadEnd));
        }
        if (header.entryAddress() < load || header.entryAddress() >= loadEnd) {
            throw BootException.corrupt(
                    file,
                    "multiboot field entry_addr is 0x%x, outside of what is loaded at 0x%x-0x%x"
                            .formatted(header.entryAddress(), load, loadEnd - 1));
        }
        context.layout().claim(file, "kernel", load, end - load);
        kernel.copyTo(context.memory(), load, offset, size);
        context.memory().clear(loadEnd, end - loadEnd);
        return end;
    }

    private static long placeInformation(BootContext context, long kernelEnd) {
        byte[] information = new byte[INFO_SIZE];
        List<MemoryRegion> map = context.map();
        LittleEndian.putInt(
                information, 0, INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME);
        LittleEndian.putInt(information, MEMORY_LOWER, usableKibibytes(map, 0));
        LittleEndian.putInt(information, MEMORY_UPPER, usableKibibytes(map, GuestLayout.ONE_MEBIBYTE));
        String commandLine = named(context.source().kernel(), context.source().commandLine());
        LittleEndian.putInt(information, COMMAND_LINE, placeString(context, "command line", commandLine));
        byte[] entries = memoryMap(map);
        LittleEndian.putInt(information, MEMORY_MAP_LENGTH, entries.length);
        LittleEndian.putInt(information, MEMORY_MAP, (int) context.placeBootData("memory map", entries));
        LittleEndian.putInt(information, NAME, placeString(context, "loader name", LOADER_NAME));
        long address = context.placeBootData("multiboot information", INFO_SIZE);
        List<BootModule> modules = context.allModules();
        LittleEndian.putInt(information, MODULE_COUNT, modules.size());
        if (!modules.isEmpty()) {
            LittleEndian.putInt(information, MODULES, (int) placeModules(context, modules, kernelEnd));
        }
        context.memory().write(address, information);
        return address;
    }

    /** Boot loaders put the file's name before the arguments, and kernels count on it. */
    private static String named(java.nio.file.Path file, String arguments) {
        String name = String.valueOf(file.getFileName());
        return arguments.isEmpty() ? name : name + " " + arguments;
    }

    private static int placeString(BootContext context, String what, String text) {
        return (int) context.placeBootData(what, BootContext.terminated(what, text, MAX_STRING));
    }

    /** {@return KiB of the usable memory that starts at the address without a hole} */
    private static int usableKibibytes(List<MemoryRegion> map, long start) {
        for (MemoryRegion region : map) {
            if (region.type() == MemoryRegion.Type.USABLE && region.start() <= start && start < region.end()) {
                return (int) Math.min(region.end() - start >> 10, Integer.MAX_VALUE);
            }
        }
        return 0;
    }

    private static byte[] memoryMap(List<MemoryRegion> map) {
        byte[] entries = new byte[map.size() * MEMORY_MAP_ENTRY_SIZE];
        int at = 0;
        for (MemoryRegion region : map) {
            // The size of the rest of the entry.
            LittleEndian.putInt(entries, at, MEMORY_MAP_ENTRY_SIZE - Integer.BYTES);
            LittleEndian.putLong(entries, at + 4, region.start());
            LittleEndian.putLong(entries, at + 12, region.size());
            LittleEndian.putInt(entries, at + 20, region.type().number());
            at += MEMORY_MAP_ENTRY_SIZE;
        }
        return entries;
    }

    private static long placeModules(BootContext context, List<BootModule> modules, long kernelEnd) {
        byte[] list = new byte[modules.size() * MODULE_ENTRY_SIZE];
        long address = context.placeBootData("module list", list.length);
        int at = 0;
        for (BootModule module : modules) {
            try (ImageFile file = ImageFile.open(module.file(), "module")) {
                // Behind the kernel, as other loaders do: kernels guess the end of what they must not touch from it.
                long start = file.size() == 0
                        ? address
                        : context.layout()
                                .placeLow(
                                        file.name(),
                                        file.name(),
                                        file.size(),
                                        GuestMemory.PAGE_SIZE,
                                        Math.max(kernelEnd, GuestLayout.ONE_MEBIBYTE),
                                        GuestLayout.FOUR_GIBIBYTES);
                file.copyTo(context.memory(), start, 0, file.size());
                LittleEndian.putInt(list, at, (int) start);
                LittleEndian.putInt(list, at + 4, (int) (start + file.size()));
                String text = named(module.file(), module.arguments());
                LittleEndian.putInt(list, at + 8, placeString(context, "module arguments", text));
            }
            at += MODULE_ENTRY_SIZE;
        }
        context.memory().write(address, list);
        return address;
    }
}
