package dev.kagami.net.tcp;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A window that slides over a stream of octets, in chunks that exist only where something was written. Positions are sequence
 * numbers.
 */
final class ChunkedBuffer {
    private static final int SHIFT = Integer.numberOfTrailingZeros(ChunkPool.CHUNK);
    private static final int MASK = ChunkPool.CHUNK - 1;

    private final ChunkPool pool;
    private final @Nullable ByteBuffer[] slots;
    private int owned;
    /** The lowest chunk that may exist. */
    private long lowest;

    /** Makes an empty window of that many octets that begins at a position. */
    ChunkedBuffer(ChunkPool pool, int capacity, long start) {
        this.pool = pool;
        slots = new ByteBuffer[(capacity >> SHIFT) + 2];
        lowest = start >> SHIFT;
    }

    int owned() {
        return owned;
    }

    private @Nullable ByteBuffer chunk(long position) {
        return slots[(int) ((position >> SHIFT) % slots.length)];
    }

    private @Nullable ByteBuffer chunkForWriting(long position) {
        int slot = (int) ((position >> SHIFT) % slots.length);
        ByteBuffer chunk = slots[slot];
        if (chunk == null) {
            chunk = pool.take(owned);
            if (chunk != null) {
                owned++;
                slots[slot] = chunk;
            }
        }
        return chunk;
    }

    /** {@return how many octets of those from an offset in a buffer were written at a position; fewer if memory is short} */
    int write(long position, ByteBuffer source, int offset, int length) {
        int written = 0;
        while (written < length) {
            ByteBuffer chunk = chunkForWriting(position + written);
            if (chunk == null) {
                break;
            }
            int at = (int) (position + written) & MASK;
            int part = Math.min(length - written, ChunkPool.CHUNK - at);
            chunk.clear();
            chunk.put(at, source, offset + written, part);
            written += part;
        }
        return written;
    }

    /** Reads octets that were written. */
    void read(long position, ByteBuffer target, int offset, int length) {
        int read = 0;
        while (read < length) {
            ByteBuffer chunk = chunk(position + read);
            if (chunk == null) {
                throw new IllegalStateException("nothing was written at " + (position + read));
            }
            int at = (int) (position + read) & MASK;
            int part = Math.min(length - read, ChunkPool.CHUNK - at);
            chunk.clear();
            target.put(offset + read, chunk, at, part);
            read += part;
        }
    }

    /**
     * Sets positions and limits of chunks so that they show a range, in order.
     *
     * @param writing whether chunks that don't exist are made, as far as memory allows
     * @return how many of the views are set
     */
    int views(long from, long to, boolean writing, ByteBuffer[] views) {
        int count = 0;
        long position = from;
        while (position < to && count < views.length) {
            ByteBuffer chunk = writing ? chunkForWriting(position) : chunk(position);
            if (chunk == null) {
                break;
            }
            int at = (int) position & MASK;
            int part = (int) Math.min(to - position, ChunkPool.CHUNK - at);
            chunk.clear().limit(at + part).position(at);
            views[count++] = chunk;
            position += part;
        }
        return count;
    }

    /** Forgets what is before a position; everything, if nothing is needed from there on either. */
    void release(long position, boolean all) {
        long end = position >> SHIFT;
        if (owned == 0) {
            lowest = end;
            return;
        }
        for (; lowest < end; lowest++) {
            releaseSlot((int) (lowest % slots.length));
        }
        if (all && owned > 0) {
            for (int slot = 0; slot < slots.length; slot++) {
                releaseSlot(slot);
            }
        }
    }

    private void releaseSlot(int slot) {
        ByteBuffer chunk = slots[slot];
        if (chunk != null) {
            slots[slot] = null;
            chunk.clear();
            pool.give(chunk, owned--);
        }
    }
}
