package dev.kagami.net.nat;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import java.nio.ByteBuffer;

/** Makes frames for guests. For one thread. */
final class IpOutput {
    private static final int HOP_LIMIT = 64;
    private static final int FRAGMENT_HEADER6 = 8;
    private static final int FRAGMENT6 = 44;

    private final EthernetPort port;
    private final Network network;
    private int identification;
    private long dropped;

    IpOutput(EthernetPort port, Network network) {
        this.port = port;
        this.network = network;
    }

    boolean canSend() {
        return port.canSend();
    }

    boolean isWaiting() {
        return port.unreceived() > 0;
    }

    long dropped() {
        return dropped;
    }

    /** {@return where the transport header goes in a packet to that address} */
    static int transport(IpAddress destination) {
        return Wire.ETHERNET_HEADER + (destination.isVersion4() ? Wire.IPV4_HEADER : Wire.IPV6_HEADER);
    }

    /** {@return a frame for a packet to that address; its transport header and payload are to be filled in} */
    Frame begin(IpAddress destination, int length) {
        return port.allocate(transport(destination) + length);
    }

    /** Sends a frame of an Ethernet protocol other than IP, whose payload is filled in. */
    void sendEthernet(Frame frame, long destinationMac, int type) {
        writeEthernet(frame.buffer(), destinationMac, type);
        send(frame);
    }

    private void writeEthernet(ByteBuffer buffer, long destination, int type) {
        buffer.putLong(0, destination << 16 | network.mac() >>> 32);
        buffer.putInt(8, (int) network.mac());
        buffer.putShort(Wire.ETHERTYPE, (short) type);
    }

    private void send(Frame frame) {
        if (!port.send(frame)) {
            dropped++;
            frame.release();
        }
    }

    /** Sends a frame with a TCP segment. */
    void sendTcp(Frame frame, long mac, IpAddress source, IpAddress destination, int gsoSize) {
        int transport = transport(destination);
        writeHeaders(frame, mac, source, destination, Wire.TCP, HOP_LIMIT);
        putPseudoSum(frame, transport, Wire.TCP_CHECKSUM, source, destination, Wire.TCP);
        if (gsoSize > 0) {
            frame.setGso(destination.isVersion4() ? Gso.TCPV4 : Gso.TCPV6, gsoSize);
        }
        send(frame);
    }

    /** Sends a frame with a UDP datagram, in fragments if it is too large. */
    void sendUdp(Frame frame, long mac, IpAddress source, IpAddress destination) {
        int transport = transport(destination);
        frame.buffer().putShort(transport + Wire.UDP_LENGTH, (short) (frame.length() - transport));
        writeHeaders(frame, mac, source, destination, Wire.UDP, HOP_LIMIT);
        putPseudoSum(frame, transport, Wire.UDP_CHECKSUM, source, destination, Wire.UDP);
        if (frame.length() - Wire.ETHERNET_HEADER <= network.config().mtu()) {
            send(frame);
            return;
        }
        int checksum = Checksum.of(frame.buffer(), transport, frame.length() - transport);
        frame.buffer().putShort(transport + Wire.UDP_CHECKSUM, (short) (checksum == 0 ? 0xFFFF : checksum));
        frame.clearOffload();
        fragment(frame, mac, source, destination, Wire.UDP);
    }

    /** Sends a frame with an ICMP or ICMPv6 message, in fragments if it is too large. */
    void sendIcmp(Frame frame, long mac, IpAddress source, IpAddress destination, int hopLimit) {
        int transport = transport(destination);
        boolean version4 = destination.isVersion4();
        int protocol = version4 ? Wire.ICMP : Wire.ICMPV6;
        int length = frame.length() - transport;
        ByteBuffer buffer = frame.buffer();
        writeHeaders(frame, mac, source, destination, protocol, hopLimit);
        buffer.putShort(transport + 2, (short) 0);
        long pseudo = version4 ? 0 : pseudoSum(source, destination, protocol, length);
        buffer.putShort(transport + 2, (short) Checksum.finish(Checksum.add(pseudo, buffer, transport, length)));
        if (frame.length() - Wire.ETHERNET_HEADER <= network.config().mtu()) {
            send(frame);
        } else {
            fragment(frame, mac, source, destination, protocol);
        }
    }

    private void writeHeaders(
            Frame frame, long mac, IpAddress source, IpAddress destination, int protocol, int hopLimit) {
        ByteBuffer buffer = frame.buffer();
        int ip = Wire.ETHERNET_HEADER;
        int length = frame.length() - ip;
        if (destination.isVersion4()) {
            writeEthernet(buffer, mac, Wire.ETHERTYPE_IPV4);
            buffer.putInt(ip, 0x4500_0000 | length);
            buffer.putInt(ip + Wire.IPV4_IDENTIFICATION, (identification++ & 0xFFFF) << 16);
            if (protocol == Wire.TCP) {
                buffer.putShort(ip + Wire.IPV4_FRAGMENT, (short) Wire.IPV4_DONT_FRAGMENT);
            }
            buffer.putInt(ip + Wire.IPV4_TTL, hopLimit << 24 | protocol << 16);
            source.write(buffer, ip + Wire.IPV4_SOURCE);
            destination.write(buffer, ip + Wire.IPV4_DESTINATION);
            buffer.putShort(ip + Wire.IPV4_CHECKSUM, (short) Checksum.of(buffer, ip, Wire.IPV4_HEADER));
        } else {
            writeEthernet(buffer, mac, Wire.ETHERTYPE_IPV6);
            buffer.putInt(ip, 0x6000_0000);
            buffer.putInt(ip + Wire.IPV6_LENGTH, length - Wire.IPV6_HEADER << 16 | protocol << 8 | hopLimit);
            source.write(buffer, ip + Wire.IPV6_SOURCE);
            destination.write(buffer, ip + Wire.IPV6_DESTINATION);
        }
    }

    /** {@return the unfolded sum of a pseudo header (RFC 9293 3.1, RFC 8200 8.1)} */
    static long pseudoSum(IpAddress source, IpAddress destination, int protocol, int length) {
        long addresses = source.isVersion4()
                ? (source.low() & 0xFFFF_FFFFL) + (destination.low() & 0xFFFF_FFFFL)
                : Checksum.words(source.high())
                        + Checksum.words(source.low())
                        + Checksum.words(destination.high())
                        + Checksum.words(destination.low());
        return addresses + protocol + length;
    }

    private static void putPseudoSum(
            Frame frame, int transport, int offset, IpAddress source, IpAddress destination, int protocol) {
        long sum = pseudoSum(source, destination, protocol, frame.length() - transport);
        frame.buffer().putShort(transport + offset, (short) Checksum.fold(sum));
        frame.setPartialChecksum(transport, offset);
    }

    private void fragment(Frame whole, long mac, IpAddress source, IpAddress destination, int protocol) {
        boolean version4 = destination.isVersion4();
        int header = transport(destination);
        int extra = version4 ? 0 : FRAGMENT_HEADER6;
        int most = (network.config().mtu() - (header - Wire.ETHERNET_HEADER) - extra) & ~7;
        int total = whole.length() - header;
        int id = identification++;
        for (int at = 0; at < total; at += most) {
            int size = Math.min(most, total - at);
            boolean more = at + size < total;
            Frame part = port.allocate(header + extra + size);
            ByteBuffer buffer = part.buffer();
            if (version4) {
                writeHeaders(part, mac, source, destination, protocol, HOP_LIMIT);
                int ip = Wire.ETHERNET_HEADER;
                buffer.putShort(ip + Wire.IPV4_IDENTIFICATION, (short) id);
                buffer.putShort(ip + Wire.IPV4_FRAGMENT, (short) ((more ? Wire.IPV4_MORE_FRAGMENTS : 0) | at >> 3));
                buffer.putShort(ip + Wire.IPV4_CHECKSUM, (short) 0);
                buffer.putShort(ip + Wire.IPV4_CHECKSUM, (short) Checksum.of(buffer, ip, Wire.IPV4_HEADER));
            } else {
                writeHeaders(part, mac, source, destination, FRAGMENT6, HOP_LIMIT);
                buffer.putInt(header, protocol << 24 | at | (more ? 1 : 0));
                buffer.putInt(header + 4, id);
            }
            buffer.put(header + extra, whole.buffer(), header + at, size);
            send(part);
        }
        whole.release();
    }
}
