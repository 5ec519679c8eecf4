package dev.kagami.net.nat;

import dev.kagami.net.Frame;
import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import dev.kagami.net.tcp.ChunkPool;
import dev.kagami.net.tcp.TcpConfig;
import dev.kagami.net.tcp.TcpSegment;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** TCP connections of guests, each spliced to a socket. For one thread. */
final class TcpProxy {
    private static final int RECEIVE_BUFFER = 1 << 20;
    private static final int SEND_BUFFER = 1 << 20;
    private static final int FIRST_EPHEMERAL = 49_152;
    private static final int EPHEMERAL = 65_536 - FIRST_EPHEMERAL;
    private static final long STARVED_RETRY = 10_000_000L;

    private final NatLoop loop;
    private final Network network;
    private final IpOutput output;
    private final Neighbors neighbors;
    private final Icmp icmp;
    private final NameServers nameServers;
    private final TcpConfig config4;
    private final TcpConfig config6;
    private final ChunkPool pool;
    private final SecureRandom random = new SecureRandom();
    private final TcpSegment segment = new TcpSegment();

    private final Map<FlowKey, TcpSplice> splices = new HashMap<>();
    private final ArrayDeque<TcpSplice> timeWait = new ArrayDeque<>();
    private final ArrayDeque<TcpSplice> ready = new ArrayDeque<>();
    private final ArrayDeque<TcpSplice> starved = new ArrayDeque<>();
    private final Timers.Timer starvedTimer = new Timers.Timer(this::feed);
    private boolean full;
    private int nextEphemeral;
    private long opened;

    TcpProxy(NatLoop loop, Network network, IpOutput output, Neighbors neighbors, Icmp icmp, NameServers nameServers) {
        this.loop = loop;
        this.network = network;
        this.output = output;
        this.neighbors = neighbors;
        this.icmp = icmp;
        this.nameServers = nameServers;
        pool = new ChunkPool(network.config().bufferBudget());
        config4 = config(Wire.IPV4_HEADER);
        config6 = config(Wire.IPV6_HEADER);
        nextEphemeral = random.nextInt(EPHEMERAL);
    }

    private TcpConfig config(int ipHeader) {
        int largest = 65_535 - ipHeader - Wire.TCP_HEADER;
        int segmentSize = Math.min(network.config().mtu(), 65_535) - ipHeader - Wire.TCP_HEADER;
        return new TcpConfig(segmentSize, largest, RECEIVE_BUFFER, SEND_BUFFER);
    }

    int connections() {
        return splices.size();
    }

    long opened() {
        return opened;
    }

    long buffered() {
        return pool.used();
    }

    // ---- what guests send ----

    void receive(Packet packet) {
        if (!packet.trusted
                && Checksum.finish(Checksum.add(
                                IpOutput.pseudoSum(packet.source, packet.destination, Wire.TCP, packet.length),
                                packet.buffer,
                                packet.offset,
                                packet.length))
                        != 0) {
            return;
        }
        if (!segment.parse(packet.buffer, packet.offset, packet.length)) {
            return;
        }
        int guestPort = packet.buffer.getShort(packet.offset) & 0xFFFF;
        int remotePort = packet.buffer.getShort(packet.offset + 2) & 0xFFFF;
        var key = new FlowKey(packet.source, guestPort, packet.destination, remotePort);
        TcpSplice splice = splices.get(key);
        if (splice != null && splice.connection().isReplacedBy(segment)) {
            splice.connection().drop();
            splice = null;
        }
        if (splice == null) {
            if (segment.opens()) {
                open(key, packet);
            } else if (!segment.has(Wire.RST)) {
                sendReset(key, packet.sourceMac);
            }
        } else if (splice.connection().isForeign(segment)) {
            if (!segment.has(Wire.RST)) {
                sendReset(key, packet.sourceMac);
            }
        } else {
            splice.setMac(packet.sourceMac);
            splice.connection().receive(segment, packet.buffer, System.nanoTime());
        }
    }

    private boolean hasPlace() {
        while (splices.size() >= network.config().maximumConnections() && !timeWait.isEmpty()) {
            timeWait.pollFirst().connection().drop();
        }
        return splices.size() < network.config().maximumConnections();
    }

    private void open(FlowKey key, Packet packet) {
        if (!hasPlace() || key.remotePort() == 0) {
            sendReset(key, packet.sourceMac);
            return;
        }
        InetAddress address = switch (network.route(key.remote())) {
            case GATEWAY -> loopback(key.remote());
            case NAME_SERVER ->
                key.remotePort() == NameServers.PORT ? nameServers.first().getAddress() : null;
            case OUTSIDE -> key.remote().toInetAddress();
            case FORBIDDEN -> null;
            case NOWHERE -> {
                icmp.unreachable(packet, Icmp.Unreachable.HOST);
                yield null;
            }
        };
        if (address == null) {
            sendReset(key, packet.sourceMac);
            return;
        }
        boolean names = network.route(key.remote()) == Network.Route.NAME_SERVER;
        var target = new InetSocketAddress(address, names ? nameServers.first().getPort() : key.remotePort());
        var splice = new TcpSplice(this, key, packet.sourceMac);
        splices.put(key, splice);
        opened++;
        SocketChannel channel = null;
        try {
            channel = SocketChannel.open();
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            splice.accept(segment, channel);
            splice.connect(target);
        } catch (IOException e) {
            splice.refuse(e);
        }
    }

    static InetAddress loopback(IpAddress remote) {
        return (remote.isVersion4() ? IpAddress.LOOPBACK4 : IpAddress.LOOPBACK6).toInetAddress();
    }

    /** Connects a guest to a socket that was accepted at a forwarded port; closes the socket if it can't. */
    void forward(SocketChannel channel, IpAddress guest, int guestPort) {
        IpAddress gateway = network.gatewayFor(guest);
        FlowKey key = null;
        if (hasPlace()) {
            for (int attempts = 0; key == null && attempts < EPHEMERAL; attempts++) {
                nextEphemeral = (nextEphemeral + 1) % EPHEMERAL;
                var candidate = new FlowKey(guest, guestPort, gateway, FIRST_EPHEMERAL + nextEphemeral);
                key = splices.containsKey(candidate) ? null : candidate;
            }
        }
        if (key == null) {
            TcpSplice.reset(channel);
            return;
        }
        var splice = new TcpSplice(this, key, neighbors.find(guest));
        splices.put(key, splice);
        opened++;
        try {
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            splice.open(channel);
        } catch (IOException e) {
            splice.refuse(e);
        }
    }

    /** Answers a segment for which there is no connection (RFC 9293 3.10.7.1). */
    private void sendReset(FlowKey key, long mac) {
        Frame frame = output.begin(key.guest(), Wire.TCP_HEADER);
        ByteBuffer buffer = frame.buffer();
        int at = IpOutput.transport(key.guest());
        boolean acknowledged = segment.has(Wire.ACK);
        writePorts(buffer, at, key);
        buffer.putInt(at + Wire.TCP_SEQUENCE, acknowledged ? segment.acknowledgment() : 0);
        buffer.putInt(at + Wire.TCP_ACKNOWLEDGMENT, acknowledged ? 0 : segment.sequence() + segment.sequenceLength());
        buffer.putInt(at + Wire.TCP_DATA_OFFSET, 0x5000_0000 | (acknowledged ? Wire.RST : Wire.RST | Wire.ACK) << 16);
        buffer.putInt(at + Wire.TCP_CHECKSUM, 0);
        output.sendTcp(frame, mac, key.remote(), key.guest(), 0);
    }

    static void writePorts(ByteBuffer buffer, int at, FlowKey key) {
        buffer.putInt(at, key.remotePort() << 16 | key.guestPort());
    }

    // ---- what splices need ----

    NatLoop loop() {
        return loop;
    }

    IpOutput output() {
        return output;
    }

    Neighbors neighbors() {
        return neighbors;
    }

    Icmp icmp() {
        return icmp;
    }

    ChunkPool pool() {
        return pool;
    }

    TcpConfig config(FlowKey key) {
        return key.guest().isVersion4() ? config4 : config6;
    }

    int initialSequence() {
        return random.nextInt();
    }

    /** {@return whether the link has room; if not, nothing is sent until it has} */
    boolean hasRoom() {
        if (full) {
            return false;
        }
        if (!output.canSend()) {
            full = true;
            loop.whenRoom(() -> full = false);
            return false;
        }
        return true;
    }

    void schedule(TcpSplice splice) {
        if (!splice.connection().isScheduled()) {
            splice.connection().setScheduled(true);
            ready.addLast(splice);
        }
    }

    /** Tries again in a while to read for a connection for which there was no memory. */
    void starve(TcpSplice splice) {
        starved.addLast(splice);
        if (!starvedTimer.isArmed()) {
            loop.timers().arm(starvedTimer, System.nanoTime() + STARVED_RETRY);
        }
    }

    private void feed() {
        for (int waiting = starved.size(); waiting > 0; waiting--) {
            starved.removeFirst().wantToRead();
        }
    }

    void forget(TcpSplice splice) {
        splices.remove(splice.key(), splice);
    }

    void addTimeWait(TcpSplice splice) {
        timeWait.addLast(splice);
        while (!timeWait.isEmpty() && timeWait.peekFirst().isForgotten()) {
            timeWait.removeFirst();
        }
    }

    /** Sends what is due, in turn, one large segment of each connection at a time. */
    void flush() {
        while (!full) {
            TcpSplice splice = ready.pollFirst();
            if (splice == null) {
                return;
            }
            splice.connection().setScheduled(false);
            boolean more = splice.connection().output(System.nanoTime());
            if (full) {
                // What had no room comes first when there is some.
                splice.connection().setScheduled(true);
                ready.addFirst(splice);
            } else if (more) {
                schedule(splice);
            }
        }
    }

    /** Ends all connections. */
    void close() {
        for (TcpSplice splice : List.copyOf(splices.values())) {
            splice.drop();
        }
    }
}
