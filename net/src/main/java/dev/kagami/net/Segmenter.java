package dev.kagami.net;

import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Does in software what an end of a link can't: completes checksums and cuts large segments. */
final class Segmenter {
    /** The smallest part that a frame may be cut into: smaller ones would turn one frame into thousands. */
    static final int MINIMUM_GSO_SIZE = 64;

    private static final int VLAN = 0x8100;
    private static final int SERVICE_VLAN = 0x88A8;
    private static final int VLAN_TAG = 4;

    private Segmenter() {}

    /** {@return whether the offload fields fit the frame's content} */
    static boolean isWellFormed(Frame frame) {
        int length = frame.length();
        if (length < Frame.MINIMUM_LENGTH || length > Frame.MAXIMUM_LENGTH) {
            return false;
        }
        if (frame.isChecksumPartial()) {
            int start = frame.checksumStart();
            if (start < Frame.MINIMUM_LENGTH || start + frame.checksumOffset() + 2 > length) {
                return false;
            }
        }
        return frame.gso() == Gso.NONE
                || frame.isChecksumPartial() && frame.gsoSize() >= MINIMUM_GSO_SIZE && headerLength(frame) > 0;
    }

    private static int networkHeader(Frame frame) {
        int offset = Wire.ETHERTYPE;
        for (int tags = 0; tags < 2 && offset + VLAN_TAG + 2 <= frame.length(); tags++) {
            int type = frame.buffer().getShort(offset) & 0xFFFF;
            if (type != VLAN && type != SERVICE_VLAN) {
                break;
            }
            offset += VLAN_TAG;
        }
        return offset + 2;
    }

    /** {@return octets of all headers of a frame that is to be cut; -1 if it isn't what its {@link Gso} says} */
    static int headerLength(Frame frame) {
        ByteBuffer buffer = frame.buffer();
        int length = frame.length();
        int network = networkHeader(frame);
        int transport = frame.checksumStart();
        if (!frame.isChecksumPartial() || network + Wire.IPV4_HEADER > length) {
            return -1;
        }
        int version = (buffer.get(network) & 0xF0) >> 4;
        boolean tcp = frame.gso() != Gso.UDP;
        int protocol = tcp ? Wire.TCP : Wire.UDP;
        if (version == 4) {
            if (frame.gso() == Gso.TCPV6
                    || transport != network + 4 * (buffer.get(network) & 0xF)
                    || transport < network + Wire.IPV4_HEADER
                    || buffer.get(network + Wire.IPV4_PROTOCOL) != protocol
                    || (buffer.getShort(network + Wire.IPV4_FRAGMENT) & ~Wire.IPV4_DONT_FRAGMENT) != 0) {
                return -1;
            }
        } else if (version == 6) {
            if (frame.gso() == Gso.TCPV4
                    || transport < network + Wire.IPV6_HEADER
                    || transport == network + Wire.IPV6_HEADER && buffer.get(network + Wire.IPV6_NEXT) != protocol) {
                return -1;
            }
        } else {
            return -1;
        }
        if (!tcp) {
            return frame.checksumOffset() == Wire.UDP_CHECKSUM && transport + Wire.UDP_HEADER <= length
                    ? transport + Wire.UDP_HEADER
                    : -1;
        }
        if (frame.checksumOffset() != Wire.TCP_CHECKSUM || transport + Wire.TCP_HEADER > length) {
            return -1;
        }
        int header = transport + ((buffer.get(transport + Wire.TCP_DATA_OFFSET) & 0xF0) >> 2);
        return header >= transport + Wire.TCP_HEADER && header <= length ? header : -1;
    }

    /** Completes a partial checksum. */
    static void completeChecksum(Frame frame) {
        if (!frame.isChecksumPartial()) {
            return;
        }
        int start = frame.checksumStart();
        completeChecksum(frame.buffer(), start, frame.checksumOffset(), frame.length());
        frame.clearOffload();
    }

    /** Completes a partial checksum in a frame that is in a buffer. */
    static void completeChecksum(ByteBuffer buffer, int start, int offset, int length) {
        int checksum = Checksum.of(buffer, start, length - start);
        // UDP's 0 would mean that there is none, and for TCP all ones is the same number (RFC 768).
        buffer.putShort(start + offset, (short) (checksum == 0 ? 0xFFFF : checksum));
    }

    /**
     * Cuts a well-formed frame into packets (as RFC 9293 and RFC 768 make them), and releases it.
     *
     * @param partial whether to leave the checksums of the parts partial
     */
    static List<Frame> cut(Frame frame, boolean partial) {
        ByteBuffer source = frame.buffer();
        int header = headerLength(frame);
        int network = networkHeader(frame);
        int transport = frame.checksumStart();
        boolean tcp = frame.gso() != Gso.UDP;
        boolean version4 = (source.get(network) & 0xF0) == 0x40;
        int size = frame.gsoSize();
        int payload = frame.length() - header;
        int parts = Math.max(1, (payload + size - 1) / size);
        var result = new ArrayList<Frame>(parts);
        int identification = version4 ? source.getShort(network + Wire.IPV4_IDENTIFICATION) : 0;
        int sequence = tcp ? source.getInt(transport + Wire.TCP_SEQUENCE) : 0;
        int flags = tcp ? source.get(transport + Wire.TCP_FLAGS) : 0;
        for (int part = 0; part < parts; part++) {
            int from = part * size;
            int data = Math.min(size, payload - from);
            Frame cut = FramePool.SHARED.allocate(header + data);
            ByteBuffer buffer = cut.buffer();
            buffer.put(0, source, 0, header);
            buffer.put(header, source, header + from, data);
            if (version4) {
                buffer.putShort(network + Wire.IPV4_LENGTH, (short) (header + data - network));
                buffer.putShort(network + Wire.IPV4_IDENTIFICATION, (short) (identification + part));
                buffer.putShort(network + Wire.IPV4_CHECKSUM, (short) 0);
                buffer.putShort(
                        network + Wire.IPV4_CHECKSUM, (short) Checksum.of(buffer, network, transport - network));
            } else {
                buffer.putShort(network + Wire.IPV6_LENGTH, (short) (header + data - network - Wire.IPV6_HEADER));
            }
            if (tcp) {
                boolean last = part == parts - 1;
                int cutFlags = flags & ~(last ? 0 : Wire.FIN | Wire.PSH) & ~(part == 0 ? 0 : Wire.CWR);
                buffer.putInt(transport + Wire.TCP_SEQUENCE, sequence + from);
                buffer.put(transport + Wire.TCP_FLAGS, (byte) cutFlags);
            } else {
                buffer.putShort(transport + Wire.UDP_LENGTH, (short) (Wire.UDP_HEADER + data));
            }
            long pseudo = pseudoHeader(buffer, network, version4, tcp ? Wire.TCP : Wire.UDP, cut.length() - transport);
            buffer.putShort(transport + frame.checksumOffset(), (short) Checksum.fold(pseudo));
            cut.setPartialChecksum(transport, frame.checksumOffset());
            if (!partial) {
                completeChecksum(cut);
            }
            result.add(cut);
        }
        frame.release();
        return result;
    }

    private static long pseudoHeader(ByteBuffer buffer, int network, boolean version4, int protocol, int length) {
        long addresses = version4
                ? Checksum.add(0, buffer, network + Wire.IPV4_SOURCE, 8)
                : Checksum.add(0, buffer, network + Wire.IPV6_SOURCE, 32);
        return addresses + protocol + length;
    }
}
