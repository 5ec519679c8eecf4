package dev.kagami.net;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An Ethernet frame, from the destination address to the last octet of the payload (no preamble, no frame check sequence),
 * with the offload fields of a virtio-net header (virtio 1.2, 5.1.6).
 *
 * <p>Exactly one holder owns a frame: who allocated or received it, until it is sent or released. It isn't thread-safe;
 * queues between threads hand it over. The memory behind it is pooled.
 */
public final class Frame {
    /** Octets of the longest frame: the largest IP packet, an Ethernet header and a VLAN tag. */
    public static final int MAXIMUM_LENGTH = 65_535 + 14 + 4;
    /** Octets of the shortest frame that a link carries: an Ethernet header. Nobody pads here. */
    public static final int MINIMUM_LENGTH = 14;

    private final FramePool pool;
    private final ByteBuffer buffer;
    private final MemorySegment segment;
    private final AtomicBoolean pooled = new AtomicBoolean();

    private int length;
    private boolean checksumPartial;
    private boolean checksumValid;
    private int checksumStart;
    private int checksumOffset;
    private Gso gso = Gso.NONE;
    private int gsoSize;
    private boolean ecn;

    Frame(FramePool pool, int capacity) {
        this.pool = pool;
        buffer = allocate(capacity);
        segment = MemorySegment.ofBuffer(buffer);
    }

    private static ByteBuffer allocate(int capacity) {
        try {
            return ByteBuffer.allocateDirect(capacity);
        } catch (OutOfMemoryError e) {
            // Direct memory has a limit of its own. The heap is slower to send from, and as good.
            return ByteBuffer.allocate(capacity);
        }
    }

    void reset(int newLength) {
        pooled.set(false);
        buffer.clear();
        setLength(newLength);
        clearOffload();
    }

    /** {@return the frame's memory as a buffer, big-endian; use absolute accesses up to {@link #length()}} */
    public ByteBuffer buffer() {
        return buffer;
    }

    /** {@return the frame's memory as a segment, at least {@link #length()} octets} */
    public MemorySegment segment() {
        return segment;
    }

    /** {@return the number of octets in the frame} */
    public int length() {
        return length;
    }

    /**
     * Sets the number of octets in the frame.
     *
     * @throws IllegalArgumentException if there isn't so much memory behind it
     */
    public void setLength(int length) {
        if (length < 0 || length > buffer.capacity()) {
            throw new IllegalArgumentException("frame of " + length + " octets in " + buffer.capacity());
        }
        this.length = length;
    }

    int capacity() {
        return buffer.capacity();
    }

    /** Says that the frame is one plain packet with complete checksums that nobody verified. */
    public void clearOffload() {
        checksumPartial = false;
        checksumValid = false;
        checksumStart = 0;
        checksumOffset = 0;
        gso = Gso.NONE;
        gsoSize = 0;
        ecn = false;
    }

    /**
     * Says that the checksum field holds only the sum of the pseudo header, to be completed where that matters.
     *
     * @param start octet of the frame from which to sum
     * @param offset where, from there, the checksum field is
     */
    public void setPartialChecksum(int start, int offset) {
        checksumPartial = true;
        checksumStart = start;
        checksumOffset = offset;
    }

    /** Says that the checksums were verified by who sends the frame. */
    public void setChecksumValid() {
        checksumValid = true;
    }

    /**
     * Says what to cut the frame into.
     *
     * @param kind what the frame is
     * @param size octets of payload in each part
     */
    public void setGso(Gso kind, int size) {
        gso = kind;
        gsoSize = size;
    }

    /** Says that the TCP segment has congestion bits set (VIRTIO_NET_HDR_GSO_ECN). */
    public void setEcn(boolean value) {
        ecn = value;
    }

    /** {@return whether the checksum is partial} */
    public boolean isChecksumPartial() {
        return checksumPartial;
    }

    /** {@return whether who sent the frame vouches for its checksums} */
    public boolean isChecksumValid() {
        return checksumValid;
    }

    /** {@return the octet from which to sum, if the checksum is partial} */
    public int checksumStart() {
        return checksumStart;
    }

    /** {@return where the checksum field is from {@link #checksumStart()}} */
    public int checksumOffset() {
        return checksumOffset;
    }

    /** {@return what to cut the frame into} */
    public Gso gso() {
        return gso;
    }

    /** {@return octets of payload in each part of a frame that is to be cut} */
    public int gsoSize() {
        return gsoSize;
    }

    /** {@return whether the segment has congestion bits set} */
    public boolean isEcn() {
        return ecn;
    }

    /** {@return another frame with the same content and offload fields} */
    public Frame copy() {
        Frame copy = pool.allocate(length);
        copy.buffer.put(0, buffer, 0, length);
        copy.copyOffload(this);
        return copy;
    }

    void copyOffload(Frame other) {
        checksumPartial = other.checksumPartial;
        checksumValid = other.checksumValid;
        checksumStart = other.checksumStart;
        checksumOffset = other.checksumOffset;
        gso = other.gso;
        gsoSize = other.gsoSize;
        ecn = other.ecn;
    }

    /** Gives the memory back. The frame must not be used afterwards. A second call does nothing. */
    public void release() {
        if (pooled.compareAndSet(false, true)) {
            pool.release(this);
        }
    }

    long destination() {
        return buffer.getLong(0) >>> 16;
    }

    long source() {
        return buffer.getLong(6) >>> 16;
    }
}
