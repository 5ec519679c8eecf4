package dev.kagami.boot;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The setup header of a Linux bzImage, checked (Documentation/arch/x86/boot.rst, "The real-mode kernel header").
 *
 * @param setupHeader the header's bytes from {@link #SETUP_HEADER} on, as they go to the zero page
 * @param version boot protocol, 0x020C for 2.12
 * @param extraLoadFlags xloadflags
 * @param codeOffset where the protected-mode code starts in the file
 * @param codeSize its bytes
 * @param payloadOffset where the compressed kernel starts in the file
 * @param payloadSize its bytes; 0 when the header doesn't tell
 * @param relocatable whether the kernel may be loaded at other addresses than {@code preferredAddress}
 * @param alignment alignment of those other addresses
 * @param preferredAddress pref_address
 * @param initSize bytes that the kernel needs from its load address on until it has read the memory map
 * @param initrdLimit first address that the end of an initial RAM disk must not exceed
 * @param commandLineSize longest command line in bytes, without the NUL
 * @param kernelVersion what the kernel calls itself; may be empty
 */
record BzImage(
        byte[] setupHeader,
        int version,
        int extraLoadFlags,
        long codeOffset,
        long codeSize,
        long payloadOffset,
        long payloadSize,
        boolean relocatable,
        long alignment,
        long preferredAddress,
        long initSize,
        long initrdLimit,
        long commandLineSize,
        String kernelVersion) {
    /** Offset of the setup header, both in the file and in the zero page. */
    static final int SETUP_HEADER = 0x1F1;

    /** The kernel has a 64-bit entry point at 0x200 of the protected-mode code. */
    static final int XLF_KERNEL_64 = 1;

    /** Kernel, parameters, command line and initial RAM disk may be above 4 GiB. */
    static final int XLF_CAN_BE_LOADED_ABOVE_4G = 2;

    /** Where the 64-bit entry point is in the protected-mode code. */
    static final int ENTRY_64 = 0x200;

    /** First protocol with xloadflags. */
    private static final int VERSION_2_12 = 0x020C;

    /** Longest file prefix that {@link #parse} looks at: the largest set-up part, 64 sectors of 512 bytes, and a bit. */
    static final int HEAD = 64 << 10;

    private static final int SETUP_SECTORS = 0x1F1;
    private static final int SYSTEM_SIZE = 0x1F4;
    private static final int BOOT_FLAG = 0x1FE;
    private static final int BOOT_FLAG_VALUE = 0xAA55;
    private static final int JUMP_OFFSET = 0x201;
    private static final int HEADER_MAGIC = 0x202;
    private static final int HEADER_MAGIC_VALUE = 0x53726448; // "HdrS"
    private static final int VERSION = 0x206;
    private static final int KERNEL_VERSION = 0x20E;
    private static final int LOAD_FLAGS = 0x211;
    private static final int LOADED_HIGH = 1;
    private static final int INITRD_ADDRESS_MAX = 0x22C;
    private static final int KERNEL_ALIGNMENT = 0x230;
    private static final int RELOCATABLE_KERNEL = 0x234;
    private static final int EXTRA_LOAD_FLAGS = 0x236;
    private static final int COMMAND_LINE_SIZE = 0x238;
    private static final int PAYLOAD_OFFSET = 0x248;
    private static final int PAYLOAD_LENGTH = 0x24C;
    private static final int PREFERRED_ADDRESS = 0x258;
    private static final int INIT_SIZE = 0x260;
    private static final int HEADER_END_2_12 = 0x264;
    /** What comes next in the zero page: edd_mbr_sig_buffer. */
    private static final int HEADER_END_MAX = 0x290;

    private static final int SECTOR = 512;
    private static final int DEFAULT_SETUP_SECTORS = 4;
    private static final int PARAGRAPH = 16;
    private static final long MAX_ALIGNMENT = 1 << 30;
    private static final int DEFAULT_COMMAND_LINE_SIZE = 255;
    private static final int MAX_VERSION_TEXT = 128;

    /** {@return whether these first bytes of a file are those of a Linux kernel image} */
    static boolean isBzImage(byte[] head) {
        return head.length >= HEADER_MAGIC + Integer.BYTES
                && LittleEndian.getShort(head, BOOT_FLAG) == BOOT_FLAG_VALUE
                && LittleEndian.getInt(head, HEADER_MAGIC) == HEADER_MAGIC_VALUE;
    }

    /**
     * Reads and checks the header.
     *
     * @param file name for messages
     * @param head the file's first {@link #HEAD} bytes, or as many as there are
     * @param fileSize the file's size in bytes
     * @return the header
     * @throws BootException when it contradicts itself or the file, or has no 64-bit entry point
     */
    static BzImage parse(String file, byte[] head, long fileSize) {
        if (head.length < HEADER_MAGIC + Integer.BYTES + Short.BYTES) {
            throw BootException.corrupt(file, "ends inside of the setup header");
        }
        int version = LittleEndian.getShort(head, VERSION);
        if (version < VERSION_2_12) {
            throw BootException.unsupported(
                    file,
                    "boot protocol %d.%02d has no 64-bit entry point".formatted(version >> 8, version & 0xFF),
                    "use a 64-bit kernel, 3.8 or newer");
        }
        int headerEnd = Math.min(HEADER_MAGIC + LittleEndian.getByte(head, JUMP_OFFSET), HEADER_END_MAX);
        if (headerEnd < HEADER_END_2_12 || head.length < headerEnd) {
            throw BootException.corrupt(
                    file,
                    "setup header ends at 0x%x, too early for boot protocol %d.%02d"
                            .formatted(Math.min(headerEnd, head.length), version >> 8, version & 0xFF));
        }
        int extraLoadFlags = LittleEndian.getShort(head, EXTRA_LOAD_FLAGS);
        if ((extraLoadFlags & XLF_KERNEL_64) == 0) {
            throw BootException.unsupported(
                    file,
                    "setup field xloadflags is 0x%x: no 64-bit entry point".formatted(extraLoadFlags),
                    "use a kernel for amd64, not for i386");
        }
        if ((LittleEndian.getByte(head, LOAD_FLAGS) & LOADED_HIGH) == 0) {
            throw BootException.unsupported(
                    file, "setup field loadflags has no LOADED_HIGH: a zImage", "use a bzImage");
        }

        int setupSectors = LittleEndian.getByte(head, SETUP_SECTORS);
        long codeOffset = (1L + (setupSectors == 0 ? DEFAULT_SETUP_SECTORS : setupSectors)) * SECTOR;
        long codeSize = LittleEndian.getUnsignedInt(head, SYSTEM_SIZE) * PARAGRAPH;
        // The size is rounded up to paragraphs. A signature may follow the code.
        if (codeOffset + codeSize >= fileSize + PARAGRAPH) {
            throw BootException.corrupt(
                    file,
                    "setup fields setup_sects and syssize say that code ends at 0x%x, but the file ends at 0x%x"
                            .formatted(codeOffset + codeSize, fileSize));
        }
        codeSize = Math.min(codeSize, fileSize - codeOffset);
        if (codeSize <= ENTRY_64) {
            throw BootException.corrupt(file, "setup field syssize leaves only %d bytes of code".formatted(codeSize));
        }

        long payloadOffset = LittleEndian.getUnsignedInt(head, PAYLOAD_OFFSET);
        long payloadSize = LittleEndian.getUnsignedInt(head, PAYLOAD_LENGTH);
        if (payloadOffset + payloadSize > codeSize) {
            throw BootException.corrupt(
                    file,
                    "setup fields payload_offset 0x%x and payload_length 0x%x reach behind the code's 0x%x bytes"
                            .formatted(payloadOffset, payloadSize, codeSize));
        }

        boolean relocatable = LittleEndian.getByte(head, RELOCATABLE_KERNEL) != 0;
        long alignment = LittleEndian.getUnsignedInt(head, KERNEL_ALIGNMENT);
        if (relocatable && (Long.bitCount(alignment) != 1 || alignment > MAX_ALIGNMENT)) {
            throw BootException.corrupt(
                    file, "setup field kernel_alignment is 0x%x, not a power of two".formatted(alignment));
        }
        long preferredAddress = LittleEndian.getLong(head, PREFERRED_ADDRESS);
        if (preferredAddress < GuestLayout.ONE_MEBIBYTE || preferredAddress >= GuestLayout.FOUR_GIBIBYTES) {
            throw BootException.corrupt(
                    file, "setup field pref_address is 0x%x, not from 1 MiB to 4 GiB".formatted(preferredAddress));
        }
        long commandLineSize = LittleEndian.getUnsignedInt(head, COMMAND_LINE_SIZE);
        return new BzImage(
                Arrays.copyOfRange(head, SETUP_HEADER, headerEnd),
                version,
                extraLoadFlags,
                codeOffset,
                codeSize,
                codeOffset + payloadOffset,
                payloadSize,
                relocatable,
                alignment,
                preferredAddress,
                LittleEndian.getUnsignedInt(head, INIT_SIZE),
                LittleEndian.getUnsignedInt(head, INITRD_ADDRESS_MAX) + 1,
                commandLineSize == 0 ? DEFAULT_COMMAND_LINE_SIZE : commandLineSize,
                kernelVersion(head));
    }

    /** Reads the text that kernel_version points to, up to its first space. */
    private static String kernelVersion(byte[] head) {
        int pointer = LittleEndian.getShort(head, KERNEL_VERSION);
        int start = pointer + SECTOR;
        if (pointer == 0 || start >= head.length) {
            return "";
        }
        int end = start;
        while (end < head.length && end - start < MAX_VERSION_TEXT && head[end] > ' ' && head[end] < 0x7F) {
            end++;
        }
        return new String(head, start, end - start, StandardCharsets.US_ASCII);
    }
}
