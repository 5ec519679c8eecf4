package dev.kagami.boot;

import dev.kagami.boot.BootException.Code;
import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Starts Linux by its 64-bit boot protocol (Documentation/arch/x86/boot.rst and zero-page.rst). */
final class LinuxBoot {
    private static final int ZERO_PAGE_SIZE = 4096;

    // Offsets in the zero page, struct boot_params.
    private static final int ACPI_RSDP_ADDRESS = 0x070;
    private static final int EXT_RAMDISK_IMAGE = 0x0C0;
    private static final int EXT_RAMDISK_SIZE = 0x0C4;
    private static final int EXT_COMMAND_LINE = 0x0C8;
    private static final int E820_ENTRIES = 0x1E8;
    private static final int VIDEO_MODE = 0x1FA;
    private static final int BOOT_FLAG = 0x1FE;
    private static final int HEADER_MAGIC = 0x202;
    private static final int VERSION = 0x206;
    private static final int TYPE_OF_LOADER = 0x210;
    private static final int LOAD_FLAGS = 0x211;
    private static final int CODE32_START = 0x214;
    private static final int RAMDISK_IMAGE = 0x218;
    private static final int RAMDISK_SIZE = 0x21C;
    private static final int HEAP_END = 0x224;
    private static final int COMMAND_LINE = 0x228;
    private static final int INITRD_ADDRESS_MAX = 0x22C;
    private static final int KERNEL_ALIGNMENT = 0x230;
    private static final int EXTRA_LOAD_FLAGS = 0x236;
    private static final int COMMAND_LINE_SIZE = 0x238;
    private static final int SETUP_DATA = 0x250;
    private static final int E820_TABLE = 0x2D0;
    private static final int E820_ENTRY_SIZE = 20;
    private static final int E820_MAX_ENTRIES = 128;

    private static final int BOOT_FLAG_VALUE = 0xAA55;
    private static final int HEADER_MAGIC_VALUE = 0x53726448; // "HdrS"
    private static final int VIDEO_MODE_NORMAL = 0xFFFF;
    private static final int LOADER_UNDEFINED = 0xFF;
    private static final int LOADED_HIGH = 1;
    /** First protocol with acpi_rsdp_addr. */
    private static final int VERSION_2_14 = 0x020E;

    /** What is said of a vmlinux, which has no header of its own: the protocol of Linux 5.5 and newer. */
    private static final int VMLINUX_VERSION = 0x020F;

    private static final long VMLINUX_COMMAND_LINE_SIZE = 2047;
    private static final long VMLINUX_INITRD_LIMIT = 0x8000_0000L;
    private static final int VMLINUX_ALIGNMENT = 2 << 20;

    private static final int PAGE_TABLE_ENTRIES = 512;
    private static final int LARGE_PAGE_SHIFT = 21;
    /** Present, writable, accessed (SDM 3A table 5-15). */
    private static final long TABLE_FLAGS = 0x23;
    /** The same, dirty, and a 2 MiB page (SDM 3A table 5-18). */
    private static final long LARGE_PAGE_FLAGS = 0xE3;

    private static final int MAPPED_GIBIBYTES = 4;

    private final BootContext context;
    private final GuestLayout layout;
    private final GuestMemory memory;
    /** Null for a vmlinux. */
    private final @Nullable BzImage image;

    private LinuxBoot(BootContext context, @Nullable BzImage image) {
        this.context = context;
        this.layout = context.layout();
        this.memory = context.memory();
        this.image = image;
    }

    /**
     * Loads a bzImage, unpacked where that is possible and wanted.
     *
     * @param context where to and with what
     * @param kernel the file
     * @param image its header
     * @return the kernel, ready to run
     */
    static LoadedKernel bzImage(BootContext context, ImageFile kernel, BzImage image) {
        PayloadFormat format = context.source().unpackOnHost() ? payloadFormat(kernel, image) : null;
        LinuxBoot boot = new LinuxBoot(context, image);
        if (format != null) {
            ElfLoader loader = new ElfLoader(kernel.name() + ": payload", context.layout());
            if (PayloadUnpacker.unpack(kernel, image, format, loader)) {
                return boot.innerElf(kernel, loader, loader.finish(), format);
            }
        }
        return boot.asIs(kernel, image);
    }

    private static @Nullable PayloadFormat payloadFormat(ImageFile kernel, BzImage image) {
        int length = (int) Math.min(PayloadFormat.MAGIC_SIZE, image.payloadSize());
        return PayloadFormat.detect(kernel.read(image.payloadOffset(), length));
    }

    /**
     * Starts a vmlinux that has been loaded.
     *
     * @param context where to and with what
     * @param file name for messages
     * @param elf its headers
     * @return the kernel, ready to run
     */
    static LoadedKernel vmlinux(BootContext context, String file, ElfHeader elf) {
        requireX8664(file, elf);
        return new LinuxBoot(context, null).finish(file, elf.physicalEntry(file), "Linux vmlinux");
    }

    private LoadedKernel innerElf(ImageFile kernel, ElfLoader loader, ElfHeader elf, PayloadFormat format) {
        String file = kernel.name() + ": payload";
        requireX8664(file, elf);
        if (context.source().protocol() == BootProtocol.PVH) {
            return PvhBoot.start(context, file, elf, loader.pvhEntry());
        }
        String what = "%s (bzImage, %s payload unpacked on the host)".formatted(title(), format.title());
        return finish(file, elf.physicalEntry(file), what);
    }

    private static void requireX8664(String file, ElfHeader elf) {
        if (!elf.is64() || elf.machine() != ElfHeader.MACHINE_X86_64) {
            throw BootException.unsupported(
                    file, "ELF fields EI_CLASS and e_machine are not those of x86-64", "use a 64-bit kernel");
        }
        BootContext.requireBelowFourGibibytes(file, elf);
    }

    private LoadedKernel asIs(ImageFile kernel, BzImage header) {
        if (context.source().protocol() == BootProtocol.PVH) {
            throw BootException.unsupported(
                    kernel.name(),
                    "the PVH entry is in the compressed payload, which is not unpacked",
                    "use the Linux protocol, or a vmlinux");
        }
        long size = Math.max(header.initSize(), header.codeSize());
        long start = header.preferredAddress();
        if (header.relocatable() && !layout.isFree(start, size)) {
            // Not lower: the kernel would move itself up to the preferred address.
            start = layout.placeLow(
                    kernel.name(),
                    "kernel",
                    size,
                    Math.max(header.alignment(), GuestMemory.PAGE_SIZE),
                    start,
                    GuestLayout.FOUR_GIBIBYTES);
        } else {
            if (start + size > GuestLayout.FOUR_GIBIBYTES) {
                throw BootException.corrupt(
                        kernel.name(), "setup field init_size is 0x%x: reaches above 4 GiB".formatted(size));
            }
            layout.claim(kernel.name(), "kernel", start, size);
        }
        kernel.copyTo(memory, start, header.codeOffset(), header.codeSize());
        return finish(kernel.name(), start + BzImage.ENTRY_64, title() + " (bzImage)");
    }

    private String title() {
        return image == null ? "Linux" : ("Linux " + image.kernelVersion()).strip();
    }

    /** Adds the zero page and everything that it refers to. */
    private LoadedKernel finish(String file, long entry, String what) {
        byte[] zeroPage = new byte[ZERO_PAGE_SIZE];
        int version = putSetupHeader(zeroPage);
        putMemoryMap(zeroPage);
        if (version >= VERSION_2_14) {
            LittleEndian.putLong(zeroPage, ACPI_RSDP_ADDRESS, context.rsdpAddress());
        }
        byte[] commandLine = BootContext.terminated(
                "command line",
                context.source().commandLine(),
                image == null ? VMLINUX_COMMAND_LINE_SIZE : image.commandLineSize());

        long zeroPageAddress = context.placeBootData("zero page", ZERO_PAGE_SIZE);
        long commandLineAddress = context.placeBootData("command line", commandLine);
        long gdt = context.placeGdt(true);
        long pageTables = placePageTables();
        LittleEndian.putInt(zeroPage, COMMAND_LINE, (int) commandLineAddress);
        LittleEndian.putInt(zeroPage, EXT_COMMAND_LINE, (int) (commandLineAddress >>> 32));
        putInitrd(zeroPage);
        memory.write(zeroPageAddress, zeroPage);

        EntryState state = EntryState.linux64(entry, zeroPageAddress, pageTables, gdt);
        String description = "%s, %s entry at 0x%x".formatted(what, BootProtocol.LINUX.title(), entry);
        return new LoadedKernel(BootProtocol.LINUX, description, state, layout.placements());
    }

    /** Fills the header that the kernel has, or one as it would have; returns its protocol version. */
    private int putSetupHeader(byte[] zeroPage) {
        int version;
        if (image != null) {
            byte[] header = image.setupHeader();
            System.arraycopy(header, 0, zeroPage, BzImage.SETUP_HEADER, header.length);
            version = image.version();
        } else {
            version = VMLINUX_VERSION;
            LittleEndian.putShort(zeroPage, BOOT_FLAG, BOOT_FLAG_VALUE);
            LittleEndian.putInt(zeroPage, HEADER_MAGIC, HEADER_MAGIC_VALUE);
            LittleEndian.putShort(zeroPage, VERSION, version);
            LittleEndian.putInt(zeroPage, INITRD_ADDRESS_MAX, (int) (VMLINUX_INITRD_LIMIT - 1));
            LittleEndian.putInt(zeroPage, KERNEL_ALIGNMENT, VMLINUX_ALIGNMENT);
            LittleEndian.putShort(
                    zeroPage, EXTRA_LOAD_FLAGS, BzImage.XLF_KERNEL_64 | BzImage.XLF_CAN_BE_LOADED_ABOVE_4G);
            LittleEndian.putInt(zeroPage, COMMAND_LINE_SIZE, (int) VMLINUX_COMMAND_LINE_SIZE);
        }
        LittleEndian.putByte(zeroPage, TYPE_OF_LOADER, LOADER_UNDEFINED);
        // Of the other flags none is for us to set; a file that claims randomization happened (bit 1) is overruled.
        LittleEndian.putByte(zeroPage, LOAD_FLAGS, LOADED_HIGH);
        LittleEndian.putShort(zeroPage, VIDEO_MODE, VIDEO_MODE_NORMAL);
        // Fields for a boot loader to write: what the file has there means nothing.
        LittleEndian.putInt(zeroPage, CODE32_START, 0);
        LittleEndian.putShort(zeroPage, HEAP_END, 0);
        LittleEndian.putLong(zeroPage, SETUP_DATA, 0);
        LittleEndian.putInt(zeroPage, RAMDISK_IMAGE, 0);
        LittleEndian.putInt(zeroPage, RAMDISK_SIZE, 0);
        return version;
    }

    private void putMemoryMap(byte[] zeroPage) {
        int entries = context.map().size();
        if (entries > E820_MAX_ENTRIES) {
            throw new IllegalArgumentException("memory map of more than %d regions".formatted(E820_MAX_ENTRIES));
        }
        LittleEndian.putByte(zeroPage, E820_ENTRIES, entries);
        int at = E820_TABLE;
        for (MemoryRegion region : context.map()) {
            LittleEndian.putLong(zeroPage, at, region.start());
            LittleEndian.putLong(zeroPage, at + 8, region.size());
            LittleEndian.putInt(zeroPage, at + 16, region.type().number());
            at += E820_ENTRY_SIZE;
        }
    }

    private void putInitrd(byte[] zeroPage) {
        if (context.source().initrd() == null) {
            return;
        }
        try (ImageFile initrd = ImageFile.open(context.source().initrd(), "initrd")) {
            long size = initrd.size();
            if (size == 0) {
                throw new BootException(Code.IMAGE_CORRUPT, initrd.name() + ": is empty", "check how it was made");
            }
            long limit = image == null ? VMLINUX_INITRD_LIMIT : image.initrdLimit();
            boolean above4g = image == null || (image.extraLoadFlags() & BzImage.XLF_CAN_BE_LOADED_ABOVE_4G) != 0;
            long from = GuestLayout.ONE_MEBIBYTE;
            OptionalLong low = layout.tryPlaceHigh("initrd", size, GuestMemory.PAGE_SIZE, from, limit);
            long start;
            if (low.isPresent()) {
                start = low.getAsLong();
            } else {
                // A 64-bit kernel reaches all RAM; only older ones insist on initrd_addr_max.
                long end = above4g ? GuestMemory.MAX_SIZE + GuestMemory.HIGH_START : limit;
                start = layout.placeHigh(initrd.name(), "initrd", size, GuestMemory.PAGE_SIZE, from, end);
            }
            initrd.copyTo(memory, start, 0, size);
            LittleEndian.putInt(zeroPage, RAMDISK_IMAGE, (int) start);
            LittleEndian.putInt(zeroPage, EXT_RAMDISK_IMAGE, (int) (start >>> 32));
            LittleEndian.putInt(zeroPage, RAMDISK_SIZE, (int) size);
            LittleEndian.putInt(zeroPage, EXT_RAMDISK_SIZE, (int) (size >>> 32));
        }
    }

    /** Maps the first 4 GiB to themselves, writable, with 2 MiB pages (SDM 3A 5.5); returns the top table's address. */
    private long placePageTables() {
        int tables = 2 + MAPPED_GIBIBYTES;
        byte[] bytes = new byte[tables * GuestMemory.PAGE_SIZE];
        long top = context.placeBootData("page tables", bytes.length);
        long pointers = top + GuestMemory.PAGE_SIZE;
        long directories = pointers + GuestMemory.PAGE_SIZE;
        LittleEndian.putLong(bytes, 0, pointers | TABLE_FLAGS);
        for (int i = 0; i < MAPPED_GIBIBYTES; i++) {
            long directory = directories + (long) i * GuestMemory.PAGE_SIZE;
            LittleEndian.putLong(bytes, (int) (pointers - top) + Long.BYTES * i, directory | TABLE_FLAGS);
        }
        for (int i = 0; i < MAPPED_GIBIBYTES * PAGE_TABLE_ENTRIES; i++) {
            long page = (long) i << LARGE_PAGE_SHIFT;
            LittleEndian.putLong(bytes, (int) (directories - top) + Long.BYTES * i, page | LARGE_PAGE_FLAGS);
        }
        memory.write(top, bytes);
        return top;
    }
}
