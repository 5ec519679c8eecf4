package dev.kagami.net;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** {@code struct virtio_net_hdr} (virtio 1.2, 5.1.6): a frame's offload fields as a guest writes and reads them. */
public final class VirtioNetHeader {
    /** Octets in the header of a modern device, with {@code num_buffers}. */
    public static final int LENGTH = 12;

    private static final int FLAGS = 0;
    private static final int GSO_TYPE = 1;
    private static final int HEADER_LENGTH = 2;
    private static final int GSO_SIZE = 4;
    private static final int CHECKSUM_START = 6;
    private static final int CHECKSUM_OFFSET = 8;
    private static final int BUFFERS = 10;

    private static final int NEEDS_CHECKSUM = 1;
    private static final int DATA_VALID = 2;
    private static final int ECN = 0x80;

    private static final ValueLayout.OfShort LE16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private VirtioNetHeader() {}

    /**
     * Sets a frame's offload fields from a header. Each field is read once, so a guest that changes it meanwhile gains nothing;
     * whether they fit the frame is checked when it is sent.
     *
     * @return false if the header asks for something that doesn't exist; the frame is then to be dropped
     */
    public static boolean read(MemorySegment memory, long offset, Frame frame) {
        frame.clearOffload();
        int flags = memory.get(ValueLayout.JAVA_BYTE, offset + FLAGS);
        int type = memory.get(ValueLayout.JAVA_BYTE, offset + GSO_TYPE) & 0xFF;
        if ((flags & NEEDS_CHECKSUM) != 0) {
            frame.setPartialChecksum(
                    memory.get(LE16, offset + CHECKSUM_START) & 0xFFFF,
                    memory.get(LE16, offset + CHECKSUM_OFFSET) & 0xFFFF);
        }
        if ((flags & DATA_VALID) != 0) {
            frame.setChecksumValid();
        }
        frame.setEcn((type & ECN) != 0);
        Gso gso = switch (type & ~ECN) {
            case 0 -> Gso.NONE;
            case 1 -> Gso.TCPV4;
            case 4 -> Gso.TCPV6;
            case 5 -> Gso.UDP;
            default -> null;
        };
        if (gso == null) {
            return false;
        }
        frame.setGso(gso, gso == Gso.NONE ? 0 : memory.get(LE16, offset + GSO_SIZE) & 0xFFFF);
        return true;
    }

    /**
     * Writes a header of {@link #LENGTH} octets.
     *
     * @param buffers the number of descriptor chains that the frame is spread over (1 without VIRTIO_NET_F_MRG_RXBUF)
     */
    public static void write(Frame frame, MemorySegment memory, long offset, int buffers) {
        int flags = (frame.isChecksumPartial() ? NEEDS_CHECKSUM : 0)
                | (frame.isChecksumValid() && !frame.isChecksumPartial() ? DATA_VALID : 0);
        memory.set(ValueLayout.JAVA_BYTE, offset + FLAGS, (byte) flags);
        boolean gso = frame.gso() != Gso.NONE;
        memory.set(ValueLayout.JAVA_BYTE, offset + GSO_TYPE, (byte)
                (frame.gso().code() | (gso && frame.isEcn() ? ECN : 0)));
        memory.set(LE16, offset + HEADER_LENGTH, (short) (gso ? Math.max(0, Segmenter.headerLength(frame)) : 0));
        memory.set(LE16, offset + GSO_SIZE, (short) frame.gsoSize());
        memory.set(LE16, offset + CHECKSUM_START, (short) (frame.isChecksumPartial() ? frame.checksumStart() : 0));
        memory.set(LE16, offset + CHECKSUM_OFFSET, (short) (frame.isChecksumPartial() ? frame.checksumOffset() : 0));
        memory.set(LE16, offset + BUFFERS, (short) buffers);
    }
}
