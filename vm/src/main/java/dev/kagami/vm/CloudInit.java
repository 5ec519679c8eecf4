package dev.kagami.vm;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/**
 * What cloud-init in the guest is told: a NoCloud seed, which the guest finds on a small CD of its own (cloud-init's
 * documentation, datasource NoCloud).
 *
 * @param files the seed's files by name: {@code user-data} and {@code meta-data}, perhaps {@code network-config} and
 *     {@code vendor-data}
 */
public record CloudInit(Map<String, byte[]> files) {
    private static final String USER_DATA = "user-data";
    private static final String META_DATA = "meta-data";

    /** Copies the map. */
    public CloudInit {
        files = Map.copyOf(files);
    }

    /**
     * Describes a seed with user data.
     *
     * @param userData what cloud-init shall do, for example a {@code #cloud-config} document
     * @return the seed; cloud-init takes a guest for a new one when its user data differs
     */
    public static CloudInit of(String userData) {
        return of(userData.getBytes(StandardCharsets.UTF_8));
    }

    private static CloudInit of(byte[] userData) {
        String metaData = "instance-id: kagami-%s\n".formatted(digest(userData));
        return new CloudInit(Map.of(USER_DATA, userData, META_DATA, metaData.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Reads user data from a file.
     *
     * @param userData the file
     * @return the seed
     * @throws KagamiException when the file can't be read
     */
    public static CloudInit of(Path userData) {
        try {
            return of(Files.readAllBytes(userData));
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.FILE_UNREADABLE,
                    "user data %s: can't be read".formatted(userData),
                    "check the path and its permissions",
                    e);
        }
    }

    private static String digest(byte[] bytes) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
