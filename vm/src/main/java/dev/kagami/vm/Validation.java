package dev.kagami.vm;

import dev.kagami.cpu.Availability.Unavailable;
import dev.kagami.cpu.Engine;
import dev.kagami.memory.GuestMemory;
import dev.kagami.net.MacAddress;
import dev.kagami.net.NamedSwitch;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Finds everything that is wrong with a description, before anything is made from it. */
final class Validation {
    private static final int MAX_CPUS = 255;

    /** One PCI slot each, beside the host bridge and the entropy device. */
    private static final int MAX_DEVICES = 28;

    private static final int MAX_DEBUG_EXIT_PORT = 0xFFFC;
    private static final int MAX_PORTS = 30;
    private static final int MAX_PORT_NAME = 64;
    private static final int MAX_TAG_BYTES = 36;
    private static final int MAX_SERIAL = 20;
    private static final int MAX_QUEUES = 16;
    private static final int SECTOR_SIZE = 512;
    private static final int MAX_TCP_PORT = 65_535;

    private final List<Problem> problems = new ArrayList<>();

    private Validation() {}

    /**
     * Checks a description.
     *
     * @param config the description
     * @param engines the engines that there are
     * @param boots whether a machine is to boot, so that there must be something to boot, rather than to go on
     * @return all that is wrong, in the order of the description
     */
    static List<Problem> of(VirtualMachineConfig config, Engines engines, boolean boots) {
        Validation validation = new Validation();
        if (boots) {
            validation.checkBoot(config);
        }
        validation.checkProcessors(config, engines);
        validation.checkDisks(config.disks());
        validation.checkNetworks(config);
        if (config.vsock() != null) {
            validation.checkVsock(config.vsock());
        }
        validation.checkPorts(config.ports());
        validation.checkShares(config.shares());
        validation.checkDeviceCount(config);
        validation.checkDebugging(config);
        return List.copyOf(validation.problems);
    }

    private void add(ErrorCode code, String path, String message, String hint) {
        problems.add(new Problem(code, path, message, hint));
    }

    private void invalid(String path, String message, String hint) {
        add(ErrorCode.INVALID_CONFIGURATION, path, message, hint);
    }

    private void checkBoot(VirtualMachineConfig config) {
        LinuxBoot linux = config.linux();
        if (linux == null) {
            if (config.disks().isEmpty()) {
                invalid(
                        "linux",
                        "nothing to boot was given",
                        "name a kernel or a disk: c.linux(l -> l.kernel(...)), or --kernel or --disk on the command line");
            }
            return;
        }
        checkFile("linux.kernel", "kernel", linux.kernel());
        if (linux.initrd() != null) {
            checkFile("linux.initrd", "initrd", linux.initrd());
        }
        for (LinuxBoot.Module module : linux.modules()) {
            checkFile("linux.modules", "module", module.file());
        }
    }

    private void checkProcessors(VirtualMachineConfig config, Engines engines) {
        if (config.cpus() < 1 || config.cpus() > MAX_CPUS) {
            invalid("cpus", "%d CPUs can't be".formatted(config.cpus()), "give 1 to %d CPUs".formatted(MAX_CPUS));
        }
        long bytes = config.memory().bytes();
        if (bytes < GuestMemory.MIN_SIZE || bytes > GuestMemory.MAX_SIZE || bytes % GuestMemory.PAGE_SIZE != 0) {
            invalid(
                    "memory",
                    "%s of memory can't be".formatted(config.memory()),
                    "give a multiple of 4K from 2M to 1T, for example 512M");
        }
        if (!engines.has(config.engine())) {
            add(
                    ErrorCode.ENGINE_UNKNOWN,
                    "engine",
                    "no engine is called '%s'".formatted(config.engine()),
                    "choose one of: %s, %s".formatted(Engines.AUTO, engines.names()));
        }
        engines.available(config.engine()).ifPresent(chosen -> checkModel(config.cpuModel(), chosen));
    }

    private void checkModel(CpuModel model, Engine chosen) {
        if (chosen.supports(model.of(chosen)) instanceof Unavailable(String why)) {
            invalid(
                    "cpuModel",
                    "the engine '%s' can't give a guest the CPU model '%s' here: %s"
                            .formatted(chosen.name(), model.label(), why),
                    "choose '%s', or one of: %s".formatted(CpuModel.AUTO.label(), CpuModel.supportedBy(chosen)));
        }
    }

    private void checkDisks(List<Disk> disks) {
        Set<String> serials = new HashSet<>();
        for (int i = 0; i < disks.size(); i++) {
            checkDisk("disks[%d]".formatted(i), disks.get(i), serials);
        }
    }

    private void checkDisk(String path, Disk disk, Set<String> serials) {
        checkFile(path + ".image", "disk image", disk.image());
        if ((disk.mode() == Disk.Mode.OVERLAY) != (disk.overlay() != null)) {
            invalid(
                    path + ".overlay",
                    "a disk has a file for its overlay if, and only if, its mode says so",
                    "make it by Disk.overlay(image, overlay)");
        } else if (disk.overlay() != null) {
            checkParent(ErrorCode.FILE_UNREADABLE, path + ".overlay", "overlay", disk.overlay());
        }
        String serial = disk.serial();
        if (serial != null) {
            if (serial.isEmpty()
                    || serial.length() > MAX_SERIAL
                    || !serial.chars().allMatch(c -> c > ' ' && c < 0x7F)) {
                invalid(
                        path + ".serial",
                        "a disk can't have the serial number '%s'".formatted(serial),
                        "give 1 to %d ASCII characters without blanks".formatted(MAX_SERIAL));
            } else if (!serials.add(serial)) {
                invalid(
                        path + ".serial",
                        "two disks have the serial number %s".formatted(serial),
                        "give each one of its own");
            }
        }
        if (disk.queues() < 1 || disk.queues() > MAX_QUEUES) {
            invalid(
                    path + ".queues",
                    "a disk can't have %d queues".formatted(disk.queues()),
                    "give 1 to %d".formatted(MAX_QUEUES));
        }
        Long size = disk.size();
        if (size != null && (size <= 0 || size % SECTOR_SIZE != 0)) {
            invalid(
                    path + ".size",
                    "a disk can't have %d bytes".formatted(size),
                    "give a multiple of %d".formatted(SECTOR_SIZE));
        } else if (size != null && disk.mode() == Disk.Mode.READ_ONLY) {
            invalid(
                    path + ".size",
                    "disk %s can't grow, because it is only read".formatted(disk.image()),
                    "leave out the size, or use an overlay");
        }
    }

    private void checkNetworks(VirtualMachineConfig config) {
        Set<MacAddress> addresses = new HashSet<>();
        for (int i = 0; i < config.networks().size(); i++) {
            Network network = config.networks().get(i);
            String path = "networks[%d]".formatted(i);
            if (network.mac() != null) {
                checkMac(path + ".mac", network.mac(), addresses);
            }
            if (network.link() instanceof Network.NamedSwitch(String name) && !NamedSwitch.isName(name)) {
                invalid(
                        path + ".link.name",
                        "a switch can't be called '%s'".formatted(name),
                        "give 1 to 48 letters, digits, dots, dashes and underscores, a letter or digit first");
            }
            if (!(network.link() instanceof Network.Nat) && !network.forwards().isEmpty()) {
                invalid(
                        path + ".forwards",
                        "ports can be forwarded only to a network card behind NAT",
                        "make it Network.nat(), or leave out the forwards");
            }
            for (Network.Forward forward : network.forwards()) {
                checkForward(path + ".forwards", forward);
            }
        }
        if (config.capture() != null) {
            checkParent(ErrorCode.FILE_UNREADABLE, "capture", "capture", config.capture());
        }
    }

    private void checkMac(String path, String text, Set<MacAddress> others) {
        MacAddress address = null;
        try {
            address = MacAddress.parse(text);
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        if (address == null || address.isGroup()) {
            invalid(
                    path,
                    "a network card can't have the address '%s'".formatted(text),
                    "give one like 52:54:00:12:34:56, whose first octet is even");
        } else if (!others.add(address)) {
            invalid(path, "two network cards have the address %s".formatted(text), "give each an address of its own");
        }
    }

    private void checkForward(String path, Network.Forward forward) {
        if (forward.guestPort() < 1 || forward.guestPort() > MAX_TCP_PORT) {
            invalid(
                    path,
                    "a guest has no port %d".formatted(forward.guestPort()),
                    "give a port from 1 to %d".formatted(MAX_TCP_PORT));
        }
        if (forward.local().isUnresolved()) {
            invalid(
                    path,
                    "'%s' is no address of this host".formatted(forward.local().getHostString()),
                    "give 127.0.0.1, or another address of this host");
        }
    }

    private void checkVsock(Vsock vsock) {
        if (vsock.guestCid() < Vsock.FIRST_CID || vsock.guestCid() > Vsock.LAST_CID) {
            invalid(
                    "vsock.guestCid",
                    "a guest can't have the context id %d".formatted(vsock.guestCid()),
                    "give a number from %d to %d".formatted(Vsock.FIRST_CID, Vsock.LAST_CID));
        }
        if (vsock.bridge() != null) {
            checkNewSocket("vsock.bridge", vsock.bridge());
        }
    }

    private void checkPorts(List<Port> ports) {
        if (ports.size() > MAX_PORTS) {
            invalid("ports", "%d ports are too many".formatted(ports.size()), "give at most %d".formatted(MAX_PORTS));
        }
        Set<String> names = new HashSet<>();
        for (int i = 0; i < ports.size(); i++) {
            Port port = ports.get(i);
            String path = "ports[%d]".formatted(i);
            boolean printable = port.name().chars().allMatch(c -> c > ' ' && c < 0x7F && c != '/');
            if (port.name().isEmpty() || port.name().length() > MAX_PORT_NAME || !printable) {
                invalid(
                        path + ".name",
                        "a port can't be called '%s'".formatted(port.name()),
                        "give 1 to %d ASCII characters without blanks and slashes".formatted(MAX_PORT_NAME));
            }
            if (!names.add(port.name())) {
                invalid(
                        path + ".name",
                        "there are two ports called '%s'".formatted(port.name()),
                        "give each port a name of its own");
            }
            if (port.attachment() instanceof Port.ToFile(Path file)) {
                checkParent(ErrorCode.FILE_UNREADABLE, path + ".attachment", "file", file);
            }
        }
    }

    private void checkShares(List<Share> shares) {
        Set<String> tags = new HashSet<>();
        for (int i = 0; i < shares.size(); i++) {
            Share share = shares.get(i);
            String path = "shares[%d]".formatted(i);
            if (!Files.isDirectory(share.directory())) {
                add(
                        ErrorCode.SHARE_UNUSABLE,
                        path + ".directory",
                        "shared directory %s: %s"
                                .formatted(
                                        share.directory(),
                                        Files.exists(share.directory()) ? "not a directory" : "no such directory"),
                        "name a directory that exists");
            }
            int length = share.tag().getBytes(StandardCharsets.UTF_8).length;
            if (length == 0 || length > MAX_TAG_BYTES || share.tag().indexOf('\0') >= 0) {
                invalid(
                        path + ".tag",
                        "the tag of a shared directory can't be '%s'".formatted(share.tag()),
                        "give 1 to %d bytes, for example src".formatted(MAX_TAG_BYTES));
            }
            if (!tags.add(share.tag())) {
                invalid(
                        path + ".tag",
                        "two shared directories have the tag '%s'".formatted(share.tag()),
                        "give each a tag of its own");
            }
        }
    }

    private void checkDeviceCount(VirtualMachineConfig config) {
        int devices = config.disks().size()
                + config.networks().size()
                + config.shares().size()
                + (config.cloudInit() == null ? 0 : 1)
                + (config.vsock() == null ? 0 : 1)
                + (config.ports().isEmpty() ? 0 : 1)
                + (config.balloon() == null ? 0 : 1);
        if (devices > MAX_DEVICES) {
            invalid(
                    "disks",
                    "%d devices are too many: disks, network cards, shared directories and the like".formatted(devices),
                    "give at most %d of all together".formatted(MAX_DEVICES));
        }
    }

    private void checkDebugging(VirtualMachineConfig config) {
        if (config.debugExitPort().isPresent()) {
            int port = config.debugExitPort().getAsInt();
            if (port < 0 || port > MAX_DEBUG_EXIT_PORT) {
                invalid(
                        "debugExitPort",
                        "there can be no debug-exit port at %#x".formatted(port),
                        "give a port from 0 to 0xfffc; 0xf4 is usual");
            }
        }
    }

    /** Checks the path of a Unix socket that is to be made. */
    private void checkNewSocket(String path, Path socket) {
        if (Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
            add(
                    ErrorCode.SOCKET_UNUSABLE,
                    path,
                    "socket %s: there is a file of that name".formatted(socket),
                    "remove it if no machine uses it any more, or choose another name");
        } else {
            checkParent(ErrorCode.SOCKET_UNUSABLE, path, "socket", socket);
        }
    }

    private void checkParent(ErrorCode code, String path, String what, Path file) {
        if (Files.isDirectory(file)) {
            add(code, path, "%s %s: a directory is in its place".formatted(what, file), "name a file");
        } else if (!Files.isDirectory(file.toAbsolutePath().getParent())) {
            add(code, path, "%s %s: no such directory".formatted(what, file), "make the directory first");
        }
    }

    private void checkFile(String path, String what, Path file) {
        String message;
        if (!Files.exists(file)) {
            message = "%s %s: no such file";
        } else if (!Files.isRegularFile(file)) {
            message = "%s %s: not a regular file";
        } else if (!Files.isReadable(file)) {
            message = "%s %s: permission denied";
        } else {
            return;
        }
        add(ErrorCode.FILE_UNREADABLE, path, message.formatted(what, file), "check the path and its permissions");
    }
}
