package dev.kagami.boot;

import dev.kagami.boot.BootException.Code;
import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What every protocol needs while it loads.
 *
 * @param layout hands out guest memory
 * @param map the memory map to pass on
 * @param rsdpAddress guest-physical address of the ACPI root pointer, or 0
 * @param source what to boot
 */
record BootContext(GuestLayout layout, List<MemoryRegion> map, long rsdpAddress, BootSource source) {
    GuestMemory memory() {
        return layout.memory();
    }

    /** Takes low memory for data of the protocol: below 640 KiB where possible, always below 4 GiB. */
    long placeBootData(String what, long size) {
        return layout.placeLow(
                "guest memory", what, size, GuestMemory.PAGE_SIZE, GuestLayout.LOWEST, GuestLayout.FOUR_GIBIBYTES);
    }

    /** Writes the loader's descriptor table and returns its address. */
    long placeGdt(boolean is64) {
        long gdt = placeBootData("GDT", EntryState.GDT_SIZE);
        EntryState.writeGdt(memory(), gdt, is64);
        return gdt;
    }

    /** Writes the bytes to fresh low memory and returns their address. */
    long placeBootData(String what, byte[] bytes) {
        long address = placeBootData(what, bytes.length);
        memory().write(address, bytes);
        return address;
    }

    /** {@return the files for protocols that know a list of modules: the initial RAM disk, then the others} */
    List<BootModule> allModules() {
        List<BootModule> modules = new ArrayList<>();
        if (source.initrd() != null) {
            modules.add(new BootModule(source.initrd(), ""));
        }
        modules.addAll(source.modules());
        return modules;
    }

    /**
     * Encodes a string for the guest.
     *
     * @param what for messages
     * @param text the string
     * @param maxLength most bytes without the terminating NUL
     * @return UTF-8, with a NUL at the end
     */
    static byte[] terminated(String what, String text, long maxLength) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (text.indexOf('\0') >= 0) {
            throw new BootException(Code.COMMAND_LINE_INVALID, what + " holds a NUL character", "remove it");
        }
        if (bytes.length > maxLength) {
            throw new BootException(
                    Code.COMMAND_LINE_INVALID,
                    "%s has %d bytes; this kernel takes at most %d".formatted(what, bytes.length, maxLength),
                    "shorten it");
        }
        byte[] terminated = new byte[bytes.length + 1];
        System.arraycopy(bytes, 0, terminated, 0, bytes.length);
        return terminated;
    }

    /** Makes sure that 32-bit code, or the loader's page tables, reach all of an ELF kernel. */
    static void requireBelowFourGibibytes(String file, ElfHeader elf) {
        for (ElfHeader.Segment segment : elf.loads()) {
            if (segment.physicalAddress() + segment.memorySize() > GuestLayout.FOUR_GIBIBYTES) {
                throw BootException.unsupported(
                        file,
                        "%s is at physical address 0x%x, above 4 GiB"
                                .formatted(segment.title(), segment.physicalAddress()),
                        "link the kernel to a lower physical address");
            }
        }
    }
}
