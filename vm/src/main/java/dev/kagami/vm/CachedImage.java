package dev.kagami.vm;

import dev.kagami.image.ImageCache;
import dev.kagami.image.ImageException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A disk image from elsewhere in the cache of the user, {@code $XDG_CACHE_HOME/kagami/images}: fetched once, unpacked,
 * checked at every use, never written. Put an overlay over it ({@link Disk#ofImage}, {@link DiskImage#createOver}).
 *
 * <p>A source is an http, https or file address, or a path; there lies a raw or qcow2 image, perhaps packed with gzip or xz,
 * perhaps in a tar archive. A digest is {@code sha256:0123...} or {@code sha512:0123...}, or the path or address (which may
 * be relative to the source) of a file such as {@code SHA256SUMS}; it is the archive's if the image comes in one. Without a
 * digest, what comes the first time is trusted, and anything else later is not.
 *
 * <p>All methods throw {@link KagamiException} with {@link ErrorCode#IMAGE_UNAVAILABLE}. Thread-safe, and safe to use from
 * several processes.
 *
 * @param source where it comes from
 * @param file where it is
 * @param format what it is
 * @param size bytes of the file; what it takes on the host may be less
 * @param digest SHA-256 of what was fetched, such as {@code sha256:0123...}
 * @param fetched when it was fetched
 * @param used when it was asked for last
 */
public record CachedImage(
        String source, Path file, DiskImage.Format format, long size, String digest, Instant fetched, Instant used) {

    /**
     * Something taken out of the cache.
     *
     * @param source where it came from
     * @param bytes bytes of the files
     */
    public record Pruned(String source, long bytes) {}

    /**
     * Returns an image, fetching it if it isn't in the cache, is damaged there, or isn't the one with the digest.
     *
     * @param source where it comes from
     * @param digest what must have come from there, or null
     * @param progress hears of the fetching, and of checking that takes long
     * @return the image
     */
    public static CachedImage get(String source, @Nullable String digest, ProgressListener progress) {
        return call(() -> of(ImageCache.ofUser().get(ImageCache.source(source), digest, progress::progress)));
    }

    /**
     * Returns an image after asking its source whether there is something newer.
     *
     * @param source where it comes from
     * @param digest what must have come from there, or null
     * @param progress hears of the fetching
     * @return the image
     */
    public static CachedImage refresh(String source, @Nullable String digest, ProgressListener progress) {
        return call(() -> of(ImageCache.ofUser().refresh(ImageCache.source(source), digest, progress::progress)));
    }

    /**
     * Makes sure that an image that an overlay rests on is as it was fetched.
     *
     * @param file the image's file, also of an earlier state of its source
     * @param progress hears of checking that takes long
     */
    public static void check(Path file, ProgressListener progress) {
        call(() -> {
            ImageCache.check(file, progress::progress);
            return true;
        });
    }

    /** {@return the images in the cache, the latest used first} */
    public static List<CachedImage> list() {
        return call(
                () -> ImageCache.ofUser().list().stream().map(CachedImage::of).toList());
    }

    /**
     * Deletes images, and what has come of unfinished fetches.
     *
     * @param kept files of images that overlays rest on
     * @param before deletes only what was asked for last before this moment
     * @return what was deleted
     */
    public static List<Pruned> prune(Set<Path> kept, Instant before) {
        return call(() -> ImageCache.ofUser().prune(kept, before).stream()
                .map(pruned -> new Pruned(pruned.source().toString(), pruned.bytes()))
                .toList());
    }

    private static CachedImage of(ImageCache.Image image) {
        return new CachedImage(
                image.source().toString(),
                image.file(),
                switch (image.format()) {
                    case RAW -> DiskImage.Format.RAW;
                    case QCOW2 -> DiskImage.Format.QCOW2;
                },
                image.size(),
                image.digest(),
                image.fetched(),
                image.used());
    }

    private static <T> T call(Supplier<T> action) {
        try {
            return action.get();
        } catch (ImageException e) {
            throw new KagamiException(ErrorCode.IMAGE_UNAVAILABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }
}
