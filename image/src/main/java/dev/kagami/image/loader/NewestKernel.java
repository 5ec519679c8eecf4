package dev.kagami.image.loader;

import dev.kagami.image.disk.FileSystem;
import dev.kagami.image.disk.GuestFile;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Takes the newest kernel there is, for root file systems without any boot loader, such as those made for hypervisors that
 * are told of a kernel.
 */
final class NewestKernel {

    private static final List<String> DIRECTORIES = List.of("/boot/", "/");
    private static final List<String> PREFIXES = List.of("vmlinuz-", "bzImage-", "vmlinuz", "bzImage");

    private NewestKernel() {}

    static Optional<BootEntry> find(Volume volume, LookedFor lookedFor) {
        FileSystem files = volume.files();
        for (String directory : DIRECTORIES) {
            List<String> names = files.list(directory);
            for (String prefix : PREFIXES) {
                Optional<String> newest = names.stream()
                        .filter(name -> prefix.endsWith("-") ? name.startsWith(prefix) : name.equals(prefix))
                        .filter(name -> !name.contains("rescue"))
                        .max(Comparator.comparing(name -> name, VersionOrder.INSTANCE));
                Optional<GuestFile> kernel = newest.flatMap(name -> files.open(directory + name));
                if (kernel.isPresent()) {
                    String version = newest.get().substring(prefix.length());
                    return Optional.of(new BootEntry(
                            newest.get(), kernel.get(), initrd(files, directory, version), commandLine(volume)));
                }
            }
        }
        lookedFor.nothing("/boot/vmlinuz*", volume);
        return Optional.empty();
    }

    private static List<GuestFile> initrd(FileSystem files, String directory, String version) {
        Stream<String> names = version.isEmpty()
                ? Stream.of("initrd.img", "initrd", "initramfs.img")
                : Stream.of(
                        "initrd.img-" + version,
                        "initrd-" + version,
                        "initramfs-" + version + ".img",
                        "initramfs-" + version);
        return names.flatMap(name -> files.open(directory + name).stream())
                .limit(1)
                .toList();
    }

    private static String commandLine(Volume volume) {
        // Without an initramfs the kernel knows partitions, but not file systems, by their UUIDs.
        String partition = volume.partition().uuid();
        String root = partition.isEmpty() ? "/dev/vda" : "PARTUUID=" + partition;
        return "root=" + root + " rw console=ttyS0";
    }
}
