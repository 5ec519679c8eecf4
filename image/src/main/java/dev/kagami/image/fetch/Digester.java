package dev.kagami.image.fetch;

import dev.kagami.image.ProgressListener;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Computes digests of large files. */
public final class Digester {

    private static final int CHUNK = 1 << 20;

    private Digester() {}

    /**
     * Computes a file's digests in one go.
     *
     * @param file the file
     * @param displayName what to call it in messages
     * @param algorithms which digests
     * @param progress hears how far it is, if it takes long
     * @return the digests in hexadecimal
     * @throws IOException if the file can't be read
     */
    public static Map<Digest.Algorithm, Digest> of(
            Path file, String displayName, List<Digest.Algorithm> algorithms, ProgressListener progress)
            throws IOException {
        List<MessageDigest> digests =
                algorithms.stream().map(Digester::messageDigest).toList();
        long size = Files.size(file);
        long done = 0;
        Throttle throttle = Throttle.patient(progress, "Checking " + displayName);
        byte[] chunk = new byte[CHUNK];
        try (InputStream in = Files.newInputStream(file)) {
            for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                for (MessageDigest digest : digests) {
                    digest.update(chunk, 0, count);
                }
                done += count;
                throttle.progress(done, size);
            }
        }
        Map<Digest.Algorithm, Digest> result = new EnumMap<>(Digest.Algorithm.class);
        for (int i = 0; i < digests.size(); i++) {
            result.put(
                    algorithms.get(i),
                    new Digest(
                            algorithms.get(i),
                            HexFormat.of().formatHex(digests.get(i).digest())));
        }
        return result;
    }

    private static MessageDigest messageDigest(Digest.Algorithm algorithm) {
        try {
            return MessageDigest.getInstance(algorithm.javaName());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("Every Java platform has SHA-256, and all that are known have SHA-512", e);
        }
    }
}
