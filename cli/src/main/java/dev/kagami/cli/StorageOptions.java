package dev.kagami.cli;

import dev.kagami.control.Machines;
import dev.kagami.vm.CachedImage;
import dev.kagami.vm.Disk;
import dev.kagami.vm.DiskImage;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What the options say about disks. */
final class StorageOptions {
    static final String HEADING = "%nDisks:%n";

    @Option(
            names = "--disk",
            paramLabel = "FILE[,OPTION...]",
            converter = DiskConverter.class,
            description =
                    "A disk: a raw or qcow2 image that the guest reads and writes; may be repeated. Without --kernel, the"
                            + " first one's own kernel is booted. Options: " + DiskConverter.OPTIONS + ".")
    private List<Disk> disks = new ArrayList<>();

    @Option(
            names = "--cd",
            paramLabel = "FILE",
            description = "A CD behind the disks: an ISO image that the guest reads; may be repeated.")
    private List<Path> cds = new ArrayList<>();

    @Option(
            names = "--temporary",
            description = "Forget what the guest writes to its disks when it ends; the images are only read.")
    private boolean temporary;

    @Option(
            names = "--image",
            paramLabel = "SOURCE",
            description =
                    "A first disk that begins as the image at an http(s) address or in a file, which stays as it is:"
                            + " raw or qcow2, also packed with gzip or xz, perhaps in a tar. It is fetched once. What the guest"
                            + " writes is forgotten when it ends.")
    private @Nullable String image;

    @Option(
            names = "--image-digest",
            paramLabel = "DIGEST",
            description =
                    "What the image (or the archive it comes in) must be: sha256:0123..., sha512:0123..., or a file"
                            + " or address, also one relative to the image's, such as SHA256SUMS.")
    private @Nullable String imageDigest;

    @Option(
            names = "--disk-size",
            paramLabel = "SIZE",
            converter = DiskSize.AbsoluteConverter.class,
            description =
                    "Make the first disk larger at start, for example 20G, unless it is that large. Its image grows with"
                            + " it, but not that of --temporary or --image. Cloud images let their file system grow at boot.")
    private @Nullable Long diskSize;

    private Optional<Disk> imageDisk = Optional.empty();

    /** {@return whether the machine has no disk, as far as {@link #prepare} knows} */
    boolean isEmpty() {
        return disks.isEmpty() && imageDisk.isEmpty();
    }

    /**
     * Fetches the image that is to be the first disk, and makes that disk, if the machine keeps it.
     *
     * @param directory where what is kept of the machine goes; null when nothing is kept
     * @param err hears of the fetching
     */
    void prepare(@Nullable Path directory, PrintWriter err) {
        if (image == null && imageDigest != null) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION, "--image-digest needs --image", "name the image with --image");
        }
        try (ProgressBar bar = ProgressBar.onStandardError(err)) {
            Path kept = directory == null || temporary ? null : directory.resolve(MachineCommands.DISK);
            if (kept != null && Files.exists(kept)) {
                // A named disk is another machine's business than the one that is kept.
                if (image != null || disks.isEmpty()) {
                    MachineCommands.base(kept).ifPresent(base -> CachedImage.check(base, bar::show));
                    imageDisk = Optional.of(Disk.of(kept));
                }
            } else if (image != null && kept != null) {
                CachedImage base = CachedImage.get(image, imageDigest, bar::show);
                Machines.createDirectory(directory);
                DiskImage.createOver(kept, base.file(), base.format(), null);
                imageDisk = Optional.of(Disk.of(kept));
            } else if (image != null) {
                imageDisk = Optional.of(Disk.ofImage(image, imageDigest, bar::show));
            }
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.DISK_UNUSABLE,
                    "cannot make the directory %s: %s".formatted(directory, e),
                    "set XDG_DATA_HOME to a directory that you can write to",
                    e);
        }
        if (diskSize != null && isEmpty()) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION, "--disk-size needs a disk", "name one with --disk or --image");
        }
    }

    void addTo(VirtualMachineConfig.Builder c) {
        List<Disk> all = new ArrayList<>();
        imageDisk.ifPresent(all::add);
        disks.forEach(disk -> all.add(temporary ? forget(disk) : disk));
        if (diskSize != null) {
            all.set(0, all.getFirst().grownTo(diskSize));
        }
        all.forEach(c::disk);
        cds.forEach(cd -> c.disk(Disk.cd(cd)));
    }

    private static Disk forget(Disk disk) {
        return disk.mode() == Disk.Mode.READ_WRITE ? disk.withMode(Disk.Mode.TEMPORARY) : disk;
    }
}
