package dev.kagami.vm;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.ImageInfo;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.Overlay;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Opens the files behind a machine's disks. */
final class DiskFiles {
    private DiskFiles() {}

    /**
     * Opens a disk, making its overlay and growing it where that is asked for.
     *
     * @param disk the disk
     * @param base what a snapshot has of it, or null to open its files
     * @return the open disk
     * @throws KagamiException when a file can't be used
     */
    static DiskStack open(Disk disk, @Nullable SharedDisk base) {
        try {
            if (base != null) {
                return DiskStack.above(base);
            }
            BlockImage image = openImage(disk);
            try {
                grow(image, disk);
                return new DiskStack(disk.mode(), image, null);
            } catch (RuntimeException e) {
                image.close();
                throw e;
            }
        } catch (BlockException e) {
            throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    /**
     * Has a disk's requests done.
     *
     * @param image the open disk, closed with the device
     * @param disk its description
     * @param name of the threads that serve it, where it has several queues
     * @return the device
     */
    static BlockDevice serve(BlockImage image, Disk disk, String name) {
        // A queue is served on its device's thread; for several at a time there must be more.
        return disk.queues() == 1 ? BlockDevice.synchronous(image) : BlockDevice.threaded(image, name, disk.queues());
    }

    private static BlockImage openImage(Disk disk) {
        ImageFormat format = format(disk.format());
        return switch (disk.mode()) {
            case READ_WRITE ->
                DiskImages.open(disk.image(), OpenOptions.readWrite().withFormat(format));
            case READ_ONLY ->
                DiskImages.open(disk.image(), OpenOptions.readOnly().withFormat(format));
            case TEMPORARY ->
                Overlay.temporary(
                        disk.image(),
                        OpenOptions.readOnly().withFormat(format),
                        Path.of(System.getProperty("java.io.tmpdir")));
            case OVERLAY -> openOverlay(disk, format);
        };
    }

    private static BlockImage openOverlay(Disk disk, @Nullable ImageFormat format) {
        Path overlay = Objects.requireNonNull(disk.overlay(), "validation lets no overlay without a file through");
        if (Files.exists(overlay)) {
            checkBase(overlay, disk.image());
        } else {
            Overlay.create(overlay, disk.image(), format, null);
        }
        return DiskImages.open(overlay, OpenOptions.readWrite().withFormat(ImageFormat.QCOW2));
    }

    /** An overlay shows nonsense over any other image than its own. */
    private static void checkBase(Path overlay, Path image) {
        ImageInfo.Qcow2 header = DiskImages.info(overlay, ImageFormat.QCOW2).qcow2();
        String base = header == null ? null : header.backingFile();
        boolean same;
        try {
            same = base != null && Files.isSameFile(overlay.toAbsolutePath().resolveSibling(base), image);
        } catch (IOException e) {
            same = false;
        }
        if (!same) {
            throw new KagamiException(
                    ErrorCode.DISK_UNUSABLE,
                    "overlay %s: it is not over %s but over %s".formatted(overlay, image, base),
                    "name the image that the overlay was made over, or another file for the overlay");
        }
    }

    private static void grow(BlockImage image, Disk disk) {
        // A raw image may end in the middle of a sector.
        if (disk.size() == null || disk.size() == image.size()) {
            return;
        }
        if (disk.size() < image.size()) {
            throw new KagamiException(
                    ErrorCode.DISK_UNUSABLE,
                    "disk %s: it has %d bytes and can't be made smaller, to %d"
                            .formatted(disk.image(), image.size(), disk.size()),
                    "give a larger size, or none");
        }
        image.resize(disk.size());
    }

    static @Nullable ImageFormat format(DiskImage.@Nullable Format format) {
        return switch (format) {
            case null -> null;
            case RAW -> ImageFormat.RAW;
            case QCOW2 -> ImageFormat.QCOW2;
        };
    }
}
