package dev.kagami.vm;

import dev.kagami.agent.AgentToken;
import dev.kagami.agent.AgentTransport;
import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.Overlay;
import dev.kagami.block.iso.IsoImage;
import dev.kagami.image.GuestAgent;
import dev.kagami.net.EthernetLink;
import dev.kagami.net.nat.Nat;
import dev.kagami.net.nat.NatConfig;
import dev.kagami.net.nat.PortForward;
import dev.kagami.virtio.VirtioDevice;
import dev.kagami.virtio.disk.DiskConfig;
import dev.kagami.virtio.disk.DiskDevice;
import dev.kagami.virtio.entropy.EntropyConfig;
import dev.kagami.virtio.entropy.EntropyDevice;
import dev.kagami.virtio.network.NetworkConfig;
import dev.kagami.virtio.network.NetworkDevice;
import dev.kagami.virtio.socket.SocketConfig;
import dev.kagami.virtio.socket.SocketDevice;
import dev.kagami.virtio.socket.UnixSocketBridge;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The devices of one virtual machine, with what they use of the host. They live as long as it does: a reset takes the guest's
 * drivers away from them and nothing else, so a temporary disk keeps its contents and a forward its port.
 *
 * <p>Made and closed by one thread, except what says otherwise.
 */
final class Devices implements AutoCloseable {
    private final VirtualMachineConfig config;
    private final @Nullable SocketDevice sockets;
    private volatile AgentToken token = AgentToken.random();
    private final GuestConsole console;
    private final @Nullable AgentPorts agentPorts;
    private final List<VirtioDevice> devices = new ArrayList<>();
    private final List<BlockDevice> disks = new ArrayList<>();
    private final List<Nat> nats = new CopyOnWriteArrayList<>();
    /** What the devices use of the host, to be closed in the reverse order. */
    private final List<AutoCloseable> backends = new ArrayList<>();
    /** How many network cards there are so far. */
    private int cards;

    /**
     * Makes what needs nothing of the host.
     *
     * @param config the machine's description
     * @param console what remembers the first serial port
     */
    Devices(VirtualMachineConfig config, GuestConsole console) {
        this.config = config;
        this.console = console;
        Vsock vsock = config.vsock();
        long cid = vsock == null ? Vsock.FIRST_CID : vsock.guestCid();
        boolean wanted = vsock != null || config.agentChannel() == AgentChannel.VSOCK;
        agentPorts = config.agentChannel() == AgentChannel.CONSOLE ? new AgentPorts() : null;
        sockets = wanted ? new SocketDevice(new SocketConfig(cid)) : null;
    }

    /**
     * Opens what the devices use of the host.
     *
     * @throws KagamiException when something of it can't be had; nothing stays open
     */
    void open() {
        try {
            devices.add(new EntropyDevice(EntropyConfig.host()));
            config.disks().forEach(this::addDisk);
            CloudInit seed = config.cloudInit();
            if (seed != null) {
                addSeed(seed);
            }
            config.networks().forEach(this::addNetwork);
            if (agentPorts != null) {
                devices.add(agentPorts.device());
            }
            if (sockets != null) {
                addSockets(
                        sockets, config.vsock() == null ? null : config.vsock().bridge());
            }
        } catch (Throwable e) {
            close();
            throw e;
        }
    }

    /** {@return all of them, in the order in which the guest finds them} */
    List<VirtioDevice> all() {
        return devices;
    }

    /** {@return the first disk, which the machine boots from when no kernel was given} */
    BlockImage bootDisk() {
        return disks.getFirst().image();
    }

    /** {@return the vsock device, or null when there is none; any thread may call this, at any time} */
    @Nullable
    SocketDevice sockets() {
        return sockets;
    }

    /** {@return what remembers the first serial port} */
    GuestConsole console() {
        return console;
    }

    /** {@return what the agent in the guest asks for} */
    AgentToken agentToken() {
        return token;
    }

    /** Sets what the agent in the guest asks for, when it was told by another machine. */
    void setAgentToken(AgentToken saved) {
        token = saved;
    }

    /**
     * Connects to the guest's agent.
     *
     * @param patience how long it may take
     * @return the connection
     * @throws IOException when the agent isn't there yet
     */
    ByteChannel connectAgent(Duration patience) throws IOException {
        if (agentPorts != null) {
            return agentPorts.connect(patience);
        }
        if (sockets == null) {
            throw new IllegalStateException("the machine has no way to an agent");
        }
        return sockets.connect(AgentTransport.PORT, patience);
    }

    private void addDisk(Disk disk) {
        BlockDevice device = open(disk);
        backends.add(device);
        disks.add(device);
        devices.add(new DiskDevice(DiskConfig.of(device, "kagami-" + disks.size())));
    }

    private void addSeed(CloudInit seed) {
        Map<String, byte[]> files =
                config.agentChannel() == AgentChannel.NONE ? seed.files() : GuestAgent.addToSeed(seed.files(), token);
        BlockDevice device = BlockDevice.synchronous(
                IsoImage.of(IsoImage.CLOUD_INIT_SEED, files).toBlockImage());
        backends.add(device);
        devices.add(new DiskDevice(DiskConfig.of(device, "kagami-seed")));
    }

    private void addNetwork(Network network) {
        EthernetLink link = new EthernetLink();
        startNat(network, link);
        devices.add(new NetworkDevice(NetworkConfig.of(link.first(), CardAddress.of(config.disks(), cards++))));
    }

    private void startNat(Network network, EthernetLink link) {
        try {
            Nat nat = Nat.start(NatConfig.defaults(), link.second());
            backends.add(nat);
            nats.add(nat);
            network.forwards().forEach(forward -> forward(nat, forward));
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.NETWORK_UNUSABLE,
                    "cannot start the network: " + e.getMessage(),
                    "check the host's limit of open files",
                    e);
        }
    }

    private static Network.Forward forward(Nat nat, Network.Forward forward) {
        PortForward.Protocol protocol = switch (forward.protocol()) {
            case TCP -> PortForward.Protocol.TCP;
            case UDP -> PortForward.Protocol.UDP;
        };
        try {
            return describe(nat.forward(
                    protocol,
                    forward.local(),
                    new InetSocketAddress(nat.config().firstGuest(), forward.guestPort())));
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.NETWORK_UNUSABLE,
                    "cannot forward %s to port %d of the guest: %s"
                            .formatted(forward.local(), forward.guestPort(), e.getMessage()),
                    "choose a port of the host that nothing listens on",
                    e);
        }
    }

    private static Network.Forward describe(PortForward forward) {
        return new Network.Forward(
                switch (forward.protocol()) {
                    case TCP -> Network.Protocol.TCP;
                    case UDP -> Network.Protocol.UDP;
                },
                forward.local(),
                forward.guest().getPort());
    }

    /**
     * Forwards a port to the guest on its first network. Any thread may call this and the like, at any time.
     *
     * @return the forward, with the actual port
     */
    Network.Forward addForward(Network.Forward forward) {
        if (nats.isEmpty()) {
            throw new KagamiException(
                    ErrorCode.NETWORK_UNUSABLE,
                    "the machine has no network that a port could be forwarded into",
                    "start it with a network: c.network(Network.nat()), or --network nat on the command line");
        }
        return forward(nats.getFirst(), forward);
    }

    /** {@return the ports that are forwarded now} */
    List<Network.Forward> forwards() {
        return nats.stream()
                .flatMap(nat -> nat.forwards().stream())
                .map(Devices::describe)
                .toList();
    }

    /** {@return whether there was such a forward, which is there no more} */
    boolean removeForward(Network.Protocol protocol, InetSocketAddress local) {
        for (Nat nat : nats) {
            for (PortForward forward : nat.forwards()) {
                Network.Forward described = describe(forward);
                if (described.protocol() == protocol && described.local().equals(local)) {
                    forward.close();
                    return true;
                }
            }
        }
        return false;
    }

    private void addSockets(SocketDevice device, @Nullable Path bridge) {
        devices.add(device);
        if (bridge == null) {
            return;
        }
        try {
            backends.add(new UnixSocketBridge(device, bridge));
        } catch (UncheckedIOException e) {
            throw new KagamiException(
                    ErrorCode.SOCKET_UNUSABLE,
                    String.valueOf(e.getMessage()),
                    "name a file that doesn't exist, in a directory that you may write to; such paths are short, about"
                            + " 100 bytes",
                    e);
        }
    }

    private static BlockDevice open(Disk disk) {
        try {
            BlockImage image = switch (disk.mode()) {
                case READ_WRITE -> DiskImages.open(disk.image(), OpenOptions.readWrite());
                case READ_ONLY -> DiskImages.open(disk.image(), OpenOptions.readOnly());
                case TEMPORARY ->
                    Overlay.temporary(
                            disk.image(), OpenOptions.readOnly(), Path.of(System.getProperty("java.io.tmpdir")));
            };
            try {
                Long size = disk.size();
                if (size != null && size != image.size()) {
                    image.resize(size);
                }
                return BlockDevice.synchronous(image);
            } catch (RuntimeException e) {
                image.close();
                throw e;
            }
        } catch (BlockException e) {
            throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    /** Gives everything back to the host. May be called again; the machine must have ended. */
    @Override
    public void close() {
        for (AutoCloseable backend : backends.reversed()) {
            closeQuietly(backend);
        }
        backends.clear();
        nats.clear();
        if (sockets != null) {
            sockets.close();
        }
    }

    private static void closeQuietly(AutoCloseable backend) {
        try {
            backend.close();
        } catch (Exception e) {
            // The machine has ended; what could not be closed must not keep the rest from being freed.
            System.getLogger(Devices.class.getName()).log(System.Logger.Level.WARNING, "closing " + backend, e);
        }
    }
}
