package dev.kagami.net.tcp;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The memory in which the payload of all connections of one network waits. Each buffer may always have one chunk; beyond, it may
 * have a quarter of what is still free (dynamic thresholds: Choudhury and Hahne, 1998), so a few connections that don't move never take what
 * the others need. For one thread.
 */
public final class ChunkPool {
    /** Octets in a chunk. */
    public static final int CHUNK = 16 * 1024;

    private static final int SHARE = 4;
    private static final int KEPT = 1024;

    private final ArrayDeque<ByteBuffer> unused = new ArrayDeque<>();
    private int free;
    private int taken;

    /**
     * Makes a pool.
     *
     * @param budget octets that all buffers together may take beyond one chunk each
     */
    public ChunkPool(long budget) {
        free = (int) Math.min(Integer.MAX_VALUE / 2, budget / CHUNK);
    }

    /** {@return a chunk for a buffer that has so many already; null if it must not have another now} */
    @Nullable
    ByteBuffer take(int owned) {
        if (owned > 0) {
            if (owned > free / SHARE) {
                return null;
            }
        }
        ByteBuffer chunk = unused.pollLast();
        if (chunk == null) {
            try {
                chunk = ByteBuffer.allocateDirect(CHUNK);
            } catch (OutOfMemoryError e) {
                // As if the budget were smaller.
                return null;
            }
        }
        free -= owned > 0 ? 1 : 0;
        taken++;
        return chunk;
    }

    /** Takes back a chunk of a buffer that has so many, this one included. */
    void give(ByteBuffer chunk, int owned) {
        if (owned > 1) {
            free++;
        }
        taken--;
        if (unused.size() < KEPT) {
            unused.addLast(chunk);
        }
    }

    /** {@return about how many octets a buffer that has so many chunks could get now} */
    long available(int owned) {
        int guaranteed = owned == 0 ? 1 : 0;
        int more = Math.max(0, (free + SHARE * (1 - Math.max(1, owned))) / (SHARE + 1));
        return (long) (guaranteed + more) * CHUNK;
    }

    /** {@return octets in all chunks that buffers have now} */
    public long used() {
        return (long) taken * CHUNK;
    }
}
