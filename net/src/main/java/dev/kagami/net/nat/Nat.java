package dev.kagami.net.nat;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.MacAddress;
import dev.kagami.net.ReceiveOffload;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.StandardSocketOptions;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A gateway between guests on a port of a link or switch, and the host's network; see the package for what guests can reach. Thread-safe.
 *
 * <pre>{@code
 * var link = new EthernetLink();                         // link.first() is the guest's
 * try (Nat nat = Nat.start(NatConfig.defaults(), link.second())) {
 *     PortForward ssh = nat.forward(PortForward.Protocol.TCP, 2222, 22);
 *     ...
 * }
 * }</pre>
 */
public final class Nat implements AutoCloseable {
    private static final int BACKLOG = 128;
    private static final int ACCEPTS_AT_ONCE = 64;
    private static final long ADVERTISEMENT_INTERVAL = 300_000_000_000L;
    private static final long ACCEPT_PAUSE = 100_000_000L;
    private static final long ANSWER_SECONDS = 10;

    private final NatConfig config;
    private final Network network;
    private final NatLoop loop;
    private final IpOutput output;
    private final Neighbors neighbors;
    private final EchoProber prober;
    private final NameResolver resolver = new NameResolver();
    private final Icmp icmp;
    private final DhcpServer dhcp;
    private final TcpProxy tcp;
    private final UdpProxy udp;
    private final Gateway gateway;
    private final Timers.Timer advertisement = new Timers.Timer(this::advertise);
    private final List<PortForward> forwards = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    private Nat(NatConfig config, EthernetPort port) throws IOException {
        this.config = config;
        network = new Network(config);
        loop = new NatLoop(port);
        output = new IpOutput(port, network);
        neighbors = new Neighbors(loop.timers(), this::ask);
        prober = new EchoProber(loop::execute);
        var nameServers = new NameServers(config.nameServers());
        icmp = new Icmp(network, output, neighbors, prober, hasVersion6Outside());
        dhcp = new DhcpServer(network, output, neighbors);
        tcp = new TcpProxy(loop, network, output, neighbors, icmp, nameServers);
        udp = new UdpProxy(loop, network, output, neighbors, icmp, dhcp, nameServers, resolver);
        gateway = new Gateway(network, output, neighbors, icmp, tcp, udp);
    }

    /**
     * Starts a gateway on a port.
     *
     * @throws IOException if the host has no resources for it
     */
    public static Nat start(NatConfig config, EthernetPort port) throws IOException {
        var nat = new Nat(config, port);
        port.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        nat.loop.timers().arm(nat.advertisement, System.nanoTime());
        nat.loop.start(nat.gateway::receive, nat.tcp::flush, nat::linkChanged, nat::end);
        return nat;
    }

    private static boolean hasVersion6Outside() {
        try {
            return NetworkInterface.networkInterfaces()
                    .flatMap(NetworkInterface::inetAddresses)
                    .anyMatch(address -> address instanceof Inet6Address
                            && IpAddress.of(address).high() >>> 61 == 1);
        } catch (IOException e) {
            return false;
        }
    }

    private void ask(IpAddress guest) {
        gateway.ask(guest);
    }

    private void advertise() {
        if (network.hasVersion6()) {
            icmp.advertise();
            loop.timers().arm(advertisement, System.nanoTime() + ADVERTISEMENT_INTERVAL);
        }
    }

    private void linkChanged(boolean up) {
        if (up) {
            neighbors.clear();
            advertise();
        }
    }

    private void end() {
        tcp.close();
        udp.close();
    }

    /** {@return the configuration} */
    public NatConfig config() {
        return config;
    }

    /** {@return the gateway's Ethernet address} */
    public MacAddress mac() {
        return new MacAddress(network.mac());
    }

    /**
     * Forwards a port of the host's 127.0.0.1 to the first guest.
     *
     * @param port the port on the host; 0 to have a free one chosen
     * @throws IOException if the port can't be listened on
     */
    public PortForward forward(PortForward.Protocol protocol, int port, int guestPort) throws IOException {
        return forward(
                protocol,
                new InetSocketAddress(IpAddress.LOOPBACK4.toInetAddress(), port),
                new InetSocketAddress(config.firstGuest(), guestPort));
    }

    /**
     * Forwards a port of the host to a guest.
     *
     * @param local where to listen on the host; whoever reaches that address reaches the guest
     * @param guest where to forward to, an address in the guest network
     * @throws IOException if the port can't be listened on
     */
    public PortForward forward(PortForward.Protocol protocol, InetSocketAddress local, InetSocketAddress guest)
            throws IOException {
        InetAddress target = guest.getAddress();
        if (local.isUnresolved() || target == null || !network.isGuest(IpAddress.of(target))) {
            throw new IllegalArgumentException(
                    "can't forward from " + local + " to " + guest + ": the target must be in the guest network");
        }
        if (guest.getPort() == 0) {
            throw new IllegalArgumentException("can't forward to port 0");
        }
        SelectableChannel channel = null;
        try {
            Forward forward = switch (protocol) {
                case TCP -> {
                    ServerSocketChannel server = ServerSocketChannel.open();
                    channel = server;
                    server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
                    server.bind(local, BACKLOG);
                    yield new Forward(protocol, server, (InetSocketAddress) server.getLocalAddress(), guest);
                }
                case UDP -> {
                    DatagramChannel datagrams = DatagramChannel.open();
                    channel = datagrams;
                    datagrams.bind(local);
                    yield new Forward(protocol, datagrams, (InetSocketAddress) datagrams.getLocalAddress(), guest);
                }
            };
            var registered = new CompletableFuture<@Nullable IOException>();
            loop.execute(() -> registered.complete(forward.register()));
            IOException failure = answer(registered);
            if (failure != null) {
                throw failure;
            }
            forwards.add(forward);
            return forward;
        } catch (IOException e) {
            if (channel != null) {
                channel.close();
            }
            throw new IOException(
                    "can't listen at " + local.getAddress().getHostAddress() + " port " + local.getPort() + " ("
                            + protocol + "): " + e.getMessage(),
                    e);
        }
    }

    /** {@return the forwarded ports} */
    public List<PortForward> forwards() {
        return List.copyOf(forwards);
    }

    private <T> T answer(CompletableFuture<T> future) throws IOException {
        try {
            if (closed) {
                throw new IOException("the network is closed");
            }
            return future.get(ANSWER_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("the network doesn't answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /**
     * {@return what the gateway holds and has done}
     *
     * @throws IOException if it is closed
     */
    public NatStatistics statistics() throws IOException {
        var statistics = new CompletableFuture<NatStatistics>();
        loop.execute(() -> statistics.complete(new NatStatistics(
                tcp.connections(),
                tcp.opened(),
                udp.flows(),
                dhcp.leases(),
                tcp.buffered(),
                output.dropped(),
                loop.failures())));
        return answer(statistics);
    }

    /** {@return whether it has ended} */
    public boolean isClosed() {
        return closed;
    }

    /** Ends all connections, closes all sockets, and stops the thread. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        forwards.forEach(PortForward::close);
        loop.close();
        prober.close();
        resolver.close();
    }

    /** A forwarded port of either protocol. */
    private final class Forward implements PortForward, NatLoop.Handler {
        private final Protocol protocol;
        private final SelectableChannel channel;
        private final InetSocketAddress local;
        private final InetSocketAddress guest;
        private UdpProxy.@Nullable Forward datagrams;

        Forward(Protocol protocol, SelectableChannel channel, InetSocketAddress local, InetSocketAddress guest) {
            this.protocol = protocol;
            this.channel = channel;
            this.local = local;
            this.guest = guest;
        }

        @Nullable
        IOException register() {
            try {
                if (channel instanceof DatagramChannel udpChannel) {
                    datagrams = udp.forward(udpChannel, guest.getAddress(), guest.getPort());
                } else {
                    loop.register(channel, SelectionKey.OP_ACCEPT, this);
                }
                return null;
            } catch (IOException e) {
                return e;
            }
        }

        @Override
        public Protocol protocol() {
            return protocol;
        }

        @Override
        public InetSocketAddress local() {
            return local;
        }

        @Override
        public InetSocketAddress guest() {
            return guest;
        }

        @Override
        public void ready(SelectionKey key) {
            if (!(channel instanceof ServerSocketChannel server)) {
                return;
            }
            try {
                for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
                    SocketChannel accepted = server.accept();
                    if (accepted == null) {
                        return;
                    }
                    tcp.forward(accepted, IpAddress.of(guest.getAddress()), guest.getPort());
                }
            } catch (IOException e) {
                // Most likely there are too many open files, and the connection stays in the backlog: not to spin,
                // wait.
                key.interestOps(0);
                loop.timers().arm(new Timers.Timer(() -> resume(key)), System.nanoTime() + ACCEPT_PAUSE);
            }
        }

        private void resume(SelectionKey key) {
            if (key.isValid()) {
                key.interestOps(SelectionKey.OP_ACCEPT);
            }
        }

        @Override
        public void fail() {
            // One connection was given up; the port goes on.
        }

        @Override
        public void close() {
            if (!forwards.remove(this)) {
                return;
            }
            var done = new CompletableFuture<Boolean>();
            loop.execute(() -> {
                if (datagrams != null) {
                    datagrams.close();
                }
                closeChannel();
                loop.purge();
                done.complete(true);
            });
            try {
                if (!closed) {
                    answer(done);
                }
            } catch (IOException e) {
                closeChannel();
            }
        }

        private void closeChannel() {
            try {
                channel.close();
            } catch (IOException e) {
                // It is gone either way.
            }
        }
    }
}
