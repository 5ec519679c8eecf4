package dev.kagami.net.nat;

import dev.kagami.net.Frame;
import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * UDP of guests. Each flow has a socket of its own that is connected to the other side, so only that side's answers come back, and its
 * ICMP errors too. For one thread.
 */
final class UdpProxy {
    private static final int FIRST_EPHEMERAL = 49_152;
    private static final int EPHEMERAL = 65_536 - FIRST_EPHEMERAL;
    private static final int LARGEST = 65_507;
    private static final int RECEIVE_BUFFER = 512 * 1024;
    /** So many datagrams are taken from a socket before others have their turn. */
    private static final int READS_AT_ONCE = 32;
    /** A query that got no answer in this time: its server is taken to be down. */
    private static final long NAME_TIMEOUT = 4_000_000_000L;

    private final NatLoop loop;
    private final Network network;
    private final IpOutput output;
    private final Neighbors neighbors;
    private final Icmp icmp;
    private final DhcpServer dhcp;
    private final NameServers nameServers;
    private final NameResolver resolver;
    private final ByteBuffer datagram = ByteBuffer.allocateDirect(65_536);
    private final Map<FlowKey, Flow> flows = new LinkedHashMap<>(16, 0.75f, true);
    private final Timers.Timer expiry = new Timers.Timer(this::expire);
    private final long timeout;
    private int nextEphemeral = ThreadLocalRandom.current().nextInt(EPHEMERAL);

    UdpProxy(
            NatLoop loop,
            Network network,
            IpOutput output,
            Neighbors neighbors,
            Icmp icmp,
            DhcpServer dhcp,
            NameServers nameServers,
            NameResolver resolver) {
        this.loop = loop;
        this.network = network;
        this.output = output;
        this.neighbors = neighbors;
        this.icmp = icmp;
        this.dhcp = dhcp;
        this.nameServers = nameServers;
        this.resolver = resolver;
        timeout = network.config().flowTimeout().toNanos();
    }

    int flows() {
        return flows.size();
    }

    /** One flow, whichever side began it. */
    private abstract class Flow {
        final FlowKey key;
        long mac;
        long lastUsed = System.nanoTime();

        Flow(FlowKey key, long mac) {
            this.key = key;
            this.mac = mac;
        }

        /** Sends what the guest sent. */
        abstract void send(ByteBuffer data) throws IOException;

        abstract void close();
    }

    // ---- what guests send ----

    void receive(Packet packet) {
        ByteBuffer buffer = packet.buffer;
        if (packet.length < Wire.UDP_HEADER) {
            return;
        }
        int length = buffer.getShort(packet.offset + Wire.UDP_LENGTH) & 0xFFFF;
        // One that is to be cut has the length of a part, or of all of it.
        if (packet.gsoSize == 0) {
            if (length < Wire.UDP_HEADER || length > packet.length) {
                return;
            }
            packet.length = length;
        }
        boolean summed = buffer.getShort(packet.offset + Wire.UDP_CHECKSUM) != 0;
        if (!packet.trusted && (summed || !packet.source.isVersion4())) {
            long pseudo = IpOutput.pseudoSum(packet.source, packet.destination, Wire.UDP, packet.length);
            if (Checksum.finish(Checksum.add(pseudo, buffer, packet.offset, packet.length)) != 0) {
                return;
            }
        }
        int guestPort = buffer.getShort(packet.offset) & 0xFFFF;
        int remotePort = buffer.getShort(packet.offset + 2) & 0xFFFF;
        boolean toDhcp = packet.destination.number4() == -1 || network.isOurs(packet.destination);
        if (packet.destination.isVersion4() && remotePort == DhcpServer.SERVER_PORT && toDhcp) {
            dhcp.receive(packet);
            return;
        }
        if (!network.isGuest(packet.source) || guestPort == 0 || remotePort == 0) {
            return;
        }
        var key = new FlowKey(packet.source, guestPort, packet.destination, remotePort);
        Flow flow = flows.get(key);
        if (flow == null) {
            flow = open(key, packet);
            if (flow == null) {
                return;
            }
            add(flow);
        }
        flow.mac = packet.sourceMac;
        flow.lastUsed = System.nanoTime();
        send(flow, packet);
    }

    private void send(Flow flow, Packet packet) {
        ByteBuffer buffer = packet.buffer;
        int at = packet.offset + Wire.UDP_HEADER;
        int end = packet.offset + packet.length;
        int part = packet.gsoSize == 0 ? Math.max(1, end - at) : packet.gsoSize;
        try {
            do {
                int size = Math.min(part, end - at);
                buffer.limit(at + size).position(at);
                flow.send(buffer);
                buffer.clear();
                at += size;
            } while (at < end);
        } catch (PortUnreachableException e) {
            unreachable(flow.key);
        } catch (IOException e) {
            // A datagram that the host can't send is lost, as any may be.
        } finally {
            buffer.clear();
        }
    }

    private void unreachable(FlowKey key) {
        icmp.unreachable(key, Wire.UDP, Wire.UDP_HEADER << 16, Icmp.Unreachable.PORT);
    }

    private @Nullable Flow open(FlowKey key, Packet packet) {
        return switch (network.route(key.remote())) {
            case GATEWAY ->
                connect(key, packet, new InetSocketAddress(TcpProxy.loopback(key.remote()), key.remotePort()));
            case OUTSIDE ->
                connect(key, packet, new InetSocketAddress(key.remote().toInetAddress(), key.remotePort()));
            case NAME_SERVER -> {
                if (key.remotePort() != NameServers.PORT) {
                    icmp.unreachable(packet, Icmp.Unreachable.PORT);
                    yield null;
                }
                yield nameServers.isEmpty()
                        ? new ResolverFlow(key, packet.sourceMac)
                        : connect(key, packet, nameServers.first());
            }
            case FORBIDDEN -> {
                icmp.unreachable(packet, Icmp.Unreachable.PROHIBITED);
                yield null;
            }
            case NOWHERE -> {
                if (key.remote().isRoutable() && !key.remote().equals(network.broadcast4())) {
                    icmp.unreachable(packet, Icmp.Unreachable.HOST);
                }
                yield null;
            }
        };
    }

    private @Nullable Flow connect(FlowKey key, Packet packet, InetSocketAddress target) {
        DatagramChannel channel = null;
        try {
            channel = DatagramChannel.open();
            // The kernel's default holds a few large datagrams only, and the guest isn't always looking.
            channel.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER);
            channel.connect(target);
            var flow = new SocketFlow(key, packet.sourceMac, channel, target);
            flow.selection = loop.register(channel, SelectionKey.OP_READ, flow);
            return flow;
        } catch (IOException | UnsupportedOperationException e) {
            if (channel != null) {
                closeQuietly(channel);
            }
            icmp.unreachable(packet, Icmp.Unreachable.NETWORK);
            return null;
        }
    }

    private void add(Flow flow) {
        while (flows.size() >= network.config().maximumFlows()) {
            FlowKey oldest = flows.keySet().iterator().next();
            remove(oldest);
        }
        flows.put(flow.key, flow);
        if (!expiry.isArmed()) {
            loop.timers().arm(expiry, System.nanoTime() + timeout);
        }
    }

    private void remove(FlowKey key) {
        Flow flow = flows.remove(key);
        if (flow != null) {
            flow.close();
        }
    }

    private void expire() {
        long now = System.nanoTime();
        // In order of use, so all that are idle too long are first.
        while (!flows.isEmpty()) {
            Flow oldest = flows.values().iterator().next();
            if (now - oldest.lastUsed < timeout) {
                loop.timers().arm(expiry, oldest.lastUsed + timeout);
                return;
            }
            remove(oldest.key);
        }
    }

    void close() {
        List.copyOf(flows.keySet()).forEach(this::remove);
    }

    private static void closeQuietly(DatagramChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // It is gone either way.
        }
    }

    // ---- what comes back ----

    /** Sends a datagram to the guest of a flow. */
    private void deliver(Flow flow, ByteBuffer data) {
        long now = System.nanoTime();
        flow.lastUsed = now;
        flows.get(flow.key);
        if (flow.mac < 0) {
            flow.mac = neighbors.find(flow.key.guest());
            if (flow.mac < 0) {
                neighbors.resolve(flow.key.guest(), null);
                return;
            }
        }
        int length = data.remaining();
        if (length > LARGEST) {
            return;
        }
        Frame frame = output.begin(flow.key.guest(), Wire.UDP_HEADER + length);
        int at = IpOutput.transport(flow.key.guest());
        TcpProxy.writePorts(frame.buffer(), at, flow.key);
        frame.buffer().put(at + Wire.UDP_HEADER, data, data.position(), length);
        output.sendUdp(frame, flow.mac, flow.key.remote(), flow.key.guest());
    }

    /** {@return whether the link has room; if not, the key's interest comes back when it has} */
    private boolean hasRoom(SelectionKey key) {
        if (output.canSend()) {
            return true;
        }
        key.interestOps(0);
        loop.whenRoom(() -> {
            if (key.isValid()) {
                key.interestOps(SelectionKey.OP_READ);
            }
        });
        return false;
    }

    /** A flow to the host or outside. */
    private final class SocketFlow extends Flow implements NatLoop.Handler {
        private final DatagramChannel channel;
        private final boolean name;
        private InetSocketAddress target;
        private @Nullable SelectionKey selection;
        private long asked;

        SocketFlow(FlowKey key, long mac, DatagramChannel channel, InetSocketAddress target) {
            super(key, mac);
            this.channel = channel;
            this.target = target;
            name = network.route(key.remote()) == Network.Route.NAME_SERVER;
        }

        @Override
        void send(ByteBuffer data) throws IOException {
            long now = System.nanoTime();
            if (name && asked != 0 && now - asked > NAME_TIMEOUT) {
                changeServer();
            }
            if (asked == 0) {
                asked = now;
            }
            if (!data.hasRemaining() && channel.isConnected()) {
                // A connected channel of the JDK doesn't send datagrams without data. It isn't connected again
                // afterwards, as that
                // would throw away an answer that came meanwhile; from then on senders are compared here.
                channel.disconnect();
            }
            if (channel.isConnected()) {
                channel.write(data);
            } else {
                channel.send(data, target);
            }
        }

        private void changeServer() throws IOException {
            nameServers.failed(target);
            target = nameServers.first();
            channel.disconnect();
            channel.connect(target);
            asked = 0;
        }

        @Override
        public void ready(SelectionKey ready) {
            try {
                for (int i = 0; i < READS_AT_ONCE && hasRoom(ready); i++) {
                    datagram.clear();
                    // Not read(): that couldn't tell an empty datagram from none.
                    SocketAddress source = channel.receive(datagram);
                    if (source == null) {
                        return;
                    }
                    if (!source.equals(target)) {
                        continue;
                    }
                    asked = 0;
                    deliver(this, datagram.flip());
                }
            } catch (PortUnreachableException e) {
                if (name) {
                    nameServers.failed(target);
                }
                unreachable(key);
            } catch (IOException e) {
                remove(key);
            }
        }

        @Override
        public void fail() {
            remove(key);
        }

        @Override
        void close() {
            if (name && asked != 0) {
                nameServers.failed(target);
            }
            closeQuietly(channel);
        }
    }

    /** Queries to a name server that is this process. */
    private final class ResolverFlow extends Flow {
        ResolverFlow(FlowKey key, long mac) {
            super(key, mac);
        }

        @Override
        void send(ByteBuffer data) {
            byte[] query = new byte[data.remaining()];
            data.get(query);
            resolver.resolve(query, answer -> loop.execute(() -> deliver(this, ByteBuffer.wrap(answer))));
        }

        @Override
        void close() {
            // Nothing is open.
        }
    }

    // ---- forwarded ports ----

    /** A socket on the host whose datagrams go to a guest. */
    final class Forward implements NatLoop.Handler {
        private final DatagramChannel channel;
        private final IpAddress guest;
        private final int guestPort;
        private final Map<SocketAddress, ForwardFlow> bySource = new HashMap<>();

        private Forward(DatagramChannel channel, IpAddress guest, int guestPort) {
            this.channel = channel;
            this.guest = guest;
            this.guestPort = guestPort;
        }

        @Override
        public void ready(SelectionKey ready) {
            try {
                for (int i = 0; i < READS_AT_ONCE && hasRoom(ready); i++) {
                    datagram.clear();
                    SocketAddress source = channel.receive(datagram);
                    if (source == null) {
                        return;
                    }
                    ForwardFlow flow = bySource.get(source);
                    if (flow == null) {
                        flow = new ForwardFlow(this, source);
                        bySource.put(source, flow);
                        add(flow);
                    }
                    deliver(flow, datagram.flip());
                }
            } catch (IOException e) {
                // An error of an earlier datagram, or of one that doesn't concern the socket as a whole.
            }
        }

        @Override
        public void fail() {
            close();
        }

        void close() {
            List.copyOf(bySource.values()).forEach(flow -> remove(flow.key));
            closeQuietly(channel);
        }
    }

    /** A flow that somebody on the host began. */
    private final class ForwardFlow extends Flow {
        private final Forward forward;
        private final SocketAddress source;

        ForwardFlow(Forward forward, SocketAddress source) {
            super(freeKey(forward), neighbors.find(forward.guest));
            this.forward = forward;
            this.source = source;
        }

        @Override
        void send(ByteBuffer data) throws IOException {
            forward.channel.send(data, source);
        }

        @Override
        void close() {
            forward.bySource.remove(source);
        }
    }

    private FlowKey freeKey(Forward forward) {
        IpAddress gateway = network.gatewayFor(forward.guest);
        FlowKey key;
        do {
            nextEphemeral = (nextEphemeral + 1) % EPHEMERAL;
            key = new FlowKey(forward.guest, forward.guestPort, gateway, FIRST_EPHEMERAL + nextEphemeral);
        } while (flows.containsKey(key));
        return key;
    }

    /** Begins to forward; the channel is bound. */
    Forward forward(DatagramChannel channel, InetAddress guest, int guestPort) throws IOException {
        var forward = new Forward(channel, IpAddress.of(guest), guestPort);
        loop.register(channel, SelectionKey.OP_READ, forward);
        return forward;
    }
}
