package dev.kagami.vm;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/** Makes up snapshot files whose checksums are right, as somebody with bad intentions would. */
final class SnapshotEditor {
    private static final int HEADER = 4096;
    private static final int HEADER_CHECKSUM = 12;
    private static final int SECTIONS_LENGTH = 16;
    private static final int SECTIONS_CHECKSUM = 20;

    /** The schema's checksum, and the record's bytes. */
    record Section(int schema, byte[] bytes) {}

    private SnapshotEditor() {}

    /**
     * Changes the sections of a file, which must not become larger.
     *
     * @param file the file
     * @param change gets the sections by name
     */
    static void edit(Path file, Consumer<Map<String, Section>> change) throws IOException {
        byte[] all = Files.readAllBytes(file);
        ByteBuffer bytes = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
        int length = bytes.getInt(SECTIONS_LENGTH);
        ByteBuffer input = ByteBuffer.wrap(all, HEADER, length).order(ByteOrder.LITTLE_ENDIAN);
        Map<String, Section> sections = new LinkedHashMap<>();
        while (input.hasRemaining()) {
            String name = new String(take(input), StandardCharsets.UTF_8);
            sections.put(name, new Section(input.getInt(), take(input)));
        }
        change.accept(sections);
        byte[] changed = encode(sections);
        if (changed.length > length) {
            throw new IllegalArgumentException("the sections have become larger");
        }
        System.arraycopy(changed, 0, all, HEADER, changed.length);
        bytes.putInt(SECTIONS_LENGTH, changed.length).putInt(SECTIONS_CHECKSUM, checksum(changed));
        seal(all);
        Files.write(file, all);
    }

    /** Sets the checksum of the header. */
    static void seal(byte[] all) {
        ByteBuffer bytes = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(HEADER_CHECKSUM, 0);
        bytes.putInt(HEADER_CHECKSUM, checksum(Arrays.copyOf(all, HEADER)));
    }

    private static byte[] take(ByteBuffer input) {
        byte[] bytes = new byte[input.getInt()];
        input.get(bytes);
        return bytes;
    }

    private static byte[] encode(Map<String, Section> sections) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        sections.forEach((name, section) -> {
            byte[] letters = name.getBytes(StandardCharsets.UTF_8);
            all.writeBytes(ByteBuffer.allocate(12 + letters.length + section.bytes().length)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(letters.length)
                    .put(letters)
                    .putInt(section.schema())
                    .putInt(section.bytes().length)
                    .put(section.bytes())
                    .array());
        });
        return all.toByteArray();
    }

    private static int checksum(byte[] bytes) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes);
        return (int) checksum.getValue();
    }
}
