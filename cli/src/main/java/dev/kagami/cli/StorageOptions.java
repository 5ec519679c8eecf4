package dev.kagami.cli;

import dev.kagami.vm.Disk;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.PrintWriter;
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
            paramLabel = "FILE",
            description = "A disk: a raw or qcow2 image that the guest reads and writes; may be given several times."
                    + " Without --kernel, the first one's own kernel is booted.")
    private List<Path> disks = new ArrayList<>();

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

    boolean isEmpty() {
        return disks.isEmpty() && image == null;
    }

    /** {@return the disk that begins as an image from elsewhere, which is fetched now, if there is to be one} */
    Optional<Disk> image(PrintWriter err) {
        if (image == null) {
            if (imageDigest != null) {
                throw new KagamiException(
                        ErrorCode.INVALID_CONFIGURATION, "--image-digest needs --image", "name the image with --image");
            }
            return Optional.empty();
        }
        try (ProgressBar bar = ProgressBar.onStandardError(err)) {
            return Optional.of(Disk.ofImage(image, imageDigest, bar::show));
        }
    }

    void addTo(VirtualMachineConfig.Builder c, Optional<Disk> imageDisk) {
        imageDisk.ifPresent(c::disk);
        disks.forEach(disk -> c.disk(temporary ? Disk.temporary(disk) : Disk.of(disk)));
    }
}
