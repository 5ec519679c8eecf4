package dev.kagami.net.tcp;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ScatteringByteChannel;

/**
 * The sending half of a connection: what is to be sent, what of it was sent and acknowledged, and how much may be in flight. The SYN takes
 * the number before the first octet of data, the FIN the one after the last.
 */
final class SendQueue {
    private static final int MAXIMUM_SACKED = 64;
    /** RFC 5681 asks for 10 segments at most; this network is a queue in memory that loses nothing while it isn't full. */
    private static final int INITIAL_CONGESTION_WINDOW = 64 * 1024;

    private static final int DUPLICATES_FOR_LOSS = 3;

    private final ChunkedBuffer buffer;
    private final int capacity;
    private final SequenceRanges sacked = new SequenceRanges(MAXIMUM_SACKED);
    private final ByteBuffer[] views = new ByteBuffer[8];
    private final long initial;

    /** The oldest number that isn't acknowledged (SND.UNA). */
    private long unacknowledged;
    /** The number that is sent next (SND.NXT). */
    private long next;
    /** The highest number that was ever sent, plus one. */
    private long highest;
    /** The end of the data that the application gave. */
    private long dataEnd;

    private boolean finishing;

    /** What the other side may be sent beyond {@link #unacknowledged}. */
    private long window;

    private long windowSequence;
    private long windowAcknowledgment;

    private int segmentSize;
    private long congestionWindow = INITIAL_CONGESTION_WINDOW;
    private long slowStartThreshold = Long.MAX_VALUE;
    private int duplicates;
    private boolean recovering;
    /** Up to where data had been sent when a loss was noticed. */
    private long recoveryEnd;
    /** Up to where losses were sent again. */
    private long repaired;

    /** Makes an empty queue whose SYN has that number. */
    SendQueue(ChunkPool pool, int capacity, long initial, int segmentSize) {
        this.capacity = capacity;
        this.initial = initial;
        this.segmentSize = segmentSize;
        buffer = new ChunkedBuffer(pool, capacity, initial + 1);
        unacknowledged = initial;
        next = initial;
        highest = initial;
        dataEnd = initial + 1;
    }

    void setSegmentSize(int size) {
        segmentSize = size;
    }

    long initial() {
        return initial;
    }

    long unacknowledged() {
        return unacknowledged;
    }

    long next() {
        return next;
    }

    long highest() {
        return highest;
    }

    long dataEnd() {
        return dataEnd;
    }

    boolean isFinishing() {
        return finishing;
    }

    /** {@return whether all, with the FIN, has been acknowledged} */
    boolean isFinishAcknowledged() {
        return finishing && unacknowledged == dataEnd + 1;
    }

    boolean isRecovering() {
        return recovering;
    }

    long window() {
        return window;
    }

    /** {@return whether something was sent and not acknowledged} */
    boolean isInFlight() {
        return highest > unacknowledged;
    }

    /** {@return whether something is to be sent for the first time, or again after a time-out} */
    boolean isPending() {
        return next < dataEnd || finishing && next == dataEnd;
    }

    int room() {
        return (int) Math.max(0, capacity - (dataEnd - Math.max(unacknowledged, initial + 1)));
    }

    /** Reads from a channel as much as there is and fits; -1 at its end, 0 also if there is no memory now. */
    long fill(ScatteringByteChannel channel) throws IOException {
        int count = buffer.views(dataEnd, dataEnd + room(), true, views);
        if (count == 0) {
            return 0;
        }
        try {
            long read = channel.read(views, 0, count);
            dataEnd += Math.max(0, read);
            return read;
        } finally {
            if (dataEnd == Math.max(unacknowledged, initial + 1)) {
                buffer.release(dataEnd, true);
            }
        }
    }

    /** Takes from a buffer as much as fits. */
    int put(ByteBuffer source) {
        int size = Math.min(room(), source.remaining());
        int written = buffer.write(dataEnd, source, source.position(), size);
        source.position(source.position() + written);
        dataEnd += written;
        return written;
    }

    void finish() {
        finishing = true;
    }

    /** Puts data that is in the queue into a segment. */
    void copy(long from, int length, ByteBuffer target, int offset) {
        buffer.read(from, target, offset, length);
    }

    /** Notes the window in a segment with those numbers (RFC 9293 3.10.7.4). */
    void updateWindow(long sequence, long acknowledgment, long newWindow) {
        if (sequence > windowSequence || sequence == windowSequence && acknowledgment >= windowAcknowledgment) {
            window = newWindow;
            windowSequence = sequence;
            windowAcknowledgment = acknowledgment;
        }
    }

    void initializeWindow(long sequence, long acknowledgment, long newWindow) {
        window = newWindow;
        windowSequence = sequence;
        windowAcknowledgment = acknowledgment;
    }

    /** {@return how many octets of new data may be sent now in one go of at most that many; 0 if none} */
    int sendable(int most) {
        long available = dataEnd - next;
        long inFlight = next - unacknowledged;
        long byWindow = window - inFlight;
        long byCongestion = congestionWindow - (recovering ? pipe() : inFlight);
        // What was sent before a time-out may be sent again whatever the congestion window grew to.
        long allowed = Math.min(Math.min(available, most), Math.min(byWindow, byCongestion));
        if (allowed <= 0) {
            return 0;
        }
        // No small segments just because the window is small (RFC 9293 3.8.6.2.1).
        if (allowed < available && allowed < segmentSize && inFlight > 0) {
            return 0;
        }
        if (allowed > segmentSize && allowed < available) {
            allowed -= allowed % segmentSize;
        }
        return (int) allowed;
    }

    /** Notes that something was sent: up to that number. */
    void sent(long end) {
        next = end;
        highest = Math.max(highest, end);
    }

    void addSacked(long from, long to) {
        if (from < to && from >= unacknowledged && to <= highest) {
            sacked.add(from, to);
        }
    }

    /** Octets believed to be in the network (RFC 6675 4, SetPipe). */
    private long pipe() {
        long top = sacked.count() == 0 ? unacknowledged : sacked.end(sacked.count() - 1);
        long pipe = highest - Math.max(top, unacknowledged);
        long position = unacknowledged;
        for (int i = 0; i < sacked.count() && position < repaired; i++) {
            pipe += Math.max(0, Math.min(sacked.start(i), repaired) - position);
            position = sacked.end(i);
        }
        return pipe;
    }

    /** Takes an acknowledgment of something new. */
    void acknowledge(long number) {
        long acked = number - unacknowledged;
        unacknowledged = number;
        next = Math.max(next, number);
        duplicates = 0;
        sacked.removeBelow(number);
        buffer.release(Math.min(number, dataEnd), number >= dataEnd);
        if (recovering) {
            if (number >= recoveryEnd) {
                recovering = false;
                congestionWindow = slowStartThreshold;
            } else if (sacked.count() == 0) {
                // A partial acknowledgment without selective ones: the next segment is lost too (RFC 6582 3.2).
                repaired = number;
                congestionWindow = Math.max(segmentSize, congestionWindow - acked + segmentSize);
            } else {
                repaired = Math.max(repaired, number);
            }
            return;
        }
        if (congestionWindow < slowStartThreshold) {
            congestionWindow += acked;
        } else {
            congestionWindow += Math.max(1, (long) segmentSize * acked / congestionWindow);
        }
        congestionWindow = Math.min(congestionWindow, 4L * capacity);
    }

    /** Takes an acknowledgment of nothing new while something is in flight (RFC 5681 2, duplicate). */
    void duplicate() {
        duplicates++;
        if (recovering) {
            if (sacked.count() == 0) {
                congestionWindow += segmentSize;
            }
            return;
        }
        boolean lost = duplicates >= DUPLICATES_FOR_LOSS || sacked.size() > (long) DUPLICATES_FOR_LOSS * segmentSize;
        if (lost && unacknowledged >= recoveryEnd) {
            recovering = true;
            recoveryEnd = highest;
            repaired = unacknowledged;
            slowStartThreshold = Math.max((highest - unacknowledged) / 2, 2L * segmentSize);
            congestionWindow = slowStartThreshold + (sacked.count() == 0 ? 3L * segmentSize : 0);
        }
    }

    /** {@return where the next lost data begin that are to be sent again now; -1 if there are none} */
    long lost() {
        if (!recovering) {
            return -1;
        }
        if (sacked.count() == 0) {
            return repaired == unacknowledged ? unacknowledged : -1;
        }
        long from = Math.max(repaired, unacknowledged);
        int in = sacked.find(from);
        if (in >= 0) {
            from = sacked.end(in);
        }
        if (from >= sacked.end(sacked.count() - 1)) {
            return -1;
        }
        // The first one always; others only as the network empties.
        return from == unacknowledged || pipe() + segmentSize <= congestionWindow ? from : -1;
    }

    /** {@return how many octets of data to send again from there} */
    int lostLength(long from) {
        long end = Math.min(Math.min(from + segmentSize, dataEnd), highest);
        for (int i = 0; i < sacked.count(); i++) {
            if (sacked.start(i) >= from) {
                end = Math.min(end, sacked.start(i));
                break;
            }
        }
        return (int) Math.max(0, end - from);
    }

    void repaired(long end) {
        repaired = Math.max(repaired, end);
    }

    /** Goes back to the beginning after a time-out (RFC 5681 3.1, RFC 2018 8). */
    void timeOut() {
        slowStartThreshold = Math.max((highest - unacknowledged) / 2, 2L * segmentSize);
        congestionWindow = segmentSize;
        recovering = false;
        recoveryEnd = highest;
        duplicates = 0;
        sacked.clear();
        next = unacknowledged;
    }

    /** Goes back to the beginning for a window probe, or after one. */
    void rewind() {
        next = unacknowledged;
    }

    void free() {
        buffer.release(dataEnd, true);
    }
}
