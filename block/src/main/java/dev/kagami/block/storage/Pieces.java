package dev.kagami.block.storage;

import java.lang.foreign.MemorySegment;

/** Moves segments of any size to and from storage, which takes buffers of at most 2 GiB. */
public final class Pieces {
    private static final long MAX_BUFFER = 1L << 30;

    private Pieces() {}

    /** Fills a segment from a position. */
    public static void read(Storage storage, long position, MemorySegment target) {
        long size = target.byteSize();
        if (size <= MAX_BUFFER) {
            storage.read(target.asByteBuffer(), position);
            return;
        }
        for (long done = 0; done < size; done += MAX_BUFFER) {
            storage.read(target.asSlice(done, Math.min(MAX_BUFFER, size - done)).asByteBuffer(), position + done);
        }
    }

    /** Writes a segment to a position. */
    public static void write(Storage storage, long position, MemorySegment source) {
        long size = source.byteSize();
        if (size <= MAX_BUFFER) {
            storage.write(source.asByteBuffer(), position);
            return;
        }
        for (long done = 0; done < size; done += MAX_BUFFER) {
            storage.write(
                    source.asSlice(done, Math.min(MAX_BUFFER, size - done)).asByteBuffer(), position + done);
        }
    }
}
