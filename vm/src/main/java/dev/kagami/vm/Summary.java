package dev.kagami.vm;

import dev.kagami.block.BlockImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Says for a person what a machine is made of. */
final class Summary {
    private final VirtualMachineConfig config;
    private final Devices devices;
    private final List<SummaryLine> lines = new ArrayList<>();

    private Summary(VirtualMachineConfig config, Devices devices) {
        this.config = config;
        this.devices = devices;
    }

    /**
     * Collects the lines.
     *
     * @param config the machine's description
     * @param engine what was chosen to run it
     * @param devices its devices
     * @param booted what was booted, or null when nothing was yet
     * @return the lines
     */
    static List<SummaryLine> of(
            VirtualMachineConfig config, Engines.Choice engine, Devices devices, @Nullable Booted booted) {
        Summary summary = new Summary(config, devices);
        summary.add("engine", "%s (%s)".formatted(engine.engine().name(), engine.reason()));
        summary.add(
                "processors",
                "%d, model %s"
                        .formatted(
                                config.cpus(),
                                config.cpuModel().of(engine.engine()).name().toLowerCase(Locale.ROOT)));
        summary.add("memory", config.memory() + (config.balloon() == null ? "" : ", with a balloon"));
        if (booted != null) {
            summary.add("kernel", booted.kernel());
            summary.add("command line", booted.commandLine());
        }
        summary.addStorage();
        summary.addNetworks();
        summary.addOthers();
        return List.copyOf(summary.lines);
    }

    private void add(String topic, String text) {
        lines.add(new SummaryLine(topic, text));
    }

    private void addStorage() {
        List<BlockImage> images = devices.diskImages();
        for (int i = 0; i < config.disks().size(); i++) {
            add("disk " + i, describe(config.disks().get(i), i < images.size() ? images.get(i) : null));
        }
        if (config.cloudInit() != null) {
            add(
                    "cloud-init",
                    config.cloudInit().files().keySet().stream().sorted().collect(Collectors.joining(", ")));
        }
    }

    private static String describe(Disk disk, @Nullable BlockImage image) {
        String mode = switch (disk.mode()) {
            case READ_WRITE -> "";
            case READ_ONLY -> ", read-only";
            case TEMPORARY -> ", changes are forgotten";
            case OVERLAY -> ", changes go to " + disk.overlay();
        };
        String format = disk.format() != null
                ? ", " + disk.format()
                : image != null && disk.mode() != Disk.Mode.TEMPORARY && disk.mode() != Disk.Mode.OVERLAY
                        ? ", " + image.format().name().toLowerCase(Locale.ROOT)
                        : "";
        String size = image == null ? "" : ", " + size(image.size());
        String queues = disk.queues() == 1 ? "" : ", %d queues".formatted(disk.queues());
        String serial = disk.serial() == null ? "" : ", serial " + disk.serial();
        return disk.image() + format + size + mode + queues + serial;
    }

    private static String size(long bytes) {
        return bytes % MemorySize.ofMebibytes(1).bytes() == 0 ? new MemorySize(bytes).toString() : bytes + " bytes";
    }

    private void addNetworks() {
        List<NetworkCard> cards = devices.cards();
        for (int i = 0; i < config.networks().size(); i++) {
            Network network = config.networks().get(i);
            String link = switch (network.link()) {
                case Network.Nat() -> "NAT";
                case Network.Switch _ -> "a switch of this process";
                case Network.NamedSwitch(String name) -> "switch " + name;
                case Network.Endpoint _ -> "an endpoint of this process";
            };
            List<Network.Forward> forwards = i < cards.size() ? cards.get(i).forwards() : network.forwards();
            String mac = i < cards.size() ? cards.get(i).mac() + ", " : "";
            add(
                    "network " + i,
                    mac + link + forwards.stream().map(Summary::describe).collect(Collectors.joining()));
        }
        if (config.capture() != null) {
            add("capture", config.capture().toString());
        }
    }

    private static String describe(Network.Forward forward) {
        return ", %s port %d of %s to %d"
                .formatted(
                        forward.protocol(),
                        forward.local().getPort(),
                        forward.local().getAddress().getHostAddress(),
                        forward.guestPort());
    }

    private void addOthers() {
        for (Share share : config.shares()) {
            add("share " + share.tag(), share.directory() + (share.readOnly() ? ", read-only" : ""));
        }
        for (Port port : config.ports()) {
            String attachment = switch (port.attachment()) {
                case Port.OnDemand() -> "opened on demand";
                case Port.Streams _ -> "connected with streams";
                case Port.ToFile(var file) -> "to " + file;
            };
            add((port.console() ? "console " : "port ") + port.name(), attachment);
        }
        Vsock vsock = config.vsock();
        if (vsock != null) {
            String bridge = vsock.bridge() == null ? "" : ", Unix socket " + vsock.bridge();
            add("vsock", "context id " + vsock.guestCid() + bridge);
        }
    }

    /**
     * What a machine has booted.
     *
     * @param kernel where the kernel comes from
     * @param commandLine its command line
     */
    record Booted(String kernel, String commandLine) {}
}
