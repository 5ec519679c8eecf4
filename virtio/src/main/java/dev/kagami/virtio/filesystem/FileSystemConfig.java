package dev.kagami.virtio.filesystem;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * What a {@link FileSystemDevice} is made of.
 *
 * @param directory the shared directory; must exist when the device is made
 * @param tag the name by which the guest mounts it, 1 to 36 bytes of UTF-8
 * @param readOnly whether the guest may only read
 * @param guestUid the guest's user that owns what the host's user owns
 * @param guestGid the guest's group for the same files
 */
public record FileSystemConfig(Path directory, String tag, boolean readOnly, int guestUid, int guestGid) {
    /** Largest length of a tag in bytes. */
    public static final int MAX_TAG = 36;

    /** Checks the values. */
    public FileSystemConfig {
        int length = tag.getBytes(StandardCharsets.UTF_8).length;
        if (length == 0 || length > MAX_TAG) {
            throw new IllegalArgumentException("a tag has 1 to 36 bytes: " + tag);
        }
    }

    /**
     * Makes the configuration of a directory whose files belong to the guest's root.
     *
     * @param directory the shared directory
     * @param tag the name by which the guest mounts it
     * @param readOnly whether the guest may only read
     * @return the configuration
     */
    public static FileSystemConfig of(Path directory, String tag, boolean readOnly) {
        return new FileSystemConfig(directory, tag, readOnly, 0, 0);
    }
}
