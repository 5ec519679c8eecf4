package dev.kagami.vm;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A disk of a machine: an image file (raw or qcow2, found by its contents) that the guest sees as a virtio block device.
 *
 * @param image the image file
 * @param mode what becomes of the guest's writes
 * @param size bytes that the disk is grown to at start, or null for as many as the image has
 */
public record Disk(Path image, Mode mode, @Nullable Long size) {
    /** What becomes of the guest's writes. */
    public enum Mode {
        /** They change the image. */
        READ_WRITE,
        /** They fail. */
        READ_ONLY,
        /** They go to a temporary overlay, which is gone when the machine ends; the image is only read. */
        TEMPORARY
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
        return new Disk(image, mode, bytes);
    }
}
