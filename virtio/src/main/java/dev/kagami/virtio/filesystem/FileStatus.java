package dev.kagami.virtio.filesystem;

import java.nio.file.attribute.FileTime;

/**
 * What is known about a file.
 *
 * @param key tells whether two files are the same
 * @param inode the host's number of the file
 * @param mode type and permissions, as in {@code struct stat}
 * @param links number of names
 * @param uid the host's owner
 * @param gid the host's group
 * @param size bytes
 * @param accessed last access
 * @param modified last change of the content
 * @param changed last change of the status
 */
record FileStatus(
        Object key,
        long inode,
        int mode,
        int links,
        int uid,
        int gid,
        long size,
        FileTime accessed,
        FileTime modified,
        FileTime changed) {
    static final int TYPE_MASK = 0170000;
    static final int TYPE_REGULAR = 0100000;
    static final int TYPE_DIRECTORY = 0040000;
    static final int TYPE_LINK = 0120000;

    /** Permissions of owner, group and others; what a guest can set. */
    static final int PERMISSIONS = 0777;

    boolean isDirectory() {
        return (mode & TYPE_MASK) == TYPE_DIRECTORY;
    }

    boolean isRegular() {
        return (mode & TYPE_MASK) == TYPE_REGULAR;
    }

    boolean isLink() {
        return (mode & TYPE_MASK) == TYPE_LINK;
    }

    FileStatus withSize(long newSize) {
        return new FileStatus(key, inode, mode, links, uid, gid, newSize, accessed, modified, changed);
    }
}
