package dev.kagami.cli;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachineConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What the options say about networks. */
final class NetworkOptions {
    static final String HEADING = "%nNetworks:%n";

    @Option(
            names = {"-n", "--network"},
            paramLabel = "KIND[,mac=ADDRESS]",
            converter = CardConverter.class,
            description =
                    "A network card: nat, which reaches what the host reaches; switch:NAME, which reaches your other machines"
                            + " on the switch of that name, in other processes too; or none. May be repeated for more cards."
                            + " Default: nat with a disk or --forward, else none.")
    private List<Card> cards = new ArrayList<>();

    @Option(
            names = {"-p", "--forward"},
            paramLabel = "[ADDRESS:]PORT:GUESTPORT[/udp]",
            converter = ForwardConverter.class,
            description =
                    "A port of the host, on 127.0.0.1 unless an ADDRESS is given, that leads to a port of the guest by its"
                            + " first card behind NAT; may be repeated.")
    private List<Network.Forward> forwards = new ArrayList<>();

    @Option(
            names = "--pcap",
            paramLabel = "FILE",
            description = "Record what goes through all network cards, for Wireshark and tshark (pcapng).")
    private @Nullable Path capture;

    /** A card, or none. */
    private record Card(Optional<Network> network) {}

    void addTo(VirtualMachineConfig.Builder c, StorageOptions storage) {
        List<Network> networks = new ArrayList<>(
                cards.stream().flatMap(card -> card.network().stream()).toList());
        if (cards.isEmpty() && (!storage.isEmpty() || !forwards.isEmpty())) {
            networks.add(Network.nat());
        }
        if (!forwards.isEmpty()) {
            addForwards(networks);
        }
        networks.forEach(c::network);
        if (capture != null) {
            if (networks.isEmpty()) {
                throw new KagamiException(
                        ErrorCode.INVALID_CONFIGURATION,
                        "--pcap has nothing to record: the machine has no network",
                        "add --network nat");
            }
            c.capture(capture);
        }
    }

    private void addForwards(List<Network> networks) {
        for (int i = 0; i < networks.size(); i++) {
            if (networks.get(i).link() instanceof Network.Nat) {
                Network card = networks.get(i);
                for (Network.Forward forward : forwards) {
                    card = card.forward(forward);
                }
                networks.set(i, card);
                return;
            }
        }
        throw new KagamiException(
                ErrorCode.INVALID_CONFIGURATION,
                "--forward needs a network card behind NAT, and --network says that there is none",
                "leave out one of them, or add --network nat");
    }

    /** Reads {@code KIND[,mac=ADDRESS]}. */
    private static final class CardConverter implements ITypeConverter<Card> {
        private static final String SWITCH = "switch:";
        private static final String MAC = "mac=";

        @Override
        public Card convert(String value) {
            String[] parts = value.split(",", -1);
            if (value.equals("none")) {
                return new Card(Optional.empty());
            }
            Network network;
            if (parts[0].equals("nat")) {
                network = Network.nat();
            } else if (parts[0].startsWith(SWITCH)) {
                network = Network.onSwitch(parts[0].substring(SWITCH.length()));
            } else {
                throw new TypeConversionException(
                        "'%s' is no kind of network; write none, nat or switch:NAME".formatted(parts[0]));
            }
            for (int i = 1; i < parts.length; i++) {
                if (!parts[i].startsWith(MAC)) {
                    throw new TypeConversionException(
                            "'%s' is nothing that a network card has; write for example nat,mac=52:54:00:12:34:56"
                                    .formatted(parts[i]));
                }
                network = network.withMac(parts[i].substring(MAC.length()));
            }
            return new Card(Optional.of(network));
        }
    }
}
