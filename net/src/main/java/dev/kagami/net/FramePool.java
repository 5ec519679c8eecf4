package dev.kagami.net;

import java.util.ArrayDeque;

/**
 * Memory of frames that nobody uses now. Frames are counted where they wait (each queue has a limit), so the pool only keeps a
 * few for reuse and never refuses. Thread-safe.
 */
final class FramePool {
    /** The pool of all links: frames travel from one to another. */
    static final FramePool SHARED = new FramePool();

    /** Octets behind a small frame: what fits an MTU of 1500, with room for tags. */
    static final int SMALL = 2048;
    /** Octets behind a large frame. */
    static final int LARGE = Frame.MAXIMUM_LENGTH + 7 & ~7;

    private static final int SMALL_KEPT = 4096;
    private static final int LARGE_KEPT = 256;

    private final ArrayDeque<Frame> small = new ArrayDeque<>();
    private final ArrayDeque<Frame> large = new ArrayDeque<>();

    Frame allocate(int length) {
        if (length < 0 || length > Frame.MAXIMUM_LENGTH) {
            throw new IllegalArgumentException("frame of " + length + " octets");
        }
        boolean fitsSmall = length <= SMALL;
        ArrayDeque<Frame> free = fitsSmall ? small : large;
        Frame frame;
        synchronized (free) {
            frame = free.pollLast();
        }
        if (frame == null) {
            frame = new Frame(this, fitsSmall ? SMALL : LARGE);
        }
        frame.reset(length);
        return frame;
    }

    void release(Frame frame) {
        boolean isSmall = frame.capacity() == SMALL;
        ArrayDeque<Frame> free = isSmall ? small : large;
        synchronized (free) {
            if (free.size() < (isSmall ? SMALL_KEPT : LARGE_KEPT)) {
                free.addLast(frame);
            }
        }
    }
}
