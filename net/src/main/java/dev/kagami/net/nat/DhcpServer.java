package dev.kagami.net.nat;

import dev.kagami.net.Frame;
import dev.kagami.net.packet.Wire;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Gives guests their IPv4 addresses (RFC 2131, RFC 2132). For one thread. */
final class DhcpServer {
    static final int SERVER_PORT = 67;
    private static final int CLIENT_PORT = 68;

    private static final int REQUEST = 1;
    private static final int REPLY = 2;
    private static final int ETHERNET = 1;
    private static final int COOKIE = 0x63825363;
    private static final int FIXED = 240;
    private static final int BROADCAST_FLAG = 0x8000;
    /** Some clients drop shorter messages (RFC 1542 2.1). */
    private static final int MINIMUM_REPLY = 300;

    private static final int XID = 4;
    private static final int FLAGS = 10;
    private static final int CLIENT_ADDRESS = 12;
    private static final int YOUR_ADDRESS = 16;
    private static final int NEXT_SERVER = 20;
    private static final int HARDWARE_ADDRESS = 28;

    private static final int DISCOVER = 1;
    private static final int OFFER = 2;
    private static final int DHCP_REQUEST = 3;
    private static final int DECLINE = 4;
    private static final int ACK = 5;
    private static final int NAK = 6;
    private static final int RELEASE = 7;
    private static final int INFORM = 8;

    private static final int OPTION_MASK = 1;
    private static final int OPTION_ROUTER = 3;
    private static final int OPTION_NAME_SERVER = 6;
    private static final int OPTION_HOST_NAME = 12;
    private static final int OPTION_MTU = 26;
    private static final int OPTION_BROADCAST = 28;
    private static final int OPTION_REQUESTED_ADDRESS = 50;
    private static final int OPTION_LEASE_TIME = 51;
    private static final int OPTION_MESSAGE_TYPE = 53;
    private static final int OPTION_SERVER = 54;
    private static final int OPTION_RENEWAL_TIME = 58;
    private static final int OPTION_REBINDING_TIME = 59;
    private static final int OPTION_PAD = 0;
    private static final int OPTION_END = 255;

    private static final int LEASE_SECONDS = 86_400;
    private static final int MAXIMUM_LEASES = 512;

    private final Network network;
    private final IpOutput output;
    private final Neighbors neighbors;
    /** Ethernet addresses to IP addresses, the one used longest ago first. */
    private final LinkedHashMap<Long, Integer> leases = new LinkedHashMap<>(16, 0.75f, true);

    DhcpServer(Network network, IpOutput output, Neighbors neighbors) {
        this.network = network;
        this.output = output;
        this.neighbors = neighbors;
    }

    int leases() {
        return leases.size();
    }

    /** Takes a datagram to the server's port. */
    void receive(Packet packet) {
        ByteBuffer buffer = packet.buffer;
        int at = packet.offset + Wire.UDP_HEADER;
        int end = packet.offset + packet.length;
        if (end - at < FIXED
                || buffer.get(at) != REQUEST
                || buffer.get(at + 1) != ETHERNET
                || buffer.get(at + 2) != 6
                || buffer.getInt(at + FIXED - 4) != COOKIE) {
            return;
        }
        long mac = buffer.getLong(at + HARDWARE_ADDRESS) >>> 16;
        int type = 0;
        int requested = 0;
        int server = 0;
        for (int option = at + FIXED; option < end; ) {
            int code = buffer.get(option) & 0xFF;
            if (code == OPTION_END) {
                break;
            }
            if (code == OPTION_PAD) {
                option++;
                continue;
            }
            if (option + 1 >= end || option + 2 + (buffer.get(option + 1) & 0xFF) > end) {
                return;
            }
            int length = buffer.get(option + 1) & 0xFF;
            if (code == OPTION_MESSAGE_TYPE && length == 1) {
                type = buffer.get(option + 2);
            } else if (code == OPTION_REQUESTED_ADDRESS && length == 4) {
                requested = buffer.getInt(option + 2);
            } else if (code == OPTION_SERVER && length == 4) {
                server = buffer.getInt(option + 2);
            }
            option += 2 + length;
        }
        int client = buffer.getInt(at + CLIENT_ADDRESS);
        switch (type) {
            case DISCOVER -> {
                Integer address = lease(mac, requested);
                if (address != null) {
                    reply(packet, at, mac, OFFER, address);
                }
            }
            case DHCP_REQUEST -> request(packet, at, mac, requested != 0 ? requested : client, server);
            case DECLINE, RELEASE -> leases.remove(mac);
            case INFORM -> reply(packet, at, mac, ACK, 0);
            default -> {
                // No message of a client.
            }
        }
    }

    private void request(Packet packet, int at, long mac, int wanted, int server) {
        if (server != 0 && server != network.gateway4().number4()) {
            // The client has chosen another server's offer.
            leases.remove(mac);
            return;
        }
        Integer address = lease(mac, wanted);
        if (address != null && address == wanted) {
            neighbors.learn(IpAddress.version4(address), mac);
            reply(packet, at, mac, ACK, address);
        } else {
            reply(packet, at, mac, NAK, 0);
        }
    }

    /** {@return the address of a guest: what it had, or what it asks for if that is free, or the first free one} */
    private @Nullable Integer lease(long mac, int wanted) {
        Integer had = leases.get(mac);
        if (had != null) {
            return had;
        }
        int first = IpAddress.of(network.config().firstGuest()).number4();
        int last = network.broadcast4().number4() - 1;
        int chosen = 0;
        if (Integer.compareUnsigned(wanted, first) >= 0
                && Integer.compareUnsigned(wanted, last) <= 0
                && isFree(wanted)) {
            chosen = wanted;
        }
        for (int address = first; chosen == 0 && address - last <= 0; address++) {
            if (isFree(address)) {
                chosen = address;
            }
            if (address - first > 2 * MAXIMUM_LEASES) {
                break;
            }
        }
        if (chosen == 0 || leases.size() >= MAXIMUM_LEASES) {
            // Whoever was silent longest is taken for gone.
            Map.Entry<Long, Integer> oldest = leases.pollFirstEntry();
            if (oldest == null) {
                return null;
            }
            chosen = chosen == 0 ? oldest.getValue() : chosen;
        }
        leases.put(mac, chosen);
        return chosen;
    }

    private boolean isFree(int address) {
        return network.isGuest(IpAddress.version4(address)) && !leases.containsValue(address);
    }

    private void reply(Packet packet, int request, long mac, int type, int address) {
        ByteBuffer message = ByteBuffer.allocate(FIXED + 512);
        message.put(0, (byte) REPLY).put(1, (byte) ETHERNET).put(2, (byte) 6);
        message.putInt(XID, packet.buffer.getInt(request + XID));
        int flags = packet.buffer.getShort(request + FLAGS);
        message.putShort(FLAGS, (short) flags);
        int client = packet.buffer.getInt(request + CLIENT_ADDRESS);
        if (type != NAK) {
            message.putInt(CLIENT_ADDRESS, client);
            message.putInt(YOUR_ADDRESS, address);
            message.putInt(NEXT_SERVER, network.gateway4().number4());
        }
        message.put(HARDWARE_ADDRESS, packet.buffer, request + HARDWARE_ADDRESS, 16);
        message.putInt(FIXED - 4, COOKIE);
        message.position(FIXED);
        message.put((byte) OPTION_MESSAGE_TYPE).put((byte) 1).put((byte) type);
        putAddress(message, OPTION_SERVER, network.gateway4().number4());
        if (type != NAK) {
            putConfiguration(message, address != 0);
        }
        message.put((byte) OPTION_END);
        int length = Math.max(MINIMUM_REPLY, message.position());

        boolean broadcast = (flags & BROADCAST_FLAG) != 0 || type == NAK;
        int target = client != 0 && type != NAK ? client : address;
        IpAddress to = broadcast && client == 0 || type == NAK || target == 0
                ? IpAddress.version4(-1)
                : IpAddress.version4(target);
        Frame frame = output.begin(to, Wire.UDP_HEADER + length);
        int at = IpOutput.transport(to);
        frame.buffer().putShort(at, (short) SERVER_PORT).putShort(at + 2, (short) CLIENT_PORT);
        frame.buffer().put(at + Wire.UDP_HEADER, message, 0, length);
        long toMac = to.number4() == -1 ? 0xFFFF_FFFF_FFFFL : mac;
        output.sendUdp(frame, toMac, network.gateway4(), to);
    }

    private void putConfiguration(ByteBuffer message, boolean lease) {
        int gateway = network.gateway4().number4();
        if (lease) {
            putAddress(message, OPTION_LEASE_TIME, LEASE_SECONDS);
            putAddress(message, OPTION_RENEWAL_TIME, LEASE_SECONDS / 2);
            putAddress(message, OPTION_REBINDING_TIME, LEASE_SECONDS / 8 * 7);
        }
        putAddress(message, OPTION_MASK, network.mask4());
        putAddress(message, OPTION_BROADCAST, network.broadcast4().number4());
        if (!network.config().restrict()) {
            putAddress(message, OPTION_ROUTER, gateway);
            putAddress(message, OPTION_NAME_SERVER, network.nameServer4().number4());
        }
        message.put((byte) OPTION_MTU).put((byte) 2).putShort((short)
                network.config().mtu());
        String name = network.config().hostname();
        if (name != null) {
            byte[] octets = name.getBytes(StandardCharsets.US_ASCII);
            message.put((byte) OPTION_HOST_NAME).put((byte) octets.length).put(octets);
        }
    }

    private static void putAddress(ByteBuffer message, int option, int value) {
        message.put((byte) option).put((byte) 4).putInt(value);
    }
}
