package dev.kagami.image;

import dev.kagami.image.fetch.Digest;
import dev.kagami.image.fetch.Download;
import dev.kagami.image.fetch.Validator;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Finds out which digest an image must have. */
final class Sums {

    private static final int MAX_SIZE = 4 << 20;

    private Sums() {}

    /**
     * Returns the digest that an argument names.
     *
     * @param source the image's address
     * @param argument a digest, a path, or an address that may be relative to the image's
     * @param patience how long to wait for a server
     * @param directory where to put a file for a moment
     * @throws ImageException if there is none
     * @throws IOException if the directory can't be written
     */
    static Digest digest(URI source, String argument, Download.Patience patience, Path directory) throws IOException {
        Optional<Digest> literal = Digest.parse(argument);
        if (literal.isPresent()) {
            return literal.get();
        }
        URI sums = Files.exists(Path.of(argument)) ? Path.of(argument).toUri() : relative(source, argument);
        return Digest.find(read(sums, patience, directory), Download.name(source), sums);
    }

    private static URI relative(URI source, String argument) {
        try {
            return ImageCache.source(source.resolve(argument).toString());
        } catch (IllegalArgumentException e) {
            throw new ImageException(
                    ImageException.Code.DIGEST_MISMATCH,
                    "\"%s\" is neither a digest nor a file with digests".formatted(argument),
                    "Use sha256:0123..., sha512:0123..., or the path or address of a file such as SHA256SUMS.",
                    e);
        }
    }

    private static String read(URI sums, Download.Patience patience, Path directory) throws IOException {
        Path temporary = directory.resolve("sums");
        Path notes = directory.resolve("sums-notes");
        try {
            Path file = temporary;
            if (sums.getScheme().equals("file")) {
                file = Path.of(sums);
                if (!Files.isRegularFile(file)) {
                    throw new ImageException(
                            ImageException.Code.DIGEST_MISMATCH,
                            "%s: no such file with digests".formatted(file),
                            "Use sha256:0123..., sha512:0123..., or the path or address of a file such as SHA256SUMS.",
                            null);
                }
            } else {
                Files.deleteIfExists(temporary);
                new Download(sums, temporary, notes, patience, ProgressListener.none()).run(Validator.NONE);
            }
            if (Files.size(file) > MAX_SIZE) {
                throw new ImageException(
                        ImageException.Code.DIGEST_MISMATCH,
                        "%s is too long for a file with digests".formatted(sums),
                        "Check the path or address.",
                        null);
            }
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } finally {
            Files.deleteIfExists(temporary);
            Files.deleteIfExists(notes);
        }
    }
}
