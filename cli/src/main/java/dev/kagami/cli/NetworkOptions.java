package dev.kagami.cli;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachineConfig;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the options say about networks. */
final class NetworkOptions {
    static final String HEADING = "%nNetworks:%n";

    @Option(
            names = "--network",
            paramLabel = "KIND",
            description =
                    "What the guest is connected to: ${COMPLETION-CANDIDATES}. Default: nat with --disk or --forward,"
                            + " else none.")
    private @Nullable NetworkKind network;

    @Option(
            names = "--forward",
            paramLabel = "[ADDRESS:]PORT:GUESTPORT[/udp]",
            converter = ForwardConverter.class,
            description =
                    "A port of the host, on 127.0.0.1 unless an ADDRESS is given, that leads to a port of the guest;"
                            + " may be given several times.")
    private List<Network.Forward> forwards = new ArrayList<>();

    void addTo(VirtualMachineConfig.Builder c, StorageOptions storage) {
        if (network == null ? !storage.isEmpty() || !forwards.isEmpty() : network == NetworkKind.NAT) {
            c.network(new Network(forwards));
        } else if (!forwards.isEmpty()) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "--forward needs a network, and --network none says that there is none",
                    "leave out one of them");
        }
    }
}
