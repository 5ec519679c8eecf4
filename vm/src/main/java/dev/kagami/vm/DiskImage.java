package dev.kagami.vm;

import dev.kagami.block.BlockException;
import dev.kagami.block.CheckReport;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.ImageInfo;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.Overlay;
import dev.kagami.block.Progress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes, describes, changes and checks the files that disks are kept in.
 *
 * <p>Where a format may be null, the file is looked at: what isn't qcow2 is raw. Name the format of a raw image from
 * elsewhere, whose contents could pretend to be another.
 *
 * <p>All methods throw {@link KagamiException} with {@link ErrorCode#DISK_UNUSABLE}: for a file that isn't there, is there
 * already, is in use by a machine, or isn't what it should be. Thread-safe.
 */
public final class DiskImage {
    private static final Duration PROGRESS_INTERVAL = Duration.ofMillis(200);

    private DiskImage() {}

    /** A format of images. */
    public enum Format {
        /** The bytes of the disk and nothing else; zeros take no space where the host knows sparse files. */
        RAW,
        /** QEMU's copy-on-write format, which grows as it is written. */
        QCOW2;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** How the contents of a qcow2 image are compressed. */
    public enum Compression {
        /** Not at all. */
        NONE,
        /** RFC 1951, which every program that reads qcow2 knows. */
        ZLIB,
        /** RFC 8878, which is faster and needs QEMU 5.1 or newer elsewhere. */
        ZSTD;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What a check may correct. */
    public enum Repair {
        /** Nothing; the file is only read. */
        NOTHING,
        /** Space that counts as used but holds nothing is freed, which is safe. */
        LEAKS,
        /** All reference counts are made to agree with the tables. */
        ALL;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What a new image is to be like.
     *
     * @param format its format
     * @param compression what to compress it with when it is converted; {@code NONE} in a raw image
     * @param clusterSize for qcow2, the unit in bytes in which space is taken, a power of two from 512 to 2097152
     */
    public record Options(Format format, Compression compression, int clusterSize) {
        /** The cluster size in bytes that QEMU takes too. */
        public static final int DEFAULT_CLUSTER_SIZE = 64 << 10;

        /**
         * Makes options with the usual values.
         *
         * @param format the format
         * @return no compression, clusters of the default size
         */
        public static Options of(Format format) {
            return new Options(format, Compression.NONE, DEFAULT_CLUSTER_SIZE);
        }

        private ImageOptions toBlock() {
            return ImageOptions.qcow2()
                    .withFormat(DiskImage.toBlock(format))
                    .withClusterSize(clusterSize)
                    .withCompression(
                            switch (compression) {
                                case NONE -> dev.kagami.block.Compression.NONE;
                                case ZLIB -> dev.kagami.block.Compression.ZLIB;
                                case ZSTD -> dev.kagami.block.Compression.ZSTD;
                            });
        }
    }

    /**
     * What an image is.
     *
     * @param file the image
     * @param format its format
     * @param size bytes of the disk
     * @param fileSize bytes of the file; what it takes on the host may be less
     * @param backingFile the image that shows where this one has nothing, as its header names it, or null
     * @param text all that is known, in lines for people
     * @param json the same as a JSON object (RFC 8259) on one line
     */
    public record Info(
            Path file,
            Format format,
            long size,
            long fileSize,
            @Nullable String backingFile,
            String text,
            String json) {}

    /**
     * What a check found.
     *
     * @param errors contradictions that may cost data and are still there
     * @param leaks clusters that count as used, hold nothing, and still do
     * @param repairedErrors contradictions that were corrected
     * @param repairedLeaks clusters that were freed
     * @param allocatedClusters clusters of the disk that have a place in the file; 0 in a raw image
     * @param totalClusters clusters of the disk; 0 in a raw image
     * @param messages the first errors, each in a sentence
     */
    public record Check(
            long errors,
            long leaks,
            long repairedErrors,
            long repairedLeaks,
            long allocatedClusters,
            long totalClusters,
            List<String> messages) {
        /** {@return whether nothing is wrong with the image now} */
        public boolean clean() {
            return errors == 0 && leaks == 0;
        }
    }

    /**
     * Creates an image that reads as zeros.
     *
     * @param file where there is no file yet
     * @param size bytes of the disk; in qcow2 rounded up to whole sectors of 512
     * @param options what it is to be like
     */
    public static void create(Path file, long size, Options options) {
        run(() -> DiskImages.create(file, size, options.toBlock()));
    }

    /**
     * Creates a qcow2 image that shows another one wherever it was not written itself.
     *
     * @param file where there is no file yet
     * @param backing the other image, which must not change any more
     * @param backingFormat its format, or null to look
     * @param size bytes of the disk, not less than the other has, or null for as many
     */
    public static void createOver(Path file, Path backing, @Nullable Format backingFormat, @Nullable Long size) {
        run(() -> Overlay.create(file, backing, toBlockOrNull(backingFormat), size));
    }

    /**
     * Tells what an image is. The image it is based on isn't opened.
     *
     * @param file the image
     * @param format its format, or null to look
     * @return what it is
     */
    public static Info info(Path file, @Nullable Format format) {
        ImageInfo info = call(() -> DiskImages.info(file, toBlockOrNull(format)));
        ImageInfo.Qcow2 qcow2 = info.qcow2();
        return new Info(
                file,
                switch (info.format()) {
                    case RAW -> Format.RAW;
                    case QCOW2 -> Format.QCOW2;
                },
                info.size(),
                info.fileSize(),
                qcow2 == null ? null : qcow2.backingFile(),
                info.text(),
                info.json());
    }

    /**
     * Makes the disk of an image larger. What is added reads as zeros.
     *
     * @param file the image
     * @param format its format, or null to look
     * @param size bytes of the disk, not less than now
     */
    public static void resize(Path file, @Nullable Format format, long size) {
        run(() -> DiskImages.resize(file, toBlockOrNull(format), size));
    }

    /**
     * Copies what an image shows, together with the images it is based on, to a new one that stands alone.
     *
     * @param source the image to copy
     * @param format its format, or null to look
     * @param target where there is no file yet; none is left there when this fails
     * @param options what the new image is to be like
     * @param progress hears how far it is
     */
    public static void convert(
            Path source, @Nullable Format format, Path target, Options options, ProgressListener progress) {
        Progress throttled = throttled("converting " + source, progress);
        run(() -> DiskImages.convert(source, toBlockOrNull(format), target, options.toBlock(), throttled));
    }

    /**
     * Looks for contradictions in the tables of an image.
     *
     * @param file the image; a raw one has no tables and is always clean
     * @param format its format, or null to look
     * @param repair what to correct
     * @return what was found
     */
    public static Check check(Path file, @Nullable Format format, Repair repair) {
        CheckReport.Repair allowed = switch (repair) {
            case NOTHING -> CheckReport.Repair.NOTHING;
            case LEAKS -> CheckReport.Repair.LEAKS;
            case ALL -> CheckReport.Repair.ALL;
        };
        CheckReport report = call(() -> DiskImages.check(file, toBlockOrNull(format), allowed));
        return new Check(
                report.errors(),
                report.leaks(),
                report.repairedErrors(),
                report.repairedLeaks(),
                report.allocatedClusters(),
                report.totalClusters(),
                report.messages());
    }

    private static ImageFormat toBlock(Format format) {
        return switch (format) {
            case RAW -> ImageFormat.RAW;
            case QCOW2 -> ImageFormat.QCOW2;
        };
    }

    private static @Nullable ImageFormat toBlockOrNull(@Nullable Format format) {
        return format == null ? null : toBlock(format);
    }

    /** A conversion reports every few mebibytes, which is more than a listener wants to hear. */
    private static Progress throttled(String phase, ProgressListener listener) {
        return new Progress() {
            private long next = System.nanoTime();

            @Override
            public void update(long done, long total) {
                long now = System.nanoTime();
                if (done == total || now - next >= 0) {
                    next = now + PROGRESS_INTERVAL.toNanos();
                    listener.progress(phase, total == 0 ? 1 : (double) done / total);
                }
            }
        };
    }

    private static void run(Runnable action) {
        call(() -> {
            action.run();
            return true;
        });
    }

    private static <T> T call(Supplier<T> action) {
        try {
            return action.get();
        } catch (BlockException e) {
            throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }
}
