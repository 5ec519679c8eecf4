package dev.kagami.boot;

import java.util.ArrayList;
import java.util.List;

/**
 * What a boot loader needs from an ELF executable's headers (System V ABI, chapters 4 and 5).
 *
 * @param is64 true for ELF64, false for ELF32
 * @param machine e_machine
 * @param entry e_entry
 * @param loads segments of type PT_LOAD with a size, in the file's order
 * @param notes segments of type PT_NOTE
 */
record ElfHeader(boolean is64, int machine, long entry, List<Segment> loads, List<Segment> notes) {
    /** The headers must end before this offset; every linker puts them right at the start. */
    static final int MAX_HEADERS = 64 << 10;

    static final int MACHINE_386 = 3;
    static final int MACHINE_X86_64 = 62;

    private static final int MAGIC = 0x464C457F;
    private static final int CLASS_32 = 1;
    private static final int CLASS_64 = 2;
    private static final int LITTLE_ENDIAN_DATA = 1;
    private static final int TYPE_EXEC = 2;
    private static final int TYPE_DYN = 3;
    private static final int PT_LOAD = 1;
    private static final int PT_NOTE = 4;
    private static final int SIZE_32 = 52;
    private static final int SIZE_64 = 64;
    private static final int PROGRAM_HEADER_32 = 32;
    private static final int PROGRAM_HEADER_64 = 56;
    /** More than any kernel has; bounds the work a hostile file can ask for. */
    private static final int MAX_PROGRAM_HEADERS = 256;

    /**
     * A segment.
     *
     * @param index number of its program header
     * @param offset p_offset
     * @param virtualAddress p_vaddr
     * @param physicalAddress p_paddr
     * @param fileSize p_filesz
     * @param memorySize p_memsz
     * @param alignment p_align
     */
    record Segment(
            int index,
            long offset,
            long virtualAddress,
            long physicalAddress,
            long fileSize,
            long memorySize,
            long alignment) {
        String title() {
            return "ELF segment " + index;
        }

        long fileEnd() {
            return offset + fileSize;
        }
    }

    static boolean isElf(byte[] head) {
        return head.length >= SIZE_32 && LittleEndian.getInt(head, 0) == MAGIC;
    }

    /**
     * Reads the headers.
     *
     * @param file name for messages
     * @param head the file's first bytes, {@link #MAX_HEADERS} or as many as there are
     * @return the headers, with offsets and sizes that don't overflow
     * @throws BootException when they are not those of an x86 executable
     */
    static ElfHeader parse(String file, byte[] head) {
        if (!isElf(head)) {
            throw BootException.corrupt(file, "is not an ELF file");
        }
        int fileClass = LittleEndian.getByte(head, 4);
        if (fileClass != CLASS_32 && fileClass != CLASS_64) {
            throw BootException.corrupt(file, "ELF field EI_CLASS is %d, not 1 or 2".formatted(fileClass));
        }
        boolean is64 = fileClass == CLASS_64;
        if (head.length < (is64 ? SIZE_64 : SIZE_32)) {
            throw BootException.corrupt(file, "ends inside of the ELF header");
        }
        if (LittleEndian.getByte(head, 5) != LITTLE_ENDIAN_DATA) {
            throw BootException.unsupported(
                    file, "ELF field EI_DATA is not little-endian", "use a kernel built for x86");
        }
        int type = LittleEndian.getShort(head, 16);
        if (type != TYPE_EXEC && type != TYPE_DYN) {
            throw BootException.unsupported(
                    file, "ELF field e_type is %d, not an executable (2 or 3)".formatted(type), "use a linked kernel");
        }
        int machine = LittleEndian.getShort(head, 18);
        if (machine != MACHINE_386 && machine != MACHINE_X86_64) {
            throw BootException.unsupported(
                    file,
                    "ELF field e_machine is %d, not x86 (3) or x86-64 (62)".formatted(machine),
                    "use a kernel built for x86");
        }
        long entry = is64 ? LittleEndian.getLong(head, 24) : LittleEndian.getUnsignedInt(head, 24);
        long tableOffset = is64 ? LittleEndian.getLong(head, 32) : LittleEndian.getUnsignedInt(head, 28);
        int entrySize = LittleEndian.getShort(head, is64 ? 54 : 42);
        int count = LittleEndian.getShort(head, is64 ? 56 : 44);
        if (entrySize < (is64 ? PROGRAM_HEADER_64 : PROGRAM_HEADER_32)) {
            throw BootException.corrupt(file, "ELF field e_phentsize is %d, too small".formatted(entrySize));
        }
        if (count == 0 || count > MAX_PROGRAM_HEADERS) {
            throw BootException.corrupt(
                    file, "ELF field e_phnum is %d, not 1 to %d".formatted(count, MAX_PROGRAM_HEADERS));
        }
        if (tableOffset < 0 || tableOffset > head.length || (long) entrySize * count > head.length - tableOffset) {
            throw BootException.corrupt(
                    file,
                    "ELF field e_phoff is 0x%x: %d program headers are not within the file's first %d bytes"
                            .formatted(tableOffset, count, head.length));
        }
        List<Segment> loads = new ArrayList<>();
        List<Segment> notes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int at = (int) tableOffset + i * entrySize;
            int segmentType = LittleEndian.getInt(head, at);
            if (segmentType != PT_LOAD && segmentType != PT_NOTE) {
                continue;
            }
            Segment segment = is64 ? segment64(head, at, i) : segment32(head, at, i);
            check(file, segment);
            if (segmentType == PT_NOTE) {
                notes.add(segment);
            } else if (segment.memorySize > 0) {
                loads.add(segment);
            }
        }
        if (loads.isEmpty()) {
            throw BootException.corrupt(file, "has no ELF segment to load");
        }
        return new ElfHeader(is64, machine, entry, loads, notes);
    }

    private static Segment segment64(byte[] head, int at, int index) {
        return new Segment(
                index,
                LittleEndian.getLong(head, at + 8),
                LittleEndian.getLong(head, at + 16),
                LittleEndian.getLong(head, at + 24),
                LittleEndian.getLong(head, at + 32),
                LittleEndian.getLong(head, at + 40),
                LittleEndian.getLong(head, at + 48));
    }

    private static Segment segment32(byte[] head, int at, int index) {
        return new Segment(
                index,
                LittleEndian.getUnsignedInt(head, at + 4),
                LittleEndian.getUnsignedInt(head, at + 8),
                LittleEndian.getUnsignedInt(head, at + 12),
                LittleEndian.getUnsignedInt(head, at + 16),
                LittleEndian.getUnsignedInt(head, at + 20),
                LittleEndian.getUnsignedInt(head, at + 28));
    }

    private static void check(String file, Segment segment) {
        if (segment.offset < 0 || segment.fileSize < 0 || segment.fileEnd() < 0) {
            throw BootException.corrupt(
                    file,
                    "%s: p_offset 0x%x and p_filesz 0x%x are not within a file"
                            .formatted(segment.title(), segment.offset, segment.fileSize));
        }
    }

    /**
     * Finds where an address of the entry point is in physical memory. The ELF specification means a virtual address;
     * Linux gives the physical one.
     *
     * @param file name for messages
     * @return the guest-physical address of e_entry, inside of a segment
     * @throws BootException when no segment holds it
     */
    long physicalEntry(String file) {
        for (Segment segment : loads) {
            if (within(entry, segment.physicalAddress, segment.memorySize)) {
                return entry;
            }
        }
        for (Segment segment : loads) {
            if (within(entry, segment.virtualAddress, segment.memorySize)) {
                return entry - segment.virtualAddress + segment.physicalAddress;
            }
        }
        throw BootException.corrupt(file, "ELF field e_entry is 0x%x, in no segment".formatted(entry));
    }

    /** {@return whether a physical address is inside of a loaded segment} */
    boolean isLoaded(long physicalAddress) {
        return loads.stream().anyMatch(s -> within(physicalAddress, s.physicalAddress, s.memorySize));
    }

    private static boolean within(long address, long start, long size) {
        return address - start >= 0 && address - start < size;
    }
}
