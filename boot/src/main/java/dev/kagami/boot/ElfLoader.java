package dev.kagami.boot;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Puts an ELF executable into guest memory at its physical addresses while the file streams by. Only the headers and the
 * notes are kept.
 */
final class ElfLoader implements ByteSink {
    /** Notes are a few hundred bytes; a longer segment is cut. */
    private static final int MAX_NOTES = 64 << 10;

    private static final int NOTE_HEADER = 12;
    private static final int NOTE_PHYS32_ENTRY = 18;
    private static final byte[] XEN = {'X', 'e', 'n', 0};

    private final String file;
    private final GuestLayout layout;
    private final ByteArrayOutputStream head = new ByteArrayOutputStream();
    private final List<Notes> notes = new ArrayList<>();

    private @Nullable ElfHeader header;

    /** Bytes of the file that have been placed. */
    private long position;

    private record Notes(ElfHeader.Segment segment, byte[] bytes) {}

    /**
     * Makes a loader for one file.
     *
     * @param file name for messages
     * @param layout where memory is claimed
     */
    ElfLoader(String file, GuestLayout layout) {
        this.file = file;
        this.layout = layout;
    }

    @Override
    public void accept(byte[] bytes, int offset, int length) {
        int forHead = header == null ? Math.min(length, ElfHeader.MAX_HEADERS - head.size()) : 0;
        head.write(bytes, offset, forHead);
        if (header == null && head.size() == ElfHeader.MAX_HEADERS) {
            start();
        }
        if (header != null) {
            place(header, bytes, offset + forHead, length - forHead);
        }
    }

    /** Reads the headers, claims the memory and places what has come so far. */
    private ElfHeader start() {
        byte[] bytes = head.toByteArray();
        head.reset();
        ElfHeader parsed = ElfHeader.parse(file, bytes);
        for (ElfHeader.Segment segment : parsed.loads()) {
            if (segment.fileSize() > segment.memorySize()) {
                throw BootException.corrupt(
                        file,
                        "%s: p_filesz 0x%x is above p_memsz 0x%x"
                                .formatted(segment.title(), segment.fileSize(), segment.memorySize()));
            }
            layout.claim(file, segment.title(), segment.physicalAddress(), segment.memorySize());
        }
        for (ElfHeader.Segment segment : parsed.notes()) {
            notes.add(new Notes(segment, new byte[(int) Math.min(segment.fileSize(), MAX_NOTES)]));
        }
        header = parsed;
        place(parsed, bytes, 0, bytes.length);
        return parsed;
    }

    private void place(ElfHeader elf, byte[] bytes, int offset, int length) {
        long end = position + length;
        for (ElfHeader.Segment segment : elf.loads()) {
            long from = Math.max(position, segment.offset());
            long to = Math.min(end, segment.fileEnd());
            if (from < to) {
                layout.memory()
                        .write(
                                segment.physicalAddress() + (from - segment.offset()),
                                bytes,
                                offset + (int) (from - position),
                                (int) (to - from));
            }
        }
        for (Notes note : notes) {
            long from = Math.max(position, note.segment.offset());
            long to = Math.min(end, note.segment.offset() + note.bytes.length);
            if (from < to) {
                System.arraycopy(
                        bytes, offset + (int) (from - position), note.bytes, (int) (from - note.segment.offset()), (int)
                                (to - from));
            }
        }
        position = end;
    }

    /**
     * Ends the loading: the whole file has been seen.
     *
     * @return the file's headers
     * @throws BootException when the file ended early
     */
    ElfHeader finish() {
        ElfHeader elf = header == null ? start() : header;
        for (ElfHeader.Segment segment : elf.loads()) {
            if (segment.fileSize() > 0 && segment.fileEnd() > position) {
                throw BootException.corrupt(
                        file,
                        "%s ends at 0x%x, behind the file's end at 0x%x"
                                .formatted(segment.title(), segment.fileEnd(), position));
            }
            long zeros = segment.memorySize() - segment.fileSize();
            if (zeros > 0) {
                layout.memory().clear(segment.physicalAddress() + segment.fileSize(), zeros);
            }
        }
        return elf;
    }

    /** {@return the address in the note XEN_ELFNOTE_PHYS32_ENTRY, if the file has one} Only after {@link #finish}. */
    OptionalLong pvhEntry() {
        for (Notes note : notes) {
            OptionalLong entry = pvhEntry(note);
            if (entry.isPresent()) {
                return entry;
            }
        }
        return OptionalLong.empty();
    }

    private static OptionalLong pvhEntry(Notes note) {
        byte[] bytes = note.bytes;
        // Notes are aligned to 4 bytes, except in segments that say 8.
        int alignment = note.segment.alignment() == Long.BYTES ? Long.BYTES : Integer.BYTES;
        long at = 0;
        while (at + NOTE_HEADER <= bytes.length) {
            long nameSize = LittleEndian.getUnsignedInt(bytes, (int) at);
            long descriptionSize = LittleEndian.getUnsignedInt(bytes, (int) at + 4);
            int type = LittleEndian.getInt(bytes, (int) at + 8);
            long name = at + NOTE_HEADER;
            long description = GuestLayout.alignUp(name + nameSize, alignment);
            long end = description + descriptionSize;
            if (end > bytes.length) {
                break;
            }
            if (type == NOTE_PHYS32_ENTRY
                    && nameSize == XEN.length
                    && Arrays.equals(bytes, (int) name, (int) name + XEN.length, XEN, 0, XEN.length)) {
                if (descriptionSize == Integer.BYTES) {
                    return OptionalLong.of(LittleEndian.getUnsignedInt(bytes, (int) description));
                }
                if (descriptionSize == Long.BYTES) {
                    return OptionalLong.of(LittleEndian.getLong(bytes, (int) description));
                }
            }
            at = GuestLayout.alignUp(end, alignment);
        }
        return OptionalLong.empty();
    }
}
