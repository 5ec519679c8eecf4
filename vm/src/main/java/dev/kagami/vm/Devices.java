package dev.kagami.vm;

import dev.kagami.agent.AgentToken;
import dev.kagami.agent.AgentTransport;
import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockImage;
import dev.kagami.block.iso.IsoImage;
import dev.kagami.image.GuestAgent;
import dev.kagami.virtio.VirtioDevice;
import dev.kagami.virtio.balloon.BalloonConfig;
import dev.kagami.virtio.balloon.BalloonDevice;
import dev.kagami.virtio.console.ConsoleConfig;
import dev.kagami.virtio.console.ConsoleDevice;
import dev.kagami.virtio.disk.DiskConfig;
import dev.kagami.virtio.disk.DiskDevice;
import dev.kagami.virtio.entropy.EntropyConfig;
import dev.kagami.virtio.entropy.EntropyDevice;
import dev.kagami.virtio.filesystem.FileSystemConfig;
import dev.kagami.virtio.filesystem.FileSystemDevice;
import dev.kagami.virtio.socket.SocketConfig;
import dev.kagami.virtio.socket.SocketDevice;
import dev.kagami.virtio.socket.UnixSocketBridge;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The devices of one virtual machine, with what they use of the host. They live as long as it does: a reset takes the guest's
 * drivers away from them and nothing else, so a temporary disk keeps its contents and a forward its port.
 *
 * <p>Made and closed by one thread, except what says otherwise.
 */
final class Devices implements AutoCloseable {
    /** What a guest takes a console's size to be until it is told. */
    private static final int TERMINAL_COLUMNS = 80;

    private static final int TERMINAL_ROWS = 25;

    private final VirtualMachineConfig config;
    private final @Nullable SocketDevice sockets;
    private volatile AgentToken token = AgentToken.random();
    private final GuestConsole console;
    private final @Nullable AgentPorts agentPorts;
    private final @Nullable ConsoleDevice ports;
    private final @Nullable BalloonDevice balloon;
    private volatile List<NetworkCard> cards = List.of();
    private final List<PortPump> pumps = new ArrayList<>();
    private final List<VirtioDevice> devices = new ArrayList<>();
    private final List<DiskStack> stacks = new CopyOnWriteArrayList<>();
    /** What the devices use of the host, to be closed in the reverse order. */
    private final List<AutoCloseable> backends = new ArrayList<>();

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
        ports = config.ports().isEmpty() ? null : new ConsoleDevice(consoleConfig(config.ports()));
        Balloon limits = config.balloon();
        balloon = limits == null ? null : new BalloonDevice(BalloonConfig.of(limits.deflateOnDemand()));
    }

    /**
     * Opens what the devices use of the host.
     *
     * @throws KagamiException when something of it can't be had; nothing stays open
     */
    void open() {
        open(List.of());
    }

    /**
     * Opens what the devices use of the host.
     *
     * @param bases what to base the disks on, by number; null elements, or an empty list, for their images
     * @throws KagamiException when something of it can't be had; nothing stays open
     */
    void open(List<@Nullable SharedDisk> bases) {
        try {
            devices.add(new EntropyDevice(EntropyConfig.host()));
            for (int i = 0; i < config.disks().size(); i++) {
                Disk disk = config.disks().get(i);
                addDisk(disk, disk.mode() == Disk.Mode.READ_ONLY || i >= bases.size() ? null : bases.get(i));
            }
            CloudInit seed = config.cloudInit();
            if (seed != null) {
                addSeed(seed);
            }
            addNetworks();
            config.shares().forEach(this::addShare);
            if (ports != null) {
                addPorts(ports);
            }
            if (balloon != null) {
                devices.add(balloon);
            }
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

    /** {@return the disks, by number} */
    List<DiskStack> disks() {
        return stacks;
    }

    /** {@return the first disk, which the machine boots from when no kernel was given} */
    BlockImage bootDisk() {
        return stacks.getFirst();
    }

    /** {@return the open disks, none before {@link #open}; any thread may call this, at any time} */
    List<BlockImage> diskImages() {
        return List.copyOf(stacks);
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
        return Objects.requireNonNull(sockets, "asked for a channel to an agent that there is none of")
                .connect(AgentTransport.PORT, patience);
    }

    /** {@return the virtio console device, or null when there is none; any thread may call this, at any time} */
    @Nullable
    ConsoleDevice ports() {
        return ports;
    }

    /** {@return the balloon, or null when there is none; any thread may call this, at any time} */
    @Nullable
    BalloonDevice balloon() {
        return balloon;
    }

    private void addDisk(Disk disk, @Nullable SharedDisk base) {
        int number = stacks.size() + 1;
        DiskStack stack = DiskFiles.open(disk, base);
        BlockDevice device = DiskFiles.serve(stack, disk, "kagami-disk-" + number);
        backends.add(device);
        stacks.add(stack);
        String serial = disk.serial() == null ? "kagami-" + number : disk.serial();
        devices.add(new DiskDevice(new DiskConfig(device, serial, disk.queues())));
    }

    private void addSeed(CloudInit seed) {
        Map<String, byte[]> files =
                config.agentChannel() == AgentChannel.NONE ? seed.files() : GuestAgent.addToSeed(seed.files(), token);
        BlockDevice device = BlockDevice.synchronous(
                IsoImage.of(IsoImage.CLOUD_INIT_SEED, files).toBlockImage());
        backends.add(device);
        devices.add(new DiskDevice(DiskConfig.of(device, "kagami-seed")));
    }

    private void addNetworks() {
        Networks networks = new Networks(config);
        backends.add(networks);
        devices.addAll(networks.devices());
        cards = networks.cards();
    }

    /** {@return the network cards, none before {@link #open}; any thread may call this and what follows, at any time} */
    List<NetworkCard> cards() {
        return cards;
    }

    /**
     * Forwards a port to the guest on its first network card behind NAT.
     *
     * @return the forward, with the actual port
     */
    Network.Forward addForward(Network.Forward forward) {
        return cards.stream()
                .filter(NetworkCard::isBehindNat)
                .findFirst()
                .orElseThrow(() -> new KagamiException(
                        ErrorCode.NETWORK_UNUSABLE,
                        "the machine has no network that a port could be forwarded into",
                        "start it with a network: c.network(Network.nat()), or --network nat on the command line"))
                .forward(forward);
    }

    /** {@return the ports that are forwarded now} */
    List<Network.Forward> forwards() {
        return cards.stream().flatMap(card -> card.forwards().stream()).toList();
    }

    /** {@return whether there was such a forward, which is there no more} */
    boolean removeForward(Network.Protocol protocol, InetSocketAddress local) {
        return cards.stream()
                .anyMatch(card -> card.forwards().stream()
                        .filter(forward -> forward.protocol() == protocol
                                && forward.local().equals(local))
                        .anyMatch(card::removeForward));
    }

    private static ConsoleConfig consoleConfig(List<Port> ports) {
        return new ConsoleConfig(
                ports.stream()
                        .map(port -> new ConsoleConfig.Port(port.name(), port.console()))
                        .toList(),
                TERMINAL_COLUMNS,
                TERMINAL_ROWS);
    }

    private void addPorts(ConsoleDevice device) {
        devices.add(device);
        for (int i = 0; i < config.ports().size(); i++) {
            Port port = config.ports().get(i);
            switch (port.attachment()) {
                case Port.OnDemand() -> {
                    // The program opens it.
                }
                case Port.Streams(InputStream input, OutputStream output) ->
                    pumps.add(new PortPump(port.name(), device.open(i), input, output));
                case Port.ToFile(Path file) -> {
                    OutputStream output = append(file);
                    backends.add(output);
                    pumps.add(new PortPump(port.name(), device.open(i), null, output));
                }
            }
        }
    }

    private static OutputStream append(Path file) {
        try {
            return Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.FILE_UNREADABLE,
                    "file %s: can't be written (%s)".formatted(file, e),
                    "name a file in a directory that you may write to",
                    e);
        }
    }

    private void addShare(Share share) {
        try {
            devices.add(new FileSystemDevice(FileSystemConfig.of(share.directory(), share.tag(), share.readOnly())));
        } catch (UncheckedIOException e) {
            throw new KagamiException(
                    ErrorCode.SHARE_UNUSABLE,
                    "%s: %s".formatted(e.getMessage(), e.getCause().getMessage()),
                    "name a directory that you may read, on a host whose JVM can keep a guest inside of it, as on Linux",
                    e);
        }
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

    /** Gives everything back to the host. May be called again; the machine must have ended. */
    @Override
    public void close() {
        if (ports != null) {
            // Pumps end when they have carried what the guest wrote last.
            ports.close();
        }
        pumps.forEach(PortPump::close);
        pumps.clear();
        for (AutoCloseable backend : backends.reversed()) {
            closeQuietly(backend);
        }
        backends.clear();
        stacks.clear();
        if (sockets != null) {
            sockets.close();
        }
    }

    /** Closes something of the host that a machine used; what goes wrong is logged. */
    static void closeQuietly(AutoCloseable backend) {
        try {
            backend.close();
        } catch (Exception e) {
            // The machine has ended; what could not be closed must not keep the rest from being freed.
            System.getLogger(Devices.class.getName()).log(System.Logger.Level.WARNING, "closing " + backend, e);
        }
    }
}
