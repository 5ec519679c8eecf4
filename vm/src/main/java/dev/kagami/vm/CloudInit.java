package dev.kagami.vm;

import dev.kagami.image.CloudInitSeed;
import dev.kagami.image.ImageException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What cloud-init in the guest is told: a NoCloud seed, which the guest finds on a small CD of its own (cloud-init's
 * documentation, datasource NoCloud). The guest takes it to heart once, and again when it differs.
 *
 * @param files the seed's files by name: {@code user-data} and {@code meta-data}, perhaps {@code network-config} and
 *     {@code vendor-data}
 */
public record CloudInit(Map<String, byte[]> files) {
    /** Copies the map. */
    public CloudInit {
        files = Map.copyOf(files);
    }

    /**
     * Describes a seed.
     *
     * @param description fills the builder
     * @return the seed
     * @throws KagamiException when a file can't be read, or cloud-init could make nothing of a value
     */
    public static CloudInit of(Consumer<Builder> description) {
        try {
            return new CloudInit(CloudInitSeed.create(settings -> description.accept(new Builder(settings)))
                    .files());
        } catch (ImageException e) {
            throw new KagamiException(
                    e.getCause() instanceof IOException ? ErrorCode.FILE_UNREADABLE : ErrorCode.INVALID_CONFIGURATION,
                    String.valueOf(e.getMessage()),
                    e.hint(),
                    e);
        }
    }

    /**
     * Collects what is in a seed: whole files, or single things, from which the files are made.
     *
     * <p>Files are passed on as they are. Where there is a user-data file, single things go to the vendor-data, and the
     * user-data wins where both say something.
     */
    public static final class Builder {
        private final CloudInitSeed.Settings settings;

        private Builder(CloudInitSeed.Settings settings) {
            this.settings = settings;
        }

        /**
         * Takes the user-data from a file.
         *
         * @param file a cloud-config, a script, or anything else that cloud-init knows; 16 MiB at most
         * @return this
         */
        public Builder userData(Path file) {
            settings.userData(file);
            return this;
        }

        /**
         * Takes the user-data from a text.
         *
         * @param text for example a {@code #cloud-config} document
         * @return this
         */
        public Builder userData(String text) {
            settings.userData(text);
            return this;
        }

        /**
         * Takes the meta-data from a file; by default it has the host name and an instance id made of all the rest.
         *
         * @param file the file, 16 MiB at most
         * @return this
         */
        public Builder metaData(Path file) {
            settings.metaData(file);
            return this;
        }

        /**
         * Takes the network configuration from a file; by default cloud-init uses DHCP.
         *
         * @param file version 1 or 2 of the format, 16 MiB at most
         * @return this
         */
        public Builder networkConfig(Path file) {
            settings.networkConfig(file);
            return this;
        }

        /**
         * Takes the vendor-data from a file.
         *
         * @param file the file, 16 MiB at most
         * @return this
         */
        public Builder vendorData(Path file) {
            settings.vendorData(file);
            return this;
        }

        /**
         * Sets the guest's host name.
         *
         * @param name letters, digits and hyphens, and dots between them, up to 253 characters
         * @return this
         */
        public Builder hostname(String name) {
            settings.hostname(name);
            return this;
        }

        /**
         * Names the user who gets the password and the keys and may become root with {@code sudo}; by default the image's
         * own, such as {@code debian}.
         *
         * @param name up to 32 lower-case letters, digits, {@code -} and {@code _}; may be {@code root}
         * @return this
         */
        public Builder user(String name) {
            settings.user(name);
            return this;
        }

        /**
         * Sets the user's password and allows it over ssh. The seed has a hash of it only.
         *
         * @param plain 1 to 255 printable characters
         * @return this
         */
        public Builder password(String plain) {
            settings.password(plain);
            return this;
        }

        /**
         * Adds a public key that may log in over ssh.
         *
         * @param publicKey a line as in {@code ~/.ssh/id_ed25519.pub}
         * @return this
         */
        public Builder sshKey(String publicKey) {
            settings.sshKey(publicKey);
            return this;
        }

        /**
         * Adds all public keys in a file.
         *
         * @param file a file such as {@code ~/.ssh/id_ed25519.pub} or {@code authorized_keys}
         * @return this
         */
        public Builder sshKeys(Path file) {
            settings.sshKeys(file);
            return this;
        }
    }
}
