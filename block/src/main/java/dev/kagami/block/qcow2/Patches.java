package dev.kagami.block.qcow2;

import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Copies of pieces of tables, to be written at the right moment. */
final class Patches {
    private record Patch(long position, byte[] bytes, Runnable undo) {}

    private final List<Patch> patches = new ArrayList<>();

    /**
     * Adds a piece.
     *
     * @param position where it goes
     * @param bytes what goes there
     * @param undo makes it dirty again, with the image's lock held, if it couldn't be written
     */
    void add(long position, byte[] bytes, Runnable undo) {
        patches.add(new Patch(position, bytes, undo));
    }

    boolean isEmpty() {
        return patches.isEmpty();
    }

    void write(Storage storage) {
        for (Patch patch : patches) {
            storage.write(ByteBuffer.wrap(patch.bytes), patch.position);
        }
    }

    /** {@return the position behind the last byte} */
    long end() {
        return patches.stream()
                .mapToLong(patch -> patch.position + patch.bytes.length)
                .max()
                .orElse(0);
    }

    void undo() {
        patches.forEach(patch -> patch.undo.run());
    }
}
