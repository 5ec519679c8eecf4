package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.MachineStatus;
import dev.kagami.control.Machines;
import dev.kagami.vm.DiskImage;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.Network;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** What the commands for machines with names have in common. */
final class MachineCommands {
    static final String STATUS = "%nExit status:%n";
    static final String STATUS_OK = "0:done";
    static final String STATUS_FAILED = "1:it could not be done; the message on standard error names the cause";
    static final String STATUS_USAGE = "2:the command line is wrong";

    /** The file of a machine's own disk, which begins as an image from elsewhere. */
    static final String DISK = "disk.qcow2";

    private MachineCommands() {}

    /** {@return what a running machine is and does; empty when it has just ended} */
    static Optional<MachineStatus> status(Machines machines, String name) {
        try (ControlClient client = machines.connect(name)) {
            return Optional.of(client.status());
        } catch (KagamiException e) {
            return Optional.empty();
        }
    }

    static String duration(Duration duration) {
        long seconds = duration.toSeconds();
        return seconds < 60
                ? seconds + "s"
                : seconds < 3600
                        ? "%dm%02ds".formatted(seconds / 60, seconds % 60)
                        : seconds < 86_400
                                ? "%dh%02dm".formatted(seconds / 3600, seconds / 60 % 60)
                                : "%dd%02dh".formatted(seconds / 86_400, seconds / 3600 % 24);
    }

    /** {@return a forward as {@code --forward} takes it, with the address only where it isn't the usual} */
    static String forward(Network.Forward forward) {
        String address = forward.local().getAddress().getHostAddress();
        String prefix = address.equals("127.0.0.1") ? "" : address.contains(":") ? "[" + address + "]:" : address + ":";
        String suffix = forward.protocol() == Network.Protocol.TCP
                ? ""
                : "/" + forward.protocol().name().toLowerCase(Locale.ROOT);
        return "%s%d:%d%s".formatted(prefix, forward.local().getPort(), forward.guestPort(), suffix);
    }

    static String forwards(List<Network.Forward> forwards) {
        return forwards.stream().map(MachineCommands::forward).collect(Collectors.joining(" "));
    }

    /** {@return the files that disks of machines rest on} */
    static Set<Path> bases(Machines machines) {
        Set<Path> bases = new HashSet<>();
        for (String name : machines.kept()) {
            Path disk = machines.directory(name).resolve(DISK);
            if (Files.exists(disk)) {
                base(disk).ifPresent(bases::add);
            }
        }
        return bases;
    }

    /** {@return the file that a disk rests on} */
    static Optional<Path> base(Path disk) {
        return Optional.ofNullable(DiskImage.info(disk, DiskImage.Format.QCOW2).backingFile())
                .map(Path::of);
    }
}
