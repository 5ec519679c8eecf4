package dev.kagami.vm;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.MacAddress;
import dev.kagami.net.NamedSwitch;
import dev.kagami.net.PcapngWriter;
import dev.kagami.net.nat.Nat;
import dev.kagami.net.nat.NatConfig;
import dev.kagami.net.nat.PortForward;
import dev.kagami.virtio.network.NetworkConfig;
import dev.kagami.virtio.network.NetworkDevice;
import java.io.IOException;
import java.net.Inet6Address;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The network cards of a machine, with what their cables lead to. Made and closed by one thread. */
final class Networks implements AutoCloseable {
    /** Of the third octet of 10.0.2.0/24, the first card's network behind NAT; the others count on. */
    private static final int FIRST_NAT_NETWORK = 2;

    private final List<Disk> disks;
    private final List<NetworkDevice> devices = new ArrayList<>();
    private final List<NetworkCard> cards = new ArrayList<>();
    /** To be closed in the reverse order. */
    private final List<AutoCloseable> backends = new ArrayList<>();

    /**
     * Plugs the cards in.
     *
     * @param config the machine's description
     * @throws KagamiException when something of the host can't be had; nothing stays open
     */
    Networks(VirtualMachineConfig config) {
        this.disks = config.disks();
        Path capture = config.capture();
        try {
            PcapngWriter recorder = capture == null ? null : record(capture);
            for (Network network : config.networks()) {
                add(network, recorder);
            }
        } catch (Throwable e) {
            close();
            throw e;
        }
    }

    /** {@return the cards as the guest sees them} */
    List<NetworkDevice> devices() {
        return devices;
    }

    /** {@return the cards as the program sees them} */
    List<NetworkCard> cards() {
        return List.copyOf(cards);
    }

    private PcapngWriter record(Path file) {
        try {
            PcapngWriter recorder = PcapngWriter.create(file);
            backends.add(recorder);
            return recorder;
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.FILE_UNREADABLE,
                    "capture %s: can't be written (%s)".formatted(file, e),
                    "name a file in a directory that you may write to",
                    e);
        }
    }

    private void add(Network network, @Nullable PcapngWriter recorder) {
        int number = cards.size();
        MacAddress mac =
                network.mac() == null ? CardAddress.of(network.link(), disks, number) : MacAddress.parse(network.mac());
        EthernetLink link = cable(network.link());
        if (recorder != null) {
            // Before anybody can send.
            link.capture(recorder, "network " + number);
        }
        Nat nat = null;
        if (network.link() instanceof Network.Nat) {
            nat = startNat(link, number);
            for (Network.Forward forward : network.forwards()) {
                forward(nat, forward);
            }
        } else if (network.link() instanceof Network.Endpoint(EthernetEndpoint endpoint)) {
            backends.add(new EndpointLink(endpoint, link.second(), number));
        }
        cards.add(new NetworkCard(mac, link, nat));
        devices.add(new NetworkDevice(NetworkConfig.of(link.first(), mac)));
    }

    private EthernetLink cable(Network.Link to) {
        return switch (to) {
            case Network.Nat() -> new EthernetLink();
            case Network.Endpoint _ -> new EthernetLink();
            case Network.NamedSwitch(String name) -> plug(name);
            case Network.Switch(VirtualSwitch ethernet) -> {
                EthernetLink link = ethernet.plug();
                backends.add(() -> ethernet.unplug(link));
                yield link;
            }
        };
    }

    private EthernetLink plug(String name) {
        try {
            NamedSwitch joined = NamedSwitch.open(name);
            backends.add(joined);
            EthernetLink link = joined.ethernet().plug();
            backends.add(() -> joined.ethernet().unplug(link));
            return link;
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.NETWORK_UNUSABLE,
                    "cannot join the switch %s: %s".formatted(name, e.getMessage()),
                    "check the permissions of the directory that the message names",
                    e);
        }
    }

    private Nat startNat(EthernetLink link, int number) {
        try {
            Nat nat = Nat.start(natConfig(number), link.second());
            backends.add(nat);
            return nat;
        } catch (IOException e) {
            throw unusable(e);
        }
    }

    /** {@return the addresses of a card's network, which differ from those of the machine's other cards} */
    private static NatConfig natConfig(int number) {
        if (number == 0) {
            return NatConfig.defaults();
        }
        String prefix = "10.0.%d.".formatted(FIRST_NAT_NETWORK + number);
        return NatConfig.defaults()
                .withNetwork(prefix + 2, 24, prefix + 3, prefix + 15)
                .withPrefix6((Inet6Address) Inet6Address.ofLiteral("fd00:0:0:%x::".formatted(number)));
    }

    /**
     * Forwards a port.
     *
     * @throws KagamiException when the host's port can't be listened on
     */
    static PortForward forward(Nat nat, Network.Forward forward) {
        try {
            return NetworkCard.open(nat, forward);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.NETWORK_UNUSABLE,
                    "cannot forward %s to port %d of the guest: %s"
                            .formatted(forward.local(), forward.guestPort(), e.getMessage()),
                    "choose a port of the host that nothing listens on",
                    e);
        }
    }

    static KagamiException unusable(IOException e) {
        return new KagamiException(
                ErrorCode.NETWORK_UNUSABLE,
                "cannot start the network: " + e.getMessage(),
                "check the host's limit of open files",
                e);
    }

    @Override
    public void close() {
        backends.reversed().forEach(Devices::closeQuietly);
        backends.clear();
    }
}
