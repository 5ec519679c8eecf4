package dev.kagami.image.loader;

import dev.kagami.image.ImageException;
import dev.kagami.image.disk.Disk;
import dev.kagami.image.disk.FileSystem;
import dev.kagami.image.disk.FileSystems;
import dev.kagami.image.disk.Partition;
import dev.kagami.image.disk.PartitionTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Looks for boot loaders' configurations on all partitions of a disk. */
public final class BootLoaders {

    /** How many file systems are looked at; a disk to boot from has a few. */
    private static final int MAX_VOLUMES = 32;

    private final LookedFor lookedFor = new LookedFor();
    private final List<Volume> volumes = new ArrayList<>();

    private BootLoaders() {}

    /**
     * What was found.
     *
     * @param loader the kind of boot loader
     * @param where on which partition
     * @param entry what it would start
     */
    public record Found(String loader, String where, BootEntry entry) {}

    private record Kind(String name, Function<Volume, Optional<BootEntry>> finder) {}

    /**
     * Finds what a disk boots.
     *
     * @param disk the disk
     * @return what to boot
     * @throws ImageException if there is nothing, with all that was looked at in the message
     */
    public static Found find(Disk disk) {
        BootLoaders loaders = new BootLoaders();
        loaders.mount(disk);
        return loaders.find().orElseThrow(() -> loaders.nothing());
    }

    private void mount(Disk disk) {
        List<Partition> partitions = PartitionTable.read(disk);
        if (partitions.isEmpty()) {
            partitions = List.of(new Partition(Partition.Table.NONE, 0, "", "", "", 0, disk));
        }
        for (Partition partition : partitions) {
            if (volumes.size() == MAX_VOLUMES) {
                return;
            }
            try {
                Optional<FileSystem> files = FileSystems.open(partition.content());
                files.ifPresentOrElse(
                        found -> volumes.add(new Volume(partition, found)),
                        () -> lookedFor.problem(
                                capital(partition) + " holds " + FileSystems.describe(partition.content())));
            } catch (ImageException e) {
                if (e.code() == ImageException.Code.DISK_UNREADABLE) {
                    throw e;
                }
                lookedFor.problem(capital(partition) + ": " + e.getMessage());
            }
        }
    }

    private static String capital(Partition partition) {
        String name = partition.toString();
        return Character.toUpperCase(name.charAt(0)) + name.substring(1);
    }

    private Optional<Found> find() {
        Grub grub = new Grub(new Volumes(volumes), lookedFor);
        List<Kind> kinds = List.of(
                new Kind("GRUB", grub::find),
                new Kind("Boot Loader Specification", volume -> LoaderEntries.find(volume, lookedFor)),
                new Kind("extlinux", volume -> Extlinux.find(volume, lookedFor)),
                new Kind("no boot loader", volume -> NewestKernel.find(volume, lookedFor)));
        for (Kind kind : kinds) {
            for (Volume volume : volumes) {
                try {
                    Optional<BootEntry> entry = kind.finder().apply(volume);
                    if (entry.isPresent()) {
                        return Optional.of(new Found(kind.name(), volume.toString(), entry.get()));
                    }
                } catch (ImageException e) {
                    if (e.code() == ImageException.Code.DISK_UNREADABLE) {
                        throw e;
                    }
                    lookedFor.problem(capital(volume.partition()) + ": " + e.getMessage());
                }
            }
        }
        return Optional.empty();
    }

    private ImageException nothing() {
        return new ImageException(
                ImageException.Code.NOTHING_TO_BOOT,
                "Found no kernel to boot on the disk." + lookedFor.lines(),
                "Pass --kernel FILE and --initrd FILE, copied out of the guest's /boot, and --append with its root=; or use"
                        + " an image whose /boot lies on ext4, with its boot loader's configuration.",
                null);
    }
}
