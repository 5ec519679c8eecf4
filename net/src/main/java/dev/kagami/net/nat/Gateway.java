package dev.kagami.net.nat;

import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import java.nio.ByteBuffer;

/** Takes frames apart and gives them to the handler of their protocol; answers ARP (RFC 826). For one thread. */
final class Gateway {
    private static final int ARP_LENGTH = 28;
    private static final int ARP_ETHERNET_IPV4 = 0x0001_0800;
    private static final int ARP_LENGTHS = 0x0604;
    private static final int ARP_REQUEST = 1;
    private static final int ARP_REPLY = 2;

    private static final int IPV4_RESERVED_FLAG = 0x8000;
    private static final int IPV4_OFFSET = 0x1FFF;
    private static final int LOOSE_SOURCE_ROUTE = 131;
    private static final int STRICT_SOURCE_ROUTE = 137;

    private static final int HOP_BY_HOP = 0;
    private static final int ROUTING = 43;
    private static final int FRAGMENT = 44;
    private static final int DESTINATION_OPTIONS = 60;
    private static final int MAXIMUM_EXTENSIONS = 8;

    private final Network network;
    private final IpOutput output;
    private final Neighbors neighbors;
    private final Icmp icmp;
    private final TcpProxy tcp;
    private final UdpProxy udp;
    private final Reassembler reassembler = new Reassembler();
    private final Packet packet = new Packet();

    Gateway(Network network, IpOutput output, Neighbors neighbors, Icmp icmp, TcpProxy tcp, UdpProxy udp) {
        this.network = network;
        this.output = output;
        this.neighbors = neighbors;
        this.icmp = icmp;
        this.tcp = tcp;
        this.udp = udp;
    }

    /** Takes a frame, and releases it. */
    void receive(Frame frame) {
        ByteBuffer buffer = frame.buffer();
        long destination = buffer.getLong(0) >>> 16;
        long source = buffer.getLong(6) >>> 16;
        boolean group = (destination >>> 40 & 1) != 0;
        if ((destination == network.mac() || group) && (source >>> 40 & 1) == 0 && source != network.mac()) {
            packet.sourceMac = source;
            switch (buffer.getShort(Wire.ETHERTYPE) & 0xFFFF) {
                case Wire.ETHERTYPE_ARP -> receiveArp(frame);
                case Wire.ETHERTYPE_IPV4 -> receive4(frame);
                case Wire.ETHERTYPE_IPV6 -> {
                    if (network.hasVersion6()) {
                        receive6(frame);
                    }
                }
                default -> {
                    // No protocol of ours.
                }
            }
        }
        frame.release();
    }

    // ---- ARP ----

    private void receiveArp(Frame frame) {
        ByteBuffer buffer = frame.buffer();
        int at = Wire.ETHERNET_HEADER;
        if (frame.length() < at + ARP_LENGTH
                || buffer.getInt(at) != ARP_ETHERNET_IPV4
                || buffer.getShort(at + 4) != ARP_LENGTHS) {
            return;
        }
        long senderMac = buffer.getLong(at + 8) >>> 16;
        IpAddress sender = IpAddress.read4(buffer, at + 14);
        IpAddress target = IpAddress.read4(buffer, at + 24);
        if (network.isGuest(sender) && (senderMac >>> 40 & 1) == 0) {
            neighbors.learn(sender, senderMac);
        }
        if (buffer.getShort(at + 6) == ARP_REQUEST && network.isOurs(target)) {
            sendArp(ARP_REPLY, target, senderMac, sender, packet.sourceMac);
        }
    }

    private void sendArp(int operation, IpAddress sender, long targetMac, IpAddress target, long destination) {
        Frame frame = output.begin(target, 0);
        frame.setLength(Wire.ETHERNET_HEADER + ARP_LENGTH);
        ByteBuffer buffer = frame.buffer();
        int at = Wire.ETHERNET_HEADER;
        buffer.putInt(at, ARP_ETHERNET_IPV4);
        buffer.putInt(at + 4, ARP_LENGTHS << 16 | operation);
        buffer.putLong(at + 8, network.mac() << 16);
        sender.write(buffer, at + 14);
        buffer.putLong(at + 18, targetMac << 16);
        target.write(buffer, at + 24);
        output.sendEthernet(frame, destination, Wire.ETHERTYPE_ARP);
    }

    /** Asks for the Ethernet address of a guest. */
    void ask(IpAddress guest) {
        if (guest.isVersion4()) {
            sendArp(ARP_REQUEST, network.gateway4(), 0, guest, 0xFFFF_FFFF_FFFFL);
        } else if (network.hasVersion6()) {
            icmp.solicit(guest);
        }
    }

    // ---- IPv4 ----

    private void receive4(Frame frame) {
        ByteBuffer buffer = frame.buffer();
        int ip = Wire.ETHERNET_HEADER;
        int available = frame.length() - ip;
        if (available < Wire.IPV4_HEADER || (buffer.get(ip) & 0xF0) != 0x40) {
            return;
        }
        int header = (buffer.get(ip) & 0xF) * 4;
        int length = buffer.getShort(ip + Wire.IPV4_LENGTH) & 0xFFFF;
        if (header < Wire.IPV4_HEADER
                || length < header
                || length > available
                || Checksum.of(buffer, ip, header) != 0
                || header > Wire.IPV4_HEADER && isSourceRouted(buffer, ip + Wire.IPV4_HEADER, ip + header)) {
            return;
        }
        packet.source = IpAddress.read4(buffer, ip + Wire.IPV4_SOURCE);
        packet.destination = IpAddress.read4(buffer, ip + Wire.IPV4_DESTINATION);
        packet.hopLimit = buffer.get(ip + Wire.IPV4_TTL) & 0xFF;
        packet.protocol = buffer.get(ip + Wire.IPV4_PROTOCOL) & 0xFF;
        // Before a guest has an address it may talk to the DHCP server only, which is UDP.
        boolean addressless = packet.source.number4() == 0 && packet.protocol == Wire.UDP;
        if (!network.isGuest(packet.source) && !addressless) {
            return;
        }
        if (!addressless) {
            neighbors.suggest(packet.source, packet.sourceMac);
        }
        packet.buffer = buffer;
        packet.offset = ip + header;
        packet.length = length - header;
        int fragment = buffer.getShort(ip + Wire.IPV4_FRAGMENT) & 0xFFFF & ~Wire.IPV4_DONT_FRAGMENT;
        if ((fragment & IPV4_RESERVED_FLAG) != 0) {
            return;
        }
        if (fragment != 0) {
            ByteBuffer whole = reassembler.add(
                    packet.source,
                    packet.destination,
                    buffer.getShort(ip + Wire.IPV4_IDENTIFICATION),
                    packet.protocol,
                    (fragment & IPV4_OFFSET) * 8,
                    (fragment & Wire.IPV4_MORE_FRAGMENTS) != 0,
                    buffer,
                    packet.offset,
                    packet.length,
                    System.nanoTime());
            if (whole == null) {
                return;
            }
            takeReassembled(whole);
        } else {
            takeOffload(frame);
        }
        dispatch();
    }

    private static boolean isSourceRouted(ByteBuffer buffer, int start, int end) {
        int at = start;
        while (at < end) {
            int option = buffer.get(at) & 0xFF;
            if (option == 0) {
                return false;
            }
            if (option == LOOSE_SOURCE_ROUTE || option == STRICT_SOURCE_ROUTE) {
                return true;
            }
            if (option == 1) {
                at++;
                continue;
            }
            if (at + 1 >= end || (buffer.get(at + 1) & 0xFF) < 2) {
                return true;
            }
            at += buffer.get(at + 1) & 0xFF;
        }
        return false;
    }

    // ---- IPv6 ----

    private void receive6(Frame frame) {
        ByteBuffer buffer = frame.buffer();
        int ip = Wire.ETHERNET_HEADER;
        int available = frame.length() - ip;
        if (available < Wire.IPV6_HEADER || (buffer.get(ip) & 0xF0) != 0x60) {
            return;
        }
        int end = ip + Wire.IPV6_HEADER + (buffer.getShort(ip + Wire.IPV6_LENGTH) & 0xFFFF);
        if (end > frame.length()) {
            return;
        }
        packet.source = IpAddress.read6(buffer, ip + Wire.IPV6_SOURCE);
        packet.destination = IpAddress.read6(buffer, ip + Wire.IPV6_DESTINATION);
        packet.hopLimit = buffer.get(ip + Wire.IPV6_HOP_LIMIT) & 0xFF;
        // An IPv4-mapped address on the wire would be taken for one of IPv4 below.
        if (packet.source.isVersion4() || packet.destination.isVersion4()) {
            return;
        }
        boolean addressless = packet.source.equals(IpAddress.UNSPECIFIED6);
        if (!network.isGuest(packet.source) && !addressless) {
            return;
        }
        packet.buffer = buffer;
        int at = ip + Wire.IPV6_HEADER;
        int next = buffer.get(ip + Wire.IPV6_NEXT) & 0xFF;
        boolean whole = true;
        for (int extensions = 0; isExtension(next); extensions++) {
            if (extensions >= MAXIMUM_EXTENSIONS || at + 8 > end) {
                return;
            }
            int following = buffer.get(at) & 0xFF;
            if (next == FRAGMENT) {
                int fragment = buffer.getShort(at + 2) & 0xFFFF;
                ByteBuffer payload = fragment >>> 3 == 0 && (fragment & 1) == 0
                        ? buffer.slice(at + 8, end - at - 8)
                        : reassembler.add(
                                packet.source,
                                packet.destination,
                                buffer.getInt(at + 4),
                                following,
                                fragment & ~7,
                                (fragment & 1) != 0,
                                buffer,
                                at + 8,
                                end - at - 8,
                                System.nanoTime());
                if (payload == null) {
                    return;
                }
                buffer = payload;
                at = 0;
                end = payload.limit();
                payload.clear();
                whole = false;
            } else {
                // A route through others is refused (RFC 5095); what else these headers say isn't for a gateway.
                if (next == ROUTING && buffer.get(at + 3) != 0) {
                    return;
                }
                at += 8 * (1 + (buffer.get(at + 1) & 0xFF));
                if (at > end) {
                    return;
                }
            }
            next = following;
        }
        if (addressless && next != Wire.ICMPV6) {
            return;
        }
        if (!addressless) {
            neighbors.suggest(packet.source, packet.sourceMac);
        }
        packet.protocol = next;
        packet.buffer = buffer;
        packet.offset = at;
        packet.length = end - at;
        if (whole) {
            takeOffload(frame);
        } else {
            packet.trusted = false;
            packet.gsoSize = 0;
        }
        dispatch();
    }

    private static boolean isExtension(int next) {
        return next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT || next == DESTINATION_OPTIONS;
    }

    // ---- both ----

    private void takeReassembled(ByteBuffer whole) {
        packet.buffer = whole;
        packet.offset = 0;
        packet.length = whole.limit();
        whole.clear();
        packet.trusted = false;
        packet.gsoSize = 0;
    }

    private void takeOffload(Frame frame) {
        packet.trusted = frame.isChecksumPartial() || frame.isChecksumValid();
        packet.gsoSize = frame.gso() == Gso.UDP ? frame.gsoSize() : 0;
    }

    private void dispatch() {
        if (packet.hopLimit <= 1 && !network.isOurs(packet.destination) && packet.destination.isRoutable()) {
            if (packet.hopLimit == 0 || network.isGuest(packet.source)) {
                icmp.timeExceeded(packet);
            }
            return;
        }
        switch (packet.protocol) {
            case Wire.TCP -> {
                if (network.isGuest(packet.source)
                        && !packet.destination.isMulticast()
                        && !packet.destination.equals(network.broadcast4())
                        && packet.destination.number4() != -1) {
                    tcp.receive(packet);
                }
            }
            case Wire.UDP -> udp.receive(packet);
            case Wire.ICMP -> {
                if (packet.source.isVersion4()) {
                    icmp.receive4(packet);
                }
            }
            case Wire.ICMPV6 -> {
                if (!packet.source.isVersion4()) {
                    icmp.receive6(packet);
                }
            }
            default -> {
                // What can't be translated.
            }
        }
    }
}
