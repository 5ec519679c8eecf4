package dev.kagami.block;

import dev.kagami.block.qcow2.Qcow2Check;
import dev.kagami.block.qcow2.Qcow2Creator;
import dev.kagami.block.qcow2.Qcow2Header;
import dev.kagami.block.qcow2.Qcow2Image;
import dev.kagami.block.qcow2.Snapshots;
import dev.kagami.block.storage.FileStorage;
import dev.kagami.block.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Opens, makes and changes disk images.
 *
 * <p>All methods throw {@link BlockException}. Each locks the images it uses as long as it uses them.
 */
public final class DiskImages {
    private DiskImages() {}

    /**
     * Opens an image and, read-only, its backing files.
     *
     * @param file the image
     * @param options how
     * @return the open image; to be closed
     */
    public static BlockImage open(Path file, OpenOptions options) {
        return ImageOpener.open(file, options);
    }

    /**
     * Creates an image that reads as zeros.
     *
     * @param file where there is no file yet
     * @param size bytes of the disk; in qcow2 rounded up to whole sectors
     * @param options what it is to be like
     */
    public static void create(Path file, long size, ImageOptions options) {
        create(file, size, options, null, null);
    }

    /** Creates an image, over a backing file if one is named. */
    static void create(
            Path file,
            long size,
            ImageOptions options,
            @Nullable String backingFile,
            @Nullable ImageFormat backingFormat) {
        checkSize(file, size, options);
        Storage storage = FileStorage.create(file);
        boolean done = false;
        try (storage) {
            initialize(storage, size, options, backingFile, backingFormat);
            done = true;
        } finally {
            if (!done) {
                delete(file);
            }
        }
    }

    /** Refuses sizes that the format can't have. */
    static void checkSize(Path file, long size, ImageOptions options) {
        int clusterBits = Integer.numberOfTrailingZeros(options.clusterSize());
        if (size < 0 || options.format() == ImageFormat.QCOW2 && size > Qcow2Creator.maximumSize(clusterBits)) {
            throw new BlockException(
                    BlockException.Code.OUT_OF_RANGE,
                    "%s can't have %d bytes".formatted(file, size),
                    "Use a smaller size, or larger clusters.");
        }
    }

    /** Makes an image of an empty file. */
    static void initialize(
            Storage storage,
            long size,
            ImageOptions options,
            @Nullable String backingFile,
            @Nullable ImageFormat backingFormat) {
        switch (options.format()) {
            case RAW -> {
                storage.setLength(size);
                storage.force();
            }
            case QCOW2 ->
                // Other programs cut off what isn't a whole sector.
                new Qcow2Creator(
                                size + BlockImage.SECTOR_SIZE - 1 & -BlockImage.SECTOR_SIZE,
                                options.version(),
                                Integer.numberOfTrailingZeros(options.clusterSize()),
                                Integer.numberOfTrailingZeros(options.refcountBits()),
                                options.compression() == Compression.ZSTD ? 1 : 0,
                                backingFile,
                                backingFormat == null ? null : backingFormat.id())
                        .create(storage);
        }
    }

    static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            System.getLogger(DiskImages.class.getName())
                    .log(System.Logger.Level.WARNING, "cannot delete {0}: {1}", file, e.getMessage());
        }
    }

    /**
     * Tells what an image is. Backing files aren't opened.
     *
     * @param file the image
     * @param format its format, or null to look
     */
    public static ImageInfo info(Path file, @Nullable ImageFormat format) {
        try (Storage storage = FileStorage.open(file, false)) {
            ImageFormat found = format != null ? format : ImageOpener.probe(storage);
            if (found == ImageFormat.RAW) {
                return new ImageInfo(file, found, storage.length(), storage.length(), null);
            }
            Qcow2Header header = Qcow2Header.read(storage);
            List<ImageInfo.Snapshot> snapshots = Snapshots.read(storage, header).list().stream()
                    .map(each -> new ImageInfo.Snapshot(
                            each.id(),
                            each.name(),
                            Instant.ofEpochSecond(each.seconds()),
                            each.diskSize(),
                            each.vmStateSize()))
                    .toList();
            return new ImageInfo(
                    file,
                    found,
                    header.size(),
                    storage.length(),
                    new ImageInfo.Qcow2(
                            header.version(),
                            header.clusterSize(),
                            header.refcountBits(),
                            header.compressionType() == 0 ? Compression.ZLIB : Compression.ZSTD,
                            header.backingFile(),
                            header.backingFormat(),
                            header.dirty(),
                            header.corrupt(),
                            header.lazyRefcounts(),
                            snapshots));
        }
    }

    /**
     * Makes the disk of an image larger.
     *
     * @param file the image
     * @param format its format, or null to look
     * @param newSize bytes, not less than now
     */
    public static void resize(Path file, @Nullable ImageFormat format, long newSize) {
        try (BlockImage image = open(file, OpenOptions.readWrite().withFormat(format))) {
            image.resize(newSize);
        }
    }

    /**
     * Copies the contents of an image, with what its backing files show, to a new image. Zeros take no space there.
     *
     * @param source the image to copy
     * @param format its format, or null to look
     * @param target where there is no file yet; none is left there when this fails
     * @param options what the new image is to be like
     * @param progress hears how far it is; may throw to end it
     */
    public static void convert(
            Path source, @Nullable ImageFormat format, Path target, ImageOptions options, Progress progress) {
        try (BlockImage image = open(source, OpenOptions.readOnly().withFormat(format))) {
            Converter.convert(image, target, options, progress);
        }
    }

    /**
     * Looks for contradictions in an image's tables.
     *
     * @param file the image; a raw image has no tables and is always clean
     * @param format its format, or null to look
     * @param repair what to correct
     */
    public static CheckReport check(Path file, @Nullable ImageFormat format, CheckReport.Repair repair) {
        try (Storage storage = FileStorage.open(file, repair != CheckReport.Repair.NOTHING)) {
            if ((format != null ? format : ImageOpener.probe(storage)) == ImageFormat.RAW) {
                return new CheckReport(file, 0, 0, 0, 0, 0, 0, List.of());
            }
            Qcow2Check.Result result = Qcow2Check.check(
                    storage,
                    switch (repair) {
                        case NOTHING -> Qcow2Check.Repair.NOTHING;
                        case LEAKS -> Qcow2Check.Repair.LEAKS;
                        case ALL -> Qcow2Check.Repair.ALL;
                    });
            return new CheckReport(
                    file,
                    result.errors(),
                    result.leaks(),
                    result.fixedErrors(),
                    result.fixedLeaks(),
                    result.allocatedClusters(),
                    result.totalClusters(),
                    result.messages());
        }
    }

    /** {@return an image in a file that was just initialized} */
    static BlockImage openNew(Storage storage, ImageOptions options) {
        return switch (options.format()) {
            case RAW -> RawImage.open(storage, false);
            case QCOW2 -> Qcow2Image.open(storage, Qcow2Header.read(storage), null);
        };
    }
}
