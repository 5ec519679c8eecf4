package dev.kagami.image;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.iso.IsoImage;
import dev.kagami.image.seed.SeedFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * What cloud-init in a guest is told at its first boot: a NoCloud seed, a CD image with volume id {@code cidata}.
 *
 * {@snippet :
 * CloudInitSeed seed = CloudInitSeed.create(c -> c.hostname("foobar").password("ubuntu"));
 * BlockImage disk = seed.toImage();
 * }
 *
 * <p>The same settings give the same bytes. The instance id that generated meta-data has is made of them, so that
 * cloud-init does its work once for them, and again when they change.
 *
 * <p>Immutable and thread-safe.
 */
public final class CloudInitSeed {

    private static final int MAX_FILE_SIZE = 16 << 20;

    private final Map<String, byte[]> files;

    private CloudInitSeed(Map<String, byte[]> files) {
        this.files = files;
    }

    /**
     * Makes a seed.
     *
     * @param configuration says what is in it
     * @return the seed
     * @throws ImageException if that makes no sense, or a file can't be read
     */
    public static CloudInitSeed create(Consumer<Settings> configuration) {
        Settings settings = new Settings();
        configuration.accept(settings);
        return new CloudInitSeed(SeedFiles.of(settings.toRecord()));
    }

    /** Returns the contents of the seed's files by name. */
    public Map<String, byte[]> files() {
        Map<String, byte[]> copy = new TreeMap<>();
        files.forEach((name, content) -> copy.put(name, content.clone()));
        return copy;
    }

    /**
     * Returns a file of the seed.
     *
     * @param name {@code user-data}, {@code meta-data}, {@code network-config} or {@code vendor-data}
     * @return its content as text; empty if there is no such file
     */
    public Optional<String> file(String name) {
        return Optional.ofNullable(files.get(name)).map(bytes -> new String(bytes, StandardCharsets.UTF_8));
    }

    /**
     * Returns the seed as a read-only disk for the guest.
     *
     * @throws ImageException if it doesn't fit
     */
    public BlockImage toImage() {
        return iso().toBlockImage();
    }

    /**
     * Writes the seed to a file, for other programs.
     *
     * @param file where there is no file yet
     * @throws ImageException if it can't be written
     */
    public void write(Path file) {
        try {
            iso().write(file);
        } catch (BlockException e) {
            throw new ImageException(ImageException.Code.SEED_INVALID, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    private IsoImage iso() {
        try {
            return IsoImage.of(IsoImage.CLOUD_INIT_SEED, files);
        } catch (BlockException e) {
            throw new ImageException(ImageException.Code.SEED_INVALID, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    /**
     * Says what is in a seed: whole files, or single things, from which the files are made.
     *
     * <p>Files are passed on as they are. Where there is a user-data file, single things go to the vendor-data, and the
     * user-data wins where both say something.
     */
    public static final class Settings {

        private Optional<byte[]> userData = Optional.empty();
        private Optional<byte[]> metaData = Optional.empty();
        private Optional<byte[]> networkConfig = Optional.empty();
        private Optional<byte[]> vendorData = Optional.empty();
        private Optional<String> hostname = Optional.empty();
        private Optional<String> user = Optional.empty();
        private Optional<String> password = Optional.empty();
        private final List<String> sshKeys = new ArrayList<>();

        private Settings() {}

        /** Takes the user-data from a file: a cloud-config, a script, or anything else that cloud-init knows. */
        public Settings userData(Path file) {
            userData = Optional.of(read(file));
            return this;
        }

        /** Takes the user-data from a text. */
        public Settings userData(String text) {
            userData = Optional.of(text.getBytes(StandardCharsets.UTF_8));
            return this;
        }

        /** Takes the meta-data from a file. */
        public Settings metaData(Path file) {
            metaData = Optional.of(read(file));
            return this;
        }

        /** Takes the network configuration, version 1 or 2, from a file. Without one, cloud-init uses DHCP. */
        public Settings networkConfig(Path file) {
            networkConfig = Optional.of(read(file));
            return this;
        }

        /** Takes the vendor-data from a file. */
        public Settings vendorData(Path file) {
            vendorData = Optional.of(read(file));
            return this;
        }

        /** Sets the guest's host name: letters, digits and hyphens, and dots between them, up to 253 characters. */
        public Settings hostname(String name) {
            hostname = Optional.of(name);
            return this;
        }

        /**
         * Sets the name of the user who gets the password and the keys and may become root with {@code sudo}; without it,
         * the image's own default user, such as {@code debian}. May be {@code root}.
         */
        public Settings user(String name) {
            user = Optional.of(name);
            return this;
        }

        /** Sets the user's password and allows it over ssh. The seed has a hash of it only. */
        public Settings password(String plain) {
            password = Optional.of(plain);
            return this;
        }

        /** Adds a public key, a line as in {@code ~/.ssh/id_ed25519.pub}, that may log in over ssh. */
        public Settings sshKey(String publicKey) {
            sshKeys.add(publicKey);
            return this;
        }

        /** Adds all public keys in a file, which may be an {@code authorized_keys}. */
        public Settings sshKeys(Path file) {
            sshKeys.addAll(SeedFiles.keys(new String(read(file), StandardCharsets.UTF_8), file.toString()));
            return this;
        }

        private SeedFiles.Settings toRecord() {
            return new SeedFiles.Settings(
                    userData, metaData, networkConfig, vendorData, hostname, user, password, List.copyOf(sshKeys));
        }

        private static byte[] read(Path file) {
            try {
                if (Files.size(file) > MAX_FILE_SIZE) {
                    throw ImageException.invalidSeed(
                            file + " is longer than the 16 MiB that a seed's file may have", "Pass a shorter file.");
                }
                return Files.readAllBytes(file);
            } catch (IOException e) {
                throw new ImageException(
                        ImageException.Code.SEED_INVALID, "Can't read " + file + ": " + e, "Check the path.", e);
            }
        }
    }
}
