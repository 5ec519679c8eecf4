package dev.kagami.net.tcp;

import java.nio.ByteBuffer;

/** The receiving half of a connection: puts data in order, and says how much more may come. */
final class ReceiveQueue {
    private static final int MAXIMUM_GAPS = 32;
    private static final int MAXIMUM_WINDOW_FIELD = 0xFFFF;

    private final ChunkPool pool;
    private final ChunkedBuffer buffer;
    private final int capacity;
    private final SequenceRanges early = new SequenceRanges(MAXIMUM_GAPS);
    private final ByteBuffer[] views = new ByteBuffer[8];
    private final ByteBuffer[] direct = new ByteBuffer[1];

    /** The next sequence number that is expected (RCV.NXT). */
    private long next;
    /** Up to where the application has taken data. */
    private long delivered;
    /** Up to where the other side was told that it may send. */
    private long rightEdge;
    /** The sequence number of the FIN, if it is known. */
    private long finish = Long.MAX_VALUE;
    /** Where data came last out of order. */
    private long latest;

    private int scale;
    private boolean dead;

    /** Makes a queue that expects a sequence number. */
    ReceiveQueue(ChunkPool pool, int capacity, long next) {
        this.pool = pool;
        this.capacity = capacity;
        this.next = next;
        buffer = new ChunkedBuffer(pool, capacity, next);
        delivered = next;
        rightEdge = next;
    }

    void setScale(int shift) {
        scale = shift;
    }

    long next() {
        return next;
    }

    /** {@return up to where data may come} */
    long rightEdge() {
        return rightEdge;
    }

    boolean isFinished() {
        return next > finish;
    }

    /** {@return whether everything before the FIN has been taken by the application} */
    boolean isDrained() {
        return isFinished() && delivered == finish;
    }

    boolean hasGaps() {
        return early.count() > 0;
    }

    private long dataEnd() {
        return isFinished() ? finish : next;
    }

    /** {@return the window to put into a segment with a SYN, which is never scaled (RFC 7323 2.2)} */
    int advertiseUnscaled() {
        long window = Math.min(MAXIMUM_WINDOW_FIELD, wantedEdge() - next);
        rightEdge = Math.max(rightEdge, next + window);
        return (int) window;
    }

    /** {@return the window to put into a segment, which is a promise} */
    int advertise(int segmentSize) {
        long edge = wantedEdge();
        // No small steps (RFC 9293 3.8.6.2.2), and never back (3.8.6).
        if (edge - rightEdge < Math.min(segmentSize, largestWindow() / 4)) {
            edge = rightEdge;
        }
        long window = Math.max(0, edge - next);
        long field = Math.min(MAXIMUM_WINDOW_FIELD, window + (1L << scale) - 1 >> scale);
        rightEdge = Math.max(rightEdge, next + (field << scale));
        return (int) field;
    }

    private long largestWindow() {
        return Math.min(capacity, (long) MAXIMUM_WINDOW_FIELD << scale);
    }

    private long wantedEdge() {
        long waiting = dataEnd() - delivered;
        long edge = delivered + Math.min(capacity, waiting + pool.available(buffer.owned()));
        return Math.min(edge, next + largestWindow());
    }

    /** {@return whether the application has taken so much that the other side should be told} */
    boolean needsUpdate(int segmentSize) {
        long open = rightEdge - next;
        long gain = wantedEdge() - rightEdge;
        return gain >= Math.max(segmentSize, largestWindow() / 4) || open < segmentSize && gain >= segmentSize;
    }

    /**
     * Takes data that lie within the window.
     *
     * @return whether they were what was expected, and no gap is left
     */
    boolean accept(long sequence, ByteBuffer source, int offset, int length, TcpApplication application) {
        long from = Math.max(sequence, next);
        long to = Math.min(Math.min(sequence + length, rightEdge), finish);
        if (from >= to || dead) {
            return false;
        }
        int at = offset + (int) (from - sequence);
        int size = (int) (to - from);
        if (from > next) {
            int written = buffer.write(from, source, at, size);
            if (written > 0 && early.add(from, from + written)) {
                latest = from;
            }
            return false;
        }
        int taken = 0;
        if (delivered == next) {
            source.limit(at + size).position(at);
            direct[0] = source;
            taken = (int) application.receive(direct, 1);
            source.clear();
            if (dead) {
                return true;
            }
            delivered += taken;
            next += taken;
            buffer.release(delivered, false);
        }
        if (taken < size) {
            next += buffer.write(next, source, at + taken, size - taken);
        }
        if (early.count() > 0 && early.start(0) <= next) {
            next = Math.max(next, early.end(0));
            early.removeBelow(next);
            deliver(application);
        }
        return early.count() == 0;
    }

    /** Takes a FIN with that sequence number; true if all before it is there. */
    boolean finish(long sequence) {
        if (finish == Long.MAX_VALUE && sequence >= next) {
            finish = sequence;
            early.removeBelow(next);
        }
        if (next == finish) {
            next = finish + 1;
            rightEdge = Math.max(rightEdge, next);
            return true;
        }
        return false;
    }

    /** {@return whether a FIN is known that is next} */
    boolean isFinishDue() {
        return next == finish;
    }

    /** Offers to the application what waits for it. */
    void deliver(TcpApplication application) {
        while (delivered < dataEnd()) {
            int count = buffer.views(delivered, dataEnd(), false, views);
            long offered = 0;
            for (int i = 0; i < count; i++) {
                offered += views[i].remaining();
            }
            long taken = application.receive(views, count);
            if (dead) {
                return;
            }
            delivered += taken;
            buffer.release(delivered, delivered == dataEnd() && early.count() == 0);
            if (taken < offered) {
                return;
            }
        }
    }

    /** {@return how many blocks for a SACK option were put into the arrays, the latest first (RFC 2018 4)} */
    int blocks(long[] starts, long[] ends, int limit) {
        int count = 0;
        int first = early.find(latest);
        if (first >= 0 && limit > 0) {
            starts[count] = early.start(first);
            ends[count++] = early.end(first);
        }
        for (int i = 0; i < early.count() && count < limit; i++) {
            if (i != first) {
                starts[count] = early.start(i);
                ends[count++] = early.end(i);
            }
        }
        return count;
    }

    /** Gives all memory back. */
    void free() {
        dead = true;
        early.clear();
        buffer.release(delivered, true);
    }
}
