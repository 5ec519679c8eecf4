package dev.kagami.image;

import dev.kagami.block.BackingPolicy;
import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.OpenOptions;
import dev.kagami.image.fetch.Archive;
import dev.kagami.image.fetch.Digest;
import dev.kagami.image.fetch.Digester;
import dev.kagami.image.fetch.Download;
import dev.kagami.image.fetch.Magic;
import dev.kagami.image.fetch.Validator;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Keeps disk images from elsewhere: fetched once, unpacked, checked at every use, never written.
 *
 * <pre>
 *   KEY/lock          held while fetching
 *   KEY/manifest      what the source had when it was fetched last: digests, file
 *   KEY/DIGEST.qcow2  the image, also earlier ones that a disk may still rest on; or .raw
 *   KEY/download      what has come of the next one
 *   KEY/notes         what the server said of it
 * </pre>
 *
 * <p>A manifest is replaced by renaming, after the file it names is in place. Thread-safe; processes exclude each other by
 * the locks. Images from http, https and file addresses: raw and qcow2, also packed with gzip or xz, perhaps in a tar.
 */
public final class ImageCache {

    private static final int KEY_DIGITS = 16;
    private static final int NAME_DIGITS = 32;
    private static final String DOWNLOAD = "download";
    private static final String NOTES = "notes";
    private static final String UNPACKED = "unpacked";
    private static final String READ_ONLY = "r--r--r--";

    private final Path root;
    private final Download.Patience patience;

    /**
     * An image in the cache.
     *
     * @param source where it comes from
     * @param file where it is; must not be written, so put an overlay over it
     * @param format what it is
     * @param size bytes of the file
     * @param digest SHA-256 of what was fetched, such as {@code sha256:0123}, which is an archive's when it came in one
     * @param fetched when it was fetched
     * @param used when it was asked for last
     */
    public record Image(
            URI source, Path file, ImageFormat format, long size, String digest, Instant fetched, Instant used) {}

    /**
     * Something taken out of the cache.
     *
     * @param source where it came from; the directory's address, if that isn't known
     * @param bytes how much of the host's disk that gave back
     */
    public record Pruned(URI source, long bytes) {}

    /** Creates a cache in a directory, which is made when something is fetched. */
    ImageCache(Path root, Download.Patience patience) {
        this.root = root.toAbsolutePath();
        this.patience = patience;
    }

    /** Returns the cache in the user's cache directory. */
    public static ImageCache ofUser() {
        return new ImageCache(CacheDirectory.ofUser().resolve("images"), Download.Patience.usual());
    }

    /**
     * Returns the address that a text means.
     *
     * @param text an http, https or file address, or a path
     * @throws ImageException if it is another address
     */
    public static URI source(String text) {
        int colon = text.indexOf("://");
        if (colon < 0) {
            return Path.of(text).toAbsolutePath().normalize().toUri();
        }
        try {
            URI source = URI.create(text);
            String scheme = String.valueOf(source.getScheme());
            boolean web = scheme.equals("http") || scheme.equals("https");
            if ((web && source.getHost() != null && source.getUserInfo() == null) || isFile(source)) {
                return source;
            }
        } catch (IllegalArgumentException e) {
            // Named below.
        }
        throw new ImageException(
                ImageException.Code.DOWNLOAD_FAILED,
                "\"%s\" is no address that an image can be fetched from".formatted(text),
                "Use http://HOST/PATH, https://HOST/PATH, file:///PATH, or a path.",
                null);
    }

    private static boolean isFile(URI source) {
        return "file".equals(source.getScheme()) && source.getAuthority() == null && source.getPath() != null;
    }

    /**
     * Returns an image, fetching it if it isn't in the cache, is damaged there, or isn't the one with the digest. A file
     * that has changed is fetched again; to ask a server whether something is newer, call {@link #refresh}.
     *
     * @param source where it comes from
     * @param digest what must have come from there: {@code sha256:0123}, {@code sha512:0123}, or the path or address
     *     (which may be relative to the source) of a file such as {@code SHA256SUMS}; null to trust what comes the first time
     * @param progress hears of the fetching, and of checking that takes long
     * @return the image
     * @throws ImageException if it can't be had, or isn't what the digest says
     */
    public Image get(URI source, @Nullable String digest, ProgressListener progress) {
        Optional<Manifest> kept = manifest(source);
        if (kept.isPresent() && isCurrent(source, kept.get(), digest) && isIntact(kept.get(), progress)) {
            return used(kept.get());
        }
        return fetch(source, digest, false, progress);
    }

    /**
     * Asks the source for what is there now and returns that.
     *
     * @param source as in {@link #get}
     * @param digest as in {@link #get}
     * @param progress as in {@link #get}
     * @return the image
     * @throws ImageException if it can't be had, or isn't what the digest says; what was in the cache is still there then
     */
    public Image refresh(URI source, @Nullable String digest, ProgressListener progress) {
        return fetch(source, digest, true, progress);
    }

    /** Says whether what is kept can be what is asked for, without asking the network. */
    private static boolean isCurrent(URI source, Manifest kept, @Nullable String digest) {
        boolean sameFile = !isFile(source) || kept.validator().equals(fileState(Path.of(source)));
        return sameFile && (digest == null || kept.satisfies(digest));
    }

    private static boolean isIntact(Manifest kept, ProgressListener progress) {
        try {
            return Digester.of(kept.image(), Download.name(kept.source()), List.of(Digest.Algorithm.SHA256), progress)
                    .containsValue(kept.imageDigest());
        } catch (IOException e) {
            return false;
        }
    }

    private Image used(Manifest manifest) {
        try {
            Files.setLastModifiedTime(manifest.file(), FileTime.from(Instant.now()));
        } catch (IOException e) {
            // A cache that can only be read is good enough to read from.
        }
        return manifest.toImage();
    }

    @SuppressWarnings("try") // the lock is there to be held, not to be used
    private Image fetch(URI source, @Nullable String digest, boolean anew, ProgressListener progress) {
        if (isFile(source) && !Files.isRegularFile(Path.of(source))) {
            throw new ImageException(
                    ImageException.Code.DOWNLOAD_FAILED,
                    "%s: no such file".formatted(Path.of(source)),
                    "Check the path.",
                    null);
        }
        Path directory = directory(source);
        try (CacheDirectory.Lock lock = CacheDirectory.lock(directory, progress)) {
            Optional<Manifest> kept = manifest(source).filter(manifest -> isIntact(manifest, progress));
            // Another process may have fetched it while this one waited for the lock.
            if (!anew && kept.isPresent() && isCurrent(source, kept.get(), digest)) {
                return used(kept.get());
            }
            Optional<Digest> expected =
                    digest == null ? Optional.empty() : Optional.of(Sums.digest(source, digest, patience, directory));
            if (kept.isPresent()
                    && expected.isPresent()
                    && kept.get().downloadDigests().contains(expected.get())) {
                return used(kept.get().verifiedBy(String.valueOf(digest)));
            }
            Validator known = kept.map(Manifest::validator).orElse(Validator.NONE);
            Optional<Manifest> fetched = new Fetch(source, directory, digest, expected, progress).run(known);
            if (fetched.isEmpty() && expected.isPresent()) {
                throw mismatch(source, expected.get(), kept.orElseThrow().downloadDigests());
            }
            return used(fetched.or(() -> kept).orElseThrow());
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't keep an image in " + directory + ": " + e, e);
        }
    }

    private static ImageException mismatch(URI source, Digest expected, List<Digest> actual) {
        String same = actual.stream()
                .filter(digest -> digest.algorithm() == expected.algorithm())
                .map(Digest::toString)
                .findFirst()
                .orElse("another one");
        return new ImageException(
                ImageException.Code.DIGEST_MISMATCH,
                "%s is not the file with the digest %s; it has %s".formatted(source, expected, same),
                "Check the digest, which may be an older file's; if it is right, don't use the file.",
                null);
    }

    private Path directory(URI source) {
        return root.resolve(Digests.sha256(source.toString().getBytes(StandardCharsets.UTF_8))
                .substring(0, KEY_DIGITS));
    }

    private Optional<Manifest> manifest(URI source) {
        return Manifest.read(directory(source))
                .filter(manifest -> manifest.source().equals(source));
    }

    /** What tells one state of a local file from another. */
    private static Validator fileState(Path file) {
        try {
            return new Validator(
                    "", Files.getLastModifiedTime(file).toInstant().toString(), OptionalLong.of(Files.size(file)));
        } catch (IOException e) {
            return Validator.NONE;
        }
    }

    /** One fetch, with the lock held. */
    private final class Fetch {
        private final URI source;
        private final Path directory;
        private final @Nullable String digest;
        private final Optional<Digest> expected;
        private final ProgressListener progress;
        private final Path download;

        Fetch(
                URI source,
                Path directory,
                @Nullable String digest,
                Optional<Digest> expected,
                ProgressListener progress) {
            this.source = source;
            this.directory = directory;
            this.digest = digest;
            this.expected = expected;
            this.progress = progress;
            download = directory.resolve(DOWNLOAD);
        }

        /** Returns what was fetched; empty if what is known is still current. */
        Optional<Manifest> run(Validator known) throws IOException {
            Files.deleteIfExists(directory.resolve(UNPACKED));
            Download.Result result = download(known);
            if (!result.modified()) {
                return Optional.empty();
            }
            Map<Digest.Algorithm, Digest> digests = digests();
            if (!matches(digests) && result.resumed()) {
                // The parts may come from two files that a server can't tell apart.
                Files.delete(download);
                result = download(Validator.NONE);
                digests = digests();
            }
            if (!matches(digests)) {
                discard();
                throw mismatch(source, expected.orElseThrow(), List.copyOf(digests.values()));
            }
            Manifest manifest = keep(digests, result.validator());
            discard();
            return Optional.of(manifest);
        }

        private void discard() throws IOException {
            Files.deleteIfExists(download);
            Files.deleteIfExists(directory.resolve(NOTES));
        }

        private Download.Result download(Validator known) throws IOException {
            if (!isFile(source)) {
                return new Download(source, download, directory.resolve(NOTES), patience, progress).run(known);
            }
            Path file = Path.of(source);
            Validator state = fileState(file);
            if (state.equals(known)) {
                return new Download.Result(false, false, known);
            }
            progress.progress("Copying " + file.getFileName(), ProgressListener.UNKNOWN);
            Files.copy(file, download, StandardCopyOption.REPLACE_EXISTING);
            return new Download.Result(true, false, state);
        }

        private Map<Digest.Algorithm, Digest> digests() throws IOException {
            return Digester.of(download, Download.name(source), List.of(Digest.Algorithm.values()), progress);
        }

        private boolean matches(Map<Digest.Algorithm, Digest> digests) {
            return expected.isEmpty() || digests.containsValue(expected.get());
        }

        /** Unpacks the image if need be, makes sure that it is one, and puts it in its place. */
        private Manifest keep(Map<Digest.Algorithm, Digest> digests, Validator validator) throws IOException {
            Path unpacked = directory.resolve(UNPACKED);
            boolean packed;
            ImageFormat format;
            try {
                packed = Archive.unpack(download, Download.name(source), unpacked, progress);
                format = check(packed ? unpacked : download);
            } catch (ImageException e) {
                // It would be the same again.
                discard();
                Files.deleteIfExists(unpacked);
                throw e;
            }
            Path image = packed ? unpacked : download;
            Digest imageDigest = packed
                    ? Digester.of(image, Download.name(source), List.of(Digest.Algorithm.SHA256), progress)
                            .get(Digest.Algorithm.SHA256)
                    : digests.get(Digest.Algorithm.SHA256);
            Path file = directory.resolve(imageDigest.hexadecimal().substring(0, NAME_DIGITS) + "."
                    + format.name().toLowerCase(Locale.ROOT));
            protect(image);
            Files.move(image, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            Manifest manifest = new Manifest(
                    directory,
                    source,
                    file.getFileName().toString(),
                    format,
                    imageDigest,
                    List.copyOf(digests.values()),
                    digest == null ? "" : digest,
                    validator,
                    Instant.now());
            manifest.write();
            return manifest;
        }

        private ImageFormat check(Path image) throws IOException {
            String name = Download.name(source);
            Magic.checkImage(image, name);
            // Its maker must not choose a file of this host to be shown to the guest.
            try (BlockImage opened =
                    DiskImages.open(image, OpenOptions.readOnly().withBacking(BackingPolicy.REFUSE))) {
                return opened.format();
            } catch (BlockException e) {
                throw new ImageException(
                        ImageException.Code.DISK_INVALID,
                        "%s can't be used: %s".formatted(source, e.getMessage()),
                        e.hint(),
                        e);
            }
        }

        private static void protect(Path image) throws IOException {
            try {
                Files.setPosixFilePermissions(image, PosixFilePermissions.fromString(READ_ONLY));
            } catch (UnsupportedOperationException e) {
                image.toFile().setReadOnly();
            }
        }
    }

    /**
     * Makes sure that an image that an overlay rests on is as it was fetched.
     *
     * @param file an {@link Image#file}, also of an earlier state of its source
     * @param progress hears of checking that takes long
     * @throws ImageException if it is damaged or gone
     */
    public static void check(Path file, ProgressListener progress) {
        String name = String.valueOf(file.getFileName());
        try {
            String digest = Digester.of(file, "the image of the disk", List.of(Digest.Algorithm.SHA256), progress)
                    .get(Digest.Algorithm.SHA256)
                    .hexadecimal();
            if (name.startsWith(digest.substring(0, NAME_DIGITS) + ".")) {
                return;
            }
        } catch (IOException e) {
            throw damaged(file + " can't be read: " + e, e);
        }
        throw damaged(file + " isn't what was fetched any more", null);
    }

    private static ImageException damaged(String message, @Nullable IOException cause) {
        return new ImageException(
                ImageException.Code.DIGEST_MISMATCH,
                message,
                "Fetch it again with 'kagami image fetch SOURCE', which brings it back if the source still has it.",
                cause);
    }

    /** Returns the images that were fetched last, the latest used first. */
    public List<Image> list() {
        try {
            return directories().stream()
                    .flatMap(directory -> Manifest.read(directory).stream())
                    .map(Manifest::toImage)
                    .sorted((a, b) -> b.used().compareTo(a.used()))
                    .toList();
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't read " + root + ": " + e, e);
        }
    }

    /**
     * Deletes images and what has come of unfinished downloads.
     *
     * @param kept images, or files in this cache, that something rests on
     * @param before deletes only images that were asked for last before this moment
     * @return what was deleted
     */
    @SuppressWarnings("try") // the lock is there to be held, not to be used
    public List<Pruned> prune(Set<Path> kept, Instant before) {
        List<Pruned> pruned = new ArrayList<>();
        try {
            for (Path directory : directories()) {
                try (CacheDirectory.Lock lock = CacheDirectory.lock(directory, ProgressListener.none())) {
                    Optional<Manifest> manifest = Manifest.read(directory);
                    if (manifest.isPresent() && !manifest.get().toImage().used().isBefore(before)) {
                        continue;
                    }
                    long bytes = prune(directory, kept);
                    if (bytes > 0) {
                        pruned.add(new Pruned(manifest.map(Manifest::source).orElse(directory.toUri()), bytes));
                    }
                }
            }
            return pruned;
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't delete images in " + root + ": " + e, e);
        }
    }

    /** Deletes all but the lock, which another process may be waiting for, and what something rests on. */
    private static long prune(Path directory, Set<Path> kept) throws IOException {
        long bytes = 0;
        boolean any = false;
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (name.equals("lock") || name.equals(Manifest.NAME)) {
                    continue;
                }
                if (kept.contains(file)) {
                    any = true;
                } else {
                    bytes += Files.size(file);
                    Files.delete(file);
                }
            }
        }
        if (!any) {
            Files.deleteIfExists(directory.resolve(Manifest.NAME));
        }
        return bytes;
    }

    private List<Path> directories() throws IOException {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (Stream<Path> directories = Files.list(root)) {
            return directories.filter(Files::isDirectory).sorted().toList();
        }
    }
}
