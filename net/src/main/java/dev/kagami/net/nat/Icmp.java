package dev.kagami.net.nat;

import dev.kagami.net.Frame;
import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import java.nio.ByteBuffer;

/** ICMP (RFC 792), ICMPv6 (RFC 4443) with neighbor discovery and router advertisements (RFC 4861, RFC 8106). */
final class Icmp {
    /** Why a packet goes nowhere. */
    enum Unreachable {
        NETWORK(0, 0),
        HOST(1, 3),
        PORT(3, 4),
        PROHIBITED(13, 1);

        final int code4;
        final int code6;

        Unreachable(int code4, int code6) {
            this.code4 = code4;
            this.code6 = code6;
        }
    }

    private static final int HEADER = 8;
    private static final int ECHO_REPLY4 = 0;
    private static final int UNREACHABLE4 = 3;
    private static final int ECHO_REQUEST4 = 8;
    private static final int TIME_EXCEEDED4 = 11;
    private static final int UNREACHABLE6 = 1;
    private static final int TIME_EXCEEDED6 = 3;
    private static final int ECHO_REQUEST6 = 128;
    private static final int ECHO_REPLY6 = 129;
    private static final int ROUTER_SOLICITATION = 133;
    private static final int ROUTER_ADVERTISEMENT = 134;
    private static final int NEIGHBOR_SOLICITATION = 135;
    private static final int NEIGHBOR_ADVERTISEMENT = 136;

    private static final int OPTION_SOURCE_LINK_LAYER = 1;
    private static final int OPTION_TARGET_LINK_LAYER = 2;
    private static final int OPTION_PREFIX = 3;
    private static final int OPTION_MTU = 5;
    private static final int OPTION_NAME_SERVERS = 25;

    private static final int HOP_LIMIT = 64;
    /** What neighbor discovery demands, so that nothing that passed a router is believed (RFC 4861 11.2). */
    private static final int LINK_HOP_LIMIT = 255;

    private static final int ON_LINK_AUTONOMOUS = 0xC0;
    private static final int VALID_SECONDS = 86_400;
    private static final int PREFERRED_SECONDS = 14_400;
    private static final int ROUTER_SECONDS = 1_800;

    private static final long SECOND = 1_000_000_000L;
    private static final int ERRORS_PER_SECOND = 500;

    private final Network network;
    private final IpOutput output;
    private final Neighbors neighbors;
    private final EchoProber prober;
    private final boolean outside6;
    private long errorWindow;
    private int errors;

    /** Makes the handler; {@code outside6} says whether the host has IPv6 to offer. */
    Icmp(Network network, IpOutput output, Neighbors neighbors, EchoProber prober, boolean outside6) {
        this.network = network;
        this.output = output;
        this.neighbors = neighbors;
        this.prober = prober;
        this.outside6 = outside6;
    }

    // ---- echo ----

    void receive4(Packet packet) {
        if (packet.length < HEADER || Checksum.of(packet.buffer, packet.offset, packet.length) != 0) {
            return;
        }
        if (packet.buffer.get(packet.offset) == ECHO_REQUEST4 && packet.buffer.get(packet.offset + 1) == 0) {
            echo(packet, ECHO_REPLY4);
        }
    }

    void receive6(Packet packet) {
        if (packet.length < HEADER
                || Checksum.finish(Checksum.add(
                                IpOutput.pseudoSum(packet.source, packet.destination, Wire.ICMPV6, packet.length),
                                packet.buffer,
                                packet.offset,
                                packet.length))
                        != 0) {
            return;
        }
        int type = packet.buffer.get(packet.offset) & 0xFF;
        if (packet.buffer.get(packet.offset + 1) != 0) {
            return;
        }
        if (type == ECHO_REQUEST6) {
            echo(packet, ECHO_REPLY6);
        } else if (packet.hopLimit == LINK_HOP_LIMIT) {
            switch (type) {
                case ROUTER_SOLICITATION -> {
                    learn(packet, packet.source, packet.offset + 8, OPTION_SOURCE_LINK_LAYER);
                    advertise();
                }
                case NEIGHBOR_SOLICITATION -> solicited(packet);
                case NEIGHBOR_ADVERTISEMENT -> {
                    if (packet.length >= 24) {
                        IpAddress target = IpAddress.read6(packet.buffer, packet.offset + 8);
                        learn(packet, target, packet.offset + 24, OPTION_TARGET_LINK_LAYER);
                    }
                }
                default -> {
                    // Errors, and what only routers and multicast routers care about.
                }
            }
        }
    }

    private void echo(Packet packet, int replyType) {
        if (!network.isGuest(packet.source)) {
            return;
        }
        if (network.isOurs(packet.destination)) {
            reply(packet, replyType).run();
            return;
        }
        switch (network.route(packet.destination)) {
            case OUTSIDE -> prober.probe(packet.destination, reply(packet, replyType));
            case FORBIDDEN -> unreachable(packet, Unreachable.PROHIBITED);
            case NOWHERE, GATEWAY, NAME_SERVER -> {
                if (!packet.destination.isMulticast()
                        && !packet.destination.equals(network.broadcast4())
                        && packet.destination.isRoutable()) {
                    unreachable(packet, Unreachable.HOST);
                }
            }
        }
    }

    /** {@return what sends the answer to an echo request; it holds a copy of what it needs} */
    private Runnable reply(Packet packet, int type) {
        IpAddress guest = packet.source;
        IpAddress target = packet.destination;
        long mac = packet.sourceMac;
        byte[] message = new byte[packet.length];
        packet.buffer.get(packet.offset, message);
        message[0] = (byte) type;
        return () -> {
            Frame frame = output.begin(guest, message.length);
            frame.buffer().put(IpOutput.transport(guest), message);
            output.sendIcmp(frame, mac, target, guest, HOP_LIMIT);
        };
    }

    // ---- errors ----

    private boolean mayReport() {
        long now = System.nanoTime();
        if (now - errorWindow >= SECOND) {
            errorWindow = now;
            errors = 0;
        }
        return errors++ < ERRORS_PER_SECOND;
    }

    /** Says that a packet goes nowhere. */
    void unreachable(Packet packet, Unreachable why) {
        error(packet, packet.destination.isVersion4() ? UNREACHABLE4 : UNREACHABLE6, why);
    }

    /** Says that a packet has passed too many routers: this one is where it ends. */
    void timeExceeded(Packet packet) {
        error(packet, packet.destination.isVersion4() ? TIME_EXCEEDED4 : TIME_EXCEEDED6, Unreachable.NETWORK);
    }

    private void error(Packet packet, int type, Unreachable why) {
        int protocol = packet.protocol;
        ByteBuffer quoted = ByteBuffer.allocate(HEADER);
        quoted.put(0, packet.buffer, packet.offset, Math.min(HEADER, packet.length));
        error(packet.source, packet.sourceMac, packet.destination, protocol, quoted, type, why);
    }

    /**
     * Says that a flow goes nowhere: quotes a packet of it that the guest could have sent.
     *
     * @param word what the packet's transport header has in its second four octets
     */
    void unreachable(FlowKey flow, int protocol, int word, Unreachable why) {
        long mac = neighbors.find(flow.guest());
        if (mac < 0) {
            return;
        }
        ByteBuffer quoted = ByteBuffer.allocate(HEADER);
        quoted.putShort(0, (short) flow.guestPort()).putShort(2, (short) flow.remotePort());
        quoted.putInt(4, word);
        int type = flow.remote().isVersion4() ? UNREACHABLE4 : UNREACHABLE6;
        error(flow.guest(), mac, flow.remote(), protocol, quoted, type, why);
    }

    private void error(
            IpAddress guest,
            long mac,
            IpAddress destination,
            int protocol,
            ByteBuffer quoted,
            int type,
            Unreachable why) {
        if (!mayReport() || !network.isGuest(guest)) {
            return;
        }
        boolean version4 = guest.isVersion4();
        int ip = version4 ? Wire.IPV4_HEADER : Wire.IPV6_HEADER;
        Frame frame = output.begin(guest, HEADER + ip + HEADER);
        ByteBuffer buffer = frame.buffer();
        int at = IpOutput.transport(guest);
        buffer.putInt(at, type << 24 | (version4 ? why.code4 : why.code6) << 16);
        buffer.putInt(at + 4, 0);
        int header = at + HEADER;
        if (version4) {
            buffer.putInt(header, 0x4500_0000 | ip + HEADER);
            buffer.putInt(header + Wire.IPV4_IDENTIFICATION, 0);
            buffer.putInt(header + Wire.IPV4_TTL, HOP_LIMIT << 24 | protocol << 16);
            guest.write(buffer, header + Wire.IPV4_SOURCE);
            destination.write(buffer, header + Wire.IPV4_DESTINATION);
            buffer.putShort(header + Wire.IPV4_CHECKSUM, (short) Checksum.of(buffer, header, ip));
        } else {
            buffer.putInt(header, 0x6000_0000);
            buffer.putInt(header + Wire.IPV6_LENGTH, HEADER << 16 | protocol << 8 | HOP_LIMIT);
            guest.write(buffer, header + Wire.IPV6_SOURCE);
            destination.write(buffer, header + Wire.IPV6_DESTINATION);
        }
        buffer.put(header + ip, quoted, 0, HEADER);
        output.sendIcmp(frame, mac, network.gatewayFor(guest), guest, HOP_LIMIT);
    }

    // ---- neighbors and routers ----

    private void learn(Packet packet, IpAddress address, int options, int wanted) {
        int at = options;
        int end = packet.offset + packet.length;
        while (at + 8 <= end) {
            int length = 8 * (packet.buffer.get(at + 1) & 0xFF);
            if (length == 0 || at + length > end) {
                return;
            }
            if (packet.buffer.get(at) == wanted && network.isGuest(address)) {
                long mac = packet.buffer.getLong(at) & 0xFFFF_FFFF_FFFFL;
                if ((mac >>> 40 & 1) == 0) {
                    neighbors.learn(address, mac);
                }
            }
            at += length;
        }
    }

    private void solicited(Packet packet) {
        if (packet.length < 24) {
            return;
        }
        IpAddress target = IpAddress.read6(packet.buffer, packet.offset + 8);
        boolean detecting = packet.source.equals(IpAddress.UNSPECIFIED6);
        if (!detecting) {
            learn(packet, packet.source, packet.offset + 24, OPTION_SOURCE_LINK_LAYER);
        }
        if (!network.isOurs(target)) {
            return;
        }
        // Router, override, and solicited unless the asker has no address yet (RFC 4861 7.2.4).
        int flags = detecting ? 0xA000_0000 : 0xE000_0000;
        IpAddress to = detecting ? IpAddress.ALL_NODES : packet.source;
        Frame frame = output.begin(to, 32);
        ByteBuffer buffer = frame.buffer();
        int at = IpOutput.transport(to);
        buffer.putInt(at, NEIGHBOR_ADVERTISEMENT << 24);
        buffer.putInt(at + 4, flags);
        target.write(buffer, at + 8);
        putLinkLayer(buffer, at + 24, OPTION_TARGET_LINK_LAYER);
        output.sendIcmp(frame, detecting ? multicastMac(to) : packet.sourceMac, target, to, LINK_HOP_LIMIT);
    }

    private void putLinkLayer(ByteBuffer buffer, int at, int option) {
        buffer.putLong(at, (long) option << 56 | 1L << 48 | network.mac());
    }

    private static long multicastMac(IpAddress group) {
        return 0x3333_0000_0000L | group.low() & 0xFFFF_FFFFL;
    }

    /** Asks who has an address. */
    void solicit(IpAddress target) {
        IpAddress to = target.solicitedNode();
        Frame frame = output.begin(to, 32);
        ByteBuffer buffer = frame.buffer();
        int at = IpOutput.transport(to);
        buffer.putInt(at, NEIGHBOR_SOLICITATION << 24);
        buffer.putInt(at + 4, 0);
        target.write(buffer, at + 8);
        putLinkLayer(buffer, at + 24, OPTION_SOURCE_LINK_LAYER);
        output.sendIcmp(frame, multicastMac(to), network.linkLocalGateway(), to, LINK_HOP_LIMIT);
    }

    /** Tells all guests the prefix, the router and the name server. */
    void advertise() {
        IpAddress to = IpAddress.ALL_NODES;
        Frame frame = output.begin(to, 16 + 8 + 8 + 32 + 24);
        ByteBuffer buffer = frame.buffer();
        int at = IpOutput.transport(to);
        buffer.putInt(at, ROUTER_ADVERTISEMENT << 24);
        // A host without IPv6 is no default router: guests then don't even try.
        buffer.putInt(at + 4, HOP_LIMIT << 24 | (outside6 && !network.config().restrict() ? ROUTER_SECONDS : 0));
        buffer.putLong(at + 8, 0);
        putLinkLayer(buffer, at + 16, OPTION_SOURCE_LINK_LAYER);
        buffer.putLong(
                at + 24, (long) OPTION_MTU << 56 | 1L << 48 | network.config().mtu());
        buffer.putInt(at + 32, OPTION_PREFIX << 24 | 4 << 16 | 64 << 8 | ON_LINK_AUTONOMOUS);
        buffer.putInt(at + 36, VALID_SECONDS);
        buffer.putInt(at + 40, PREFERRED_SECONDS);
        buffer.putInt(at + 44, 0);
        network.prefix().write(buffer, at + 48);
        buffer.putInt(at + 64, OPTION_NAME_SERVERS << 24 | 3 << 16);
        buffer.putInt(at + 68, network.config().restrict() ? 0 : ROUTER_SECONDS);
        network.nameServer6().write(buffer, at + 72);
        output.sendIcmp(frame, multicastMac(to), network.linkLocalGateway(), to, LINK_HOP_LIMIT);
    }
}
