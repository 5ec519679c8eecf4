package dev.kagami.image;

import dev.kagami.block.ImageFormat;
import dev.kagami.image.fetch.Digest;
import dev.kagami.image.fetch.Validator;
import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the cache knows of an image.
 *
 * @param directory where it is
 * @param source where it comes from
 * @param imageName the image's file name
 * @param format what the image is
 * @param imageDigest the image's digest
 * @param downloadDigests the digests of what was fetched, an archive's if it came in one
 * @param digestArgument how the digest was named that it had to have; empty if it wasn't
 * @param validator what tells this state of the source from others
 * @param fetched when it was fetched
 */
record Manifest(
        Path directory,
        URI source,
        String imageName,
        ImageFormat format,
        Digest imageDigest,
        List<Digest> downloadDigests,
        String digestArgument,
        Validator validator,
        Instant fetched) {

    static final String NAME = "manifest";

    /** Changes when older manifests can't be read any more. */
    private static final String FORMAT = "1";

    private static final Pattern SAFE_NAME = Pattern.compile("[0-9a-f]{32}\\.[a-z0-9]{1,8}");

    /** Returns the manifest in a directory, if there is a sound one. */
    static Optional<Manifest> read(Path directory) {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(directory.resolve(NAME))) {
            properties.load(reader);
            String image = properties.getProperty("image", "");
            if (!FORMAT.equals(properties.getProperty("format"))
                    || !SAFE_NAME.matcher(image).matches()) {
                return Optional.empty();
            }
            return Optional.of(new Manifest(
                    directory,
                    URI.create(properties.getProperty("source", "")),
                    image,
                    ImageFormat.valueOf(properties.getProperty("image-format", "")),
                    Digest.parse(properties.getProperty("image-digest", "")).orElseThrow(IllegalArgumentException::new),
                    Stream.of(properties.getProperty("digests", "").split(" "))
                            .flatMap(text -> Digest.parse(text).stream())
                            .toList(),
                    properties.getProperty("digest-argument", ""),
                    Validator.of(properties),
                    Instant.parse(properties.getProperty("fetched", ""))));
        } catch (IOException | IllegalArgumentException | DateTimeException | ImageException e) {
            return Optional.empty();
        }
    }

    /** Writes it, in one step for readers. */
    void write() throws IOException {
        Properties properties = new Properties();
        properties.setProperty("format", FORMAT);
        properties.setProperty("source", source.toString());
        properties.setProperty("image", imageName);
        properties.setProperty("image-format", format.name());
        properties.setProperty("image-digest", imageDigest.toString());
        properties.setProperty(
                "digests", downloadDigests.stream().map(Digest::toString).collect(Collectors.joining(" ")));
        properties.setProperty("digest-argument", digestArgument);
        properties.setProperty("fetched", fetched.toString());
        validator.addTo(properties);
        Path temporary = Files.createTempFile(directory, NAME, ".tmp");
        try (Writer writer = Files.newBufferedWriter(temporary)) {
            properties.store(writer, "An image of the cache");
        }
        Files.move(temporary, file(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    Path file() {
        return directory.resolve(NAME);
    }

    Path image() {
        return directory.resolve(imageName);
    }

    /** Says whether what was fetched has a digest, as far as can be told without fetching a file with digests. */
    boolean satisfies(String digest) {
        return Digest.parse(digest).map(downloadDigests::contains).orElse(digest.equals(digestArgument));
    }

    /** Returns it with the name of the digest that it has, and keeps that. */
    Manifest verifiedBy(String digest) throws IOException {
        Manifest verified = new Manifest(
                directory, source, imageName, format, imageDigest, downloadDigests, digest, validator, fetched);
        verified.write();
        return verified;
    }

    ImageCache.Image toImage() {
        try {
            return new ImageCache.Image(
                    source,
                    image(),
                    format,
                    Files.exists(image()) ? Files.size(image()) : 0,
                    downloadDigests.isEmpty() ? "" : downloadDigests.getFirst().toString(),
                    fetched,
                    Files.getLastModifiedTime(file()).toInstant());
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't read " + directory + ": " + e, e);
        }
    }
}
