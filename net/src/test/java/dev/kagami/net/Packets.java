package dev.kagami.net;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Builds and checks packets for tests, byte by byte from the RFCs, with nothing of the code under test. */
public final class Packets {
    private Packets() {}

    /** {@return the octets written in hexadecimal, blanks ignored} */
    public static byte[] hex(String text) {
        String digits = text.replaceAll("\\s", "");
        byte[] octets = new byte[digits.length() / 2];
        for (int i = 0; i < octets.length; i++) {
            octets[i] = (byte) Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
        }
        return octets;
    }

    /** {@return all octets one after the other} */
    public static byte[] join(byte[]... parts) {
        var out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    /** {@return the number in two octets} */
    public static byte[] u16(int value) {
        return new byte[] {(byte) (value >> 8), (byte) value};
    }

    /** {@return the number in four octets} */
    public static byte[] u32(long value) {
        return new byte[] {(byte) (value >> 24), (byte) (value >> 16), (byte) (value >> 8), (byte) value};
    }

    /** {@return the one's complement sum of 16-bit words, added one by one} */
    public static int sum(byte[] octets) {
        int sum = 0;
        for (int i = 0; i < octets.length; i++) {
            sum += (octets[i] & 0xFF) << ((i & 1) == 0 ? 8 : 0);
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        return sum;
    }

    /** {@return an Ethernet frame} */
    public static byte[] ethernet(long destination, long source, int type, byte[] payload) {
        return join(
                u16((int) (destination >> 32)),
                u32(destination),
                u16((int) (source >> 32)),
                u32(source),
                u16(type),
                payload);
    }

    /** {@return an IPv4 packet; addresses as numbers} */
    public static byte[] ipv4(int source, int destination, int protocol, byte[] payload) {
        return ipv4(source, destination, protocol, 0x1234, 0, 64, payload);
    }

    /** {@return an IPv4 packet; addresses as numbers} */
    public static byte[] ipv4(
            int source, int destination, int protocol, int identification, int fragment, int ttl, byte[] payload) {
        byte[] header = join(
                hex("4500"),
                u16(20 + payload.length),
                u16(identification),
                u16(fragment),
                new byte[] {(byte) ttl, (byte) protocol, 0, 0},
                u32(source),
                u32(destination));
        int checksum = ~sum(header) & 0xFFFF;
        header[10] = (byte) (checksum >> 8);
        header[11] = (byte) checksum;
        return join(header, payload);
    }

    /** {@return an IPv6 packet} */
    public static byte[] ipv6(byte[] source, byte[] destination, int next, byte[] payload) {
        return join(
                hex("60000000"),
                u16(payload.length),
                new byte[] {(byte) next, (byte) 255},
                source,
                destination,
                payload);
    }

    /** {@return the transport payload with its checksum set at that offset} */
    public static byte[] checksummed(byte[] addresses, int protocol, byte[] payload, int offset) {
        byte[] result = payload.clone();
        result[offset] = 0;
        result[offset + 1] = 0;
        int checksum = ~sum(join(addresses, u32(result.length), u32(protocol), result)) & 0xFFFF;
        if (checksum == 0 && protocol == 17) {
            checksum = 0xFFFF;
        }
        result[offset] = (byte) (checksum >> 8);
        result[offset + 1] = (byte) checksum;
        return result;
    }

    /** {@return a UDP datagram in an IPv4 packet} */
    public static byte[] udp4(int source, int sourcePort, int destination, int destinationPort, byte[] data) {
        byte[] datagram = join(u16(sourcePort), u16(destinationPort), u16(8 + data.length), u16(0), data);
        return ipv4(source, destination, 17, checksummed(join(u32(source), u32(destination)), 17, datagram, 6));
    }

    /** {@return a TCP segment without options} */
    public static byte[] tcp(
            int sourcePort, int destinationPort, long sequence, long ack, int flags, int window, byte[] data) {
        return tcp(sourcePort, destinationPort, sequence, ack, flags, window, new byte[0], data);
    }

    /** {@return a TCP segment, its checksum zero} */
    public static byte[] tcp(
            int sourcePort,
            int destinationPort,
            long sequence,
            long ack,
            int flags,
            int window,
            byte[] options,
            byte[] data) {
        return join(
                u16(sourcePort),
                u16(destinationPort),
                u32(sequence),
                u32(ack),
                new byte[] {(byte) (5 + options.length / 4 << 4), (byte) flags},
                u16(window),
                u16(0),
                u16(0),
                options,
                data);
    }

    /** {@return what is wrong with the checksums and lengths of a frame that holds an IP packet; null if nothing} */
    public static String faultOf(byte[] frame) {
        int type = (frame[12] & 0xFF) << 8 | frame[13] & 0xFF;
        ByteBuffer packet = ByteBuffer.wrap(Arrays.copyOfRange(frame, 14, frame.length));
        byte[] addresses;
        byte[] payload;
        int protocol;
        if (type == 0x0800) {
            int header = (packet.get(0) & 15) * 4;
            if (packet.get(0) >> 4 != 4 || sum(Arrays.copyOf(packet.array(), header)) != 0xFFFF) {
                return "IPv4 header checksum";
            }
            int length = packet.getShort(2) & 0xFFFF;
            if (length != packet.capacity()) {
                return "IPv4 length " + length + " in " + packet.capacity();
            }
            if ((packet.getShort(6) & 0x3FFF) != 0) {
                return null;
            }
            protocol = packet.get(9);
            addresses = Arrays.copyOfRange(packet.array(), 12, 20);
            payload = Arrays.copyOfRange(packet.array(), header, length);
        } else if (type == 0x86DD) {
            int length = packet.getShort(4) & 0xFFFF;
            if (length + 40 != packet.capacity()) {
                return "IPv6 length " + length + " in " + packet.capacity();
            }
            protocol = packet.get(6);
            addresses = Arrays.copyOfRange(packet.array(), 8, 40);
            payload = Arrays.copyOfRange(packet.array(), 40, 40 + length);
        } else {
            return null;
        }
        switch (protocol) {
            case 1:
                return sum(payload) == 0xFFFF ? null : "ICMP checksum";
            case 6, 17, 58:
                if (protocol == 17 && ((payload[4] & 0xFF) << 8 | payload[5] & 0xFF) != payload.length) {
                    return "UDP length";
                }
                return sum(join(addresses, u32(payload.length), u32(protocol), payload)) == 0xFFFF
                        ? null
                        : "transport checksum";
            default:
                return null;
        }
    }

    /** {@return a frame of a port with that content} */
    public static Frame frame(EthernetPort port, byte[] content) {
        Frame frame = port.allocate(content.length);
        frame.buffer().put(0, content);
        return frame;
    }

    /** {@return the content of a frame, which is released} */
    public static byte[] take(Frame frame) {
        byte[] content = new byte[frame.length()];
        frame.buffer().get(0, content);
        frame.release();
        return content;
    }
}
