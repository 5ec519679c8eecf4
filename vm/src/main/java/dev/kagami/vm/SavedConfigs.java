package dev.kagami.vm;

import dev.kagami.vm.snapshot.MachineDescription;
import dev.kagami.vm.snapshot.SavedConfig;
import dev.kagami.vm.snapshot.SnapshotException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Translates descriptions of machines to what snapshots hold of them, and back. */
final class SavedConfigs {
    private SavedConfigs() {}

    /**
     * Describes a machine for its snapshot.
     *
     * @param config its description
     * @param cards its network cards, whose addresses it has chosen
     * @return what to save
     */
    static SavedConfig of(VirtualMachineConfig config, List<NetworkCard> cards) {
        LinuxBoot linux = config.linux();
        Vsock vsock = config.vsock();
        Balloon balloon = config.balloon();
        CloudInit seed = config.cloudInit();
        return new SavedConfig(
                linux == null ? "" : path(linux.kernel()),
                linux == null ? "" : path(linux.initrd()),
                linux == null ? "" : linux.commandLine(),
                linux == null
                        ? List.of()
                        : linux.modules().stream()
                                .map(module -> new SavedConfig.Module(path(module.file()), module.arguments()))
                                .toList(),
                config.diskCommandLine(),
                config.agent().name(),
                config.onReset().name(),
                config.disks().stream().map(SavedConfigs::disk).toList(),
                seed == null
                        ? List.of()
                        : seed.files().entrySet().stream()
                                .map(file -> new SavedConfig.SeedFile(file.getKey(), file.getValue()))
                                .toList(),
                cards.stream()
                        .map(card -> network(config.networks().get(cards.indexOf(card)), card))
                        .toList(),
                vsock == null ? List.of() : List.of(new SavedConfig.Vsock(vsock.guestCid(), path(vsock.bridge()))),
                config.ports().stream().map(SavedConfigs::port).toList(),
                balloon == null ? List.of() : List.of(new SavedConfig.Balloon(balloon.deflateOnDemand())));
    }

    private static String path(@Nullable Path path) {
        return path == null ? "" : path.toAbsolutePath().normalize().toString();
    }

    private static SavedConfig.Disk disk(Disk disk) {
        return new SavedConfig.Disk(
                path(disk.image()),
                disk.mode().name(),
                path(disk.overlay()),
                disk.format() == null ? "" : disk.format().name(),
                disk.serial() == null ? "" : disk.serial(),
                disk.queues(),
                disk.size() == null ? -1 : disk.size());
    }

    private static SavedConfig.Network network(Network network, NetworkCard card) {
        return new SavedConfig.Network(
                network.link() instanceof Network.Nat,
                network.link() instanceof Network.NamedSwitch(String name) ? name : "",
                card.mac(),
                card.forwards().stream()
                        .map(forward -> new SavedConfig.Forward(
                                forward.protocol().name(),
                                forward.local().getAddress().getHostAddress(),
                                forward.local().getPort(),
                                forward.guestPort()))
                        .toList());
    }

    private static SavedConfig.Port port(Port port) {
        return new SavedConfig.Port(
                port.name(), port.console(), port.attachment() instanceof Port.ToFile(Path file) ? path(file) : "");
    }

    /**
     * Describes a machine that goes on. Its serial port, and ports that were connected to the program, are connected to nothing.
     *
     * @param saved what the snapshot holds
     * @param hardware the hardware
     * @param name of the snapshot, for messages
     * @return the description
     * @throws KagamiException when a network card was connected to the program
     * @throws SnapshotException when it makes no sense
     */
    static VirtualMachineConfig config(SavedConfig saved, MachineDescription hardware, String name)
            throws SnapshotException {
        for (int i = 0; i < saved.networks().size(); i++) {
            SavedConfig.Network network = saved.networks().get(i);
            if (!network.nat() && network.namedSwitch().isEmpty()) {
                throw new KagamiException(
                        ErrorCode.SNAPSHOT_MISMATCH,
                        "network card %d of snapshot %s was connected to the program that saved it".formatted(i, name),
                        "describe the machine to restore(), with what its cards are connected to now");
            }
        }
        try {
            return VirtualMachineConfig.of(c -> describe(c, saved, hardware));
        } catch (IllegalArgumentException e) {
            throw new SnapshotException(
                    SnapshotException.Kind.DAMAGED, "its description makes no sense: " + e.getMessage());
        }
    }

    private static void describe(VirtualMachineConfig.Builder c, SavedConfig saved, MachineDescription hardware) {
        c.cpus(hardware.cpus())
                .cpuModel(CpuModel.valueOf(hardware.cpuModel().toUpperCase(Locale.ROOT)))
                .memory(new MemorySize(hardware.memory()))
                .testDevice(hardware.testDevice())
                .diskCommandLine(saved.diskCommandLine())
                .agent(AgentChannel.valueOf(saved.agentChannel()))
                .onReset(ResetPolicy.valueOf(saved.resetPolicy()));
        if (hardware.debugExitPort() >= 0) {
            c.debugExit(hardware.debugExitPort());
        }
        if (!saved.kernel().isEmpty()) {
            c.linux(new LinuxBoot(
                    Path.of(saved.kernel()),
                    optional(saved.initrd(), Path::of),
                    saved.commandLine(),
                    saved.modules().stream()
                            .map(module -> new LinuxBoot.Module(Path.of(module.file()), module.arguments()))
                            .toList()));
        }
        saved.disks().forEach(disk -> c.disk(disk(disk)));
        if (!saved.seed().isEmpty()) {
            c.cloudInit(new CloudInit(saved.seed().stream()
                    .collect(Collectors.toMap(SavedConfig.SeedFile::name, SavedConfig.SeedFile::content))));
        }
        saved.networks().forEach(network -> c.network(network(network)));
        saved.vsock()
                .forEach(vsock -> c.vsock(v -> {
                    v.guestCid(vsock.cid());
                    if (!vsock.bridge().isEmpty()) {
                        v.bridge(Path.of(vsock.bridge()));
                    }
                }));
        saved.ports()
                .forEach(port -> c.port(new Port(
                        port.name(),
                        port.console(),
                        port.file().isEmpty() ? new Port.OnDemand() : new Port.ToFile(Path.of(port.file())))));
        saved.balloon().forEach(balloon -> c.balloon(new Balloon(balloon.deflateOnDemand())));
    }

    private static <T> @Nullable T optional(String text, Function<String, T> parser) {
        return text.isEmpty() ? null : parser.apply(text);
    }

    private static Disk disk(SavedConfig.Disk disk) {
        return new Disk(
                Path.of(disk.image()),
                Disk.Mode.valueOf(disk.mode()),
                optional(disk.overlay(), Path::of),
                optional(disk.format(), DiskImage.Format::valueOf),
                optional(disk.serial(), text -> text),
                disk.queues(),
                disk.size() < 0 ? null : disk.size());
    }

    private static Network network(SavedConfig.Network network) {
        Network.Link link = network.nat() ? new Network.Nat() : new Network.NamedSwitch(network.namedSwitch());
        return new Network(
                link,
                network.mac(),
                network.forwards().stream().map(SavedConfigs::forward).toList());
    }

    private static Network.Forward forward(SavedConfig.Forward forward) {
        return new Network.Forward(
                Network.Protocol.valueOf(forward.protocol()),
                new InetSocketAddress(InetAddress.ofLiteral(forward.address()), forward.port()),
                forward.guestPort());
    }
}
