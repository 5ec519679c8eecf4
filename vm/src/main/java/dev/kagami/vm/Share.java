package dev.kagami.vm;

import java.nio.file.Path;

/**
 * A directory of the host that the guest mounts by its tag: {@code mount -t virtiofs TAG /mnt}. What the user of this
 * process owns belongs to the guest's root. Whatever the guest does, it reaches nothing outside of the directory.
 *
 * @param directory the directory
 * @param tag the name by which the guest mounts it, 1 to 36 bytes of UTF-8, of its own in the machine
 * @param readOnly whether the guest can only read
 */
public record Share(Path directory, String tag, boolean readOnly) {
    /**
     * Describes a directory that the guest can change.
     *
     * @param directory the directory
     * @param tag the name by which the guest mounts it
     * @return the share
     */
    public static Share readWrite(Path directory, String tag) {
        return new Share(directory, tag, false);
    }

    /**
     * Describes a directory that the guest can only read.
     *
     * @param directory the directory
     * @param tag the name by which the guest mounts it
     * @return the share
     */
    public static Share readOnly(Path directory, String tag) {
        return new Share(directory, tag, true);
    }
}
