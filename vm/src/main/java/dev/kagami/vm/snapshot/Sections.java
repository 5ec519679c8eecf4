package dev.kagami.vm.snapshot;

import java.io.ByteArrayOutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Records by name. Not thread-safe. */
public final class Sections {
    private static final int MAX_SECTIONS = 10_000;

    private record Section(int schema, byte[] bytes) {}

    private final Map<String, Section> sections = new LinkedHashMap<>();

    /** Makes an empty set. */
    public Sections() {}

    /**
     * Adds a record.
     *
     * @param name its name
     * @param value the record
     * @throws IllegalArgumentException when there is one of that name
     */
    public void put(String name, Record value) {
        RecordCodec<? extends Record> codec = RecordCodec.of(value.getClass());
        if (sections.putIfAbsent(name, new Section(schema(codec), codec.write(value))) != null) {
            throw new IllegalArgumentException("two sections called " + name);
        }
    }

    private static int schema(RecordCodec<?> codec) {
        return Header.checksum(codec.schema().getBytes(StandardCharsets.UTF_8));
    }

    /** {@return the names, in the order in which they were added} */
    public Set<String> names() {
        return sections.keySet();
    }

    /**
     * Gets a record.
     *
     * @param name its name
     * @param type its class
     * @param <R> the record
     * @return the record
     * @throws SnapshotException when it isn't there, or is of another version, or makes no sense
     */
    public <R extends Record> R get(String name, Class<R> type) throws SnapshotException {
        Section section = sections.get(name);
        if (section == null) {
            throw new SnapshotException(SnapshotException.Kind.OTHER_VERSION, "it says nothing about " + name);
        }
        RecordCodec<R> codec = RecordCodec.of(type);
        if (section.schema != schema(codec)) {
            throw new SnapshotException(
                    SnapshotException.Kind.OTHER_VERSION,
                    "it was written by a version that knows %s otherwise".formatted(name));
        }
        try {
            return codec.read(section.bytes);
        } catch (IllegalArgumentException e) {
            throw SnapshotException.damaged("%s is damaged: %s".formatted(name, e.getMessage()));
        }
    }

    byte[] encode() {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        sections.forEach((name, section) -> {
            byte[] letters = name.getBytes(StandardCharsets.UTF_8);
            ByteBuffer head = ByteBuffer.allocate(12 + letters.length).order(ByteOrder.LITTLE_ENDIAN);
            head.putInt(letters.length).put(letters).putInt(section.schema).putInt(section.bytes.length);
            all.writeBytes(head.array());
            all.writeBytes(section.bytes);
        });
        return all.toByteArray();
    }

    static Sections decode(byte[] bytes) throws SnapshotException {
        ByteBuffer input = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        Sections all = new Sections();
        try {
            while (input.hasRemaining() && all.sections.size() < MAX_SECTIONS) {
                String name = new String(take(input, input.getInt()), StandardCharsets.UTF_8);
                int schema = input.getInt();
                all.sections.put(name, new Section(schema, take(input, input.getInt())));
            }
        } catch (BufferUnderflowException e) {
            throw SnapshotException.damaged("its sections are cut off");
        }
        return all;
    }

    private static byte[] take(ByteBuffer input, int length) {
        if (length < 0 || length > input.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] bytes = new byte[length];
        input.get(bytes);
        return bytes;
    }
}
