package dev.kagami.image.disk;

import java.util.List;
import java.util.Optional;

/**
 * A file system on a guest's disk, read without mounting it. Paths are absolute, with {@code /} between names; symbolic
 * links are followed inside of the file system and never leave it.
 *
 * <p>Methods throw {@link dev.kagami.image.ImageException} if the file system is damaged. Not thread-safe.
 */
public interface FileSystem {

    /** Returns its type, as {@code blkid} says it: {@code "ext4"}. */
    String type();

    /** Returns its label; empty if it has none. */
    String label();

    /** Returns its UUID as {@code UUID=} has it, in lower case; empty if it has none. */
    String uuid();

    /**
     * Opens a regular file.
     *
     * @param path its path
     * @return the file; empty if there is none, or something else than a regular file
     */
    Optional<GuestFile> open(String path);

    /**
     * Lists a directory.
     *
     * @param path its path
     * @return the names in it, without {@code .} and {@code ..}, in no order; empty if there is no such directory
     */
    List<String> list(String path);
}
