package dev.kagami.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;

/** Keeps initramfs archives as files named by their content: kernels are told of files, not of byte arrays. */
final class InitramfsStore {

    private static final int DIGEST_CHARACTERS = 16;

    private InitramfsStore() {}

    /** Makes an archive. */
    @FunctionalInterface
    interface Recipe {
        /** Returns the archive, the same every time. */
        CpioArchive make() throws IOException;
    }

    /**
     * Returns a file with an archive that takes long to make; it is only made when there is no intact one of that key.
     *
     * @param root the cache directory
     * @param name a word for people
     * @param key all that the content depends on
     * @param recipe makes the content
     * @return the file
     * @throws IOException if it can't be made or written
     */
    static Path keep(Path root, String name, String key, Recipe recipe) throws IOException {
        byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
        String prefix = name + "-" + Digests.sha256(bytes).substring(0, DIGEST_CHARACTERS);
        Path directory = root.resolve("initramfs");
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, prefix + "-*.img")) {
                for (Path file : files) {
                    // Its name says what its content must be.
                    String digest = Digests.sha256(file).substring(0, DIGEST_CHARACTERS);
                    if (file.getFileName().toString().equals(prefix + "-" + digest + ".img")) {
                        return file;
                    }
                }
            }
        }
        return keep(root, prefix, recipe.make());
    }

    /**
     * Returns a file with an archive as its content, writing it if there is none or it is damaged. Thread-safe, also
     * between processes: the file is there whole or not at all.
     *
     * @param root the cache directory
     * @param name a word for people
     * @param archive the content
     * @return the file
     * @throws IOException if it can't be written
     */
    static Path keep(Path root, String name, CpioArchive archive) throws IOException {
        byte[] content = archive.toByteArray();
        Path directory = root.resolve("initramfs");
        Path file = directory.resolve(name + "-" + Digests.sha256(content).substring(0, DIGEST_CHARACTERS) + ".img");
        if (Files.isRegularFile(file)
                && Files.size(file) == content.length
                && Arrays.equals(Files.readAllBytes(file), content)) {
            return file;
        }
        Files.createDirectories(directory);
        Path temporary = Files.createTempFile(directory, name, ".tmp");
        try {
            Files.write(temporary, content);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        return file;
    }
}
