package dev.kagami.vm;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A disk of a machine: an image file (raw or qcow2, found by its contents) that the guest sees as a virtio block device.
 *
 * @param image the image file
 * @param mode what becomes of the guest's writes
 * @param overlay the file that takes the guest's writes, with {@link Mode#OVERLAY}; else null
 * @param format the image's format, or null to look; name it for a raw image from elsewhere, whose contents could pretend
 *     to be another
 * @param serial its serial number, up to 20 ASCII characters, by which the guest finds it in {@code /dev/disk/by-id}; null
 *     for kagami-1 and so on
 * @param queues how many queues it has, each served by a thread of the host: 1 to 16
 * @param size bytes that the disk is grown to at start, a multiple of 512, or null for as many as the image has
 */
public record Disk(
        Path image,
        Mode mode,
        @Nullable Path overlay,
        DiskImage.@Nullable Format format,
        @Nullable String serial,
        int queues,
        @Nullable Long size) {
    /** What becomes of the guest's writes. */
    public enum Mode {
        /** They change the image. */
        READ_WRITE,
        /** They fail. */
        READ_ONLY,
        /** They go to a temporary overlay, which is gone when the machine ends; the image is only read. */
        TEMPORARY,
        /** They go to an overlay that lasts, made at the first start; the image is only read and must not change. */
        OVERLAY
    }

    private Disk(Path image, Mode mode, @Nullable Path overlay) {
        this(image, mode, overlay, null, null, 1, null);
    }

    /**
     * Describes a disk whose image the guest changes.
     *
     * @param image the image file
     * @return the disk
     */
    public static Disk of(Path image) {
        return new Disk(image, Mode.READ_WRITE, null);
    }

    /**
     * Describes a disk that the guest can only read.
     *
     * @param image the image file
     * @return the disk
     */
    public static Disk readOnly(Path image) {
        return new Disk(image, Mode.READ_ONLY, null);
    }

    /**
     * Describes a disk that begins as the image is, and whose changes are forgotten when the machine ends.
     *
     * @param image the image file
     * @return the disk
     */
    public static Disk temporary(Path image) {
        return new Disk(image, Mode.TEMPORARY, null);
    }

    /**
     * Describes a disk that begins as the image is, and keeps its changes in a file of its own.
     *
     * @param image the image file, which must not change any more; many disks may begin as one image
     * @param overlay the file, qcow2; made when the machine first starts, and used again from then on
     * @return the disk
     */
    public static Disk overlay(Path image, Path overlay) {
        return new Disk(image, Mode.OVERLAY, overlay);
    }

    /**
     * Describes a CD: an ISO 9660 image that the guest can only read. To the guest it is a disk as any other.
     *
     * @param image the image file
     * @return the disk
     */
    public static Disk cd(Path image) {
        return new Disk(image, Mode.READ_ONLY, null).withFormat(DiskImage.Format.RAW);
    }

    /**
     * Describes a disk that begins as an image from elsewhere, which is fetched now unless it is in the cache, and whose
     * changes are forgotten when the machine ends.
     *
     * @param source an http, https or file address, or a path; see {@link CachedImage}
     * @return the disk
     * @throws KagamiException when the image can't be had
     */
    public static Disk ofImage(String source) {
        return ofImage(source, null, (phase, fraction) -> {});
    }

    /**
     * Describes a disk that begins as an image from elsewhere, as {@link #ofImage(String)} does.
     *
     * @param source where it comes from
     * @param digest what it must be, such as {@code sha256:0123...}, or null; see {@link CachedImage}
     * @param progress hears of the fetching
     * @return the disk
     * @throws KagamiException when the image can't be had, or isn't what the digest says
     */
    public static Disk ofImage(String source, @Nullable String digest, ProgressListener progress) {
        return temporary(CachedImage.get(source, digest, progress).file());
    }

    /**
     * Makes the disk larger at start, where it isn't that large already: the image, or the temporary overlay. What is added
     * reads as zeros. The guest's partitions and file systems stay as they are; cloud images let theirs grow at boot.
     *
     * @param bytes bytes, not less than the image has; a disk that can only be read can't grow
     * @return the disk
     */
    public Disk grownTo(long bytes) {
        return new Disk(image, mode, overlay, format, serial, queues, bytes);
    }

    /**
     * Names the image's format instead of looking.
     *
     * @param format the format
     * @return the disk with that format
     */
    public Disk withFormat(DiskImage.Format format) {
        return new Disk(image, mode, overlay, format, serial, queues, size);
    }

    /**
     * Sets the serial number.
     *
     * @param serial up to 20 ASCII characters
     * @return the disk with that number
     */
    public Disk withSerial(String serial) {
        return new Disk(image, mode, overlay, format, serial, queues, size);
    }

    /**
     * Sets the number of queues; 1 by default. With more, as many requests are served at the same time.
     *
     * @param queues 1 to 16; as many as CPUs is usual
     * @return the disk with so many
     */
    public Disk withQueues(int queues) {
        return new Disk(image, mode, overlay, format, serial, queues, size);
    }

    /** {@return a disk of a copy of the machine, which writes to no file of the original} */
    Disk forBranch() {
        return switch (mode) {
            case READ_ONLY, TEMPORARY -> this;
            case READ_WRITE -> withMode(Mode.TEMPORARY);
            case OVERLAY ->
                new Disk(
                        overlay == null ? image : overlay,
                        Mode.TEMPORARY,
                        null,
                        DiskImage.Format.QCOW2,
                        serial,
                        queues,
                        size);
        };
    }

    /**
     * Sets what becomes of the guest's writes.
     *
     * @param mode any but {@link Mode#OVERLAY}, which needs a file
     * @return the disk with that mode
     */
    public Disk withMode(Mode mode) {
        return new Disk(image, mode, null, format, serial, queues, size);
    }
}
