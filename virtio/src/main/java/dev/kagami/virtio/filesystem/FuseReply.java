package dev.kagami.virtio.filesystem;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.TimeUnit;

/** Builds the bodies of answers. Used again and again by one thread. */
final class FuseReply {
    /** Bytes of {@code struct fuse_entry_out}. */
    static final int ENTRY_SIZE = 128;

    /** Largest body; directories are listed in pieces of at most this size. */
    static final int MAX_SIZE = 64 << 10;

    private static final int DIRENT_HEADER = 24;
    private static final int DIRENT_ALIGNMENT = 8;
    private static final int BLOCK = 512;
    private static final int BLOCK_SIZE = 4096;
    /** Who owns what belongs to neither the host's user nor the guest's. */
    private static final int NOBODY = 65534;

    /** Seconds for which the guest may believe what it was told; the host changes the directory too. */
    private static final int VALID_SECONDS = 1;

    private final ByteBuffer out = ByteBuffer.allocate(MAX_SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private final FileSystemConfig config;
    private final int hostUid;
    private final int hostGid;

    FuseReply(FileSystemConfig config, int hostUid, int hostGid) {
        this.config = config;
        this.hostUid = hostUid;
        this.hostGid = hostGid;
    }

    /** Starts a new body. */
    FuseReply begin() {
        out.clear();
        return this;
    }

    byte[] array() {
        return out.array();
    }

    int size() {
        return out.position();
    }

    FuseReply putInt(int value) {
        out.putInt(value);
        return this;
    }

    FuseReply putShort(int value) {
        out.putShort((short) value);
        return this;
    }

    FuseReply putLong(long value) {
        out.putLong(value);
        return this;
    }

    FuseReply putText(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > out.remaining()) {
            throw new FuseException(Errno.ENAMETOOLONG);
        }
        out.put(bytes);
        return this;
    }

    /** {@return the guest's user for a user of the host} */
    int guestUid(int uid) {
        return uid == hostUid ? config.guestUid() : NOBODY;
    }

    int guestGid(int gid) {
        return gid == hostGid ? config.guestGid() : NOBODY;
    }

    /** Puts {@code struct fuse_attr_out}. */
    FuseReply putAttributesOut(Node node) {
        putLong(VALID_SECONDS).putInt(0).putInt(0);
        return putAttributes(node.status);
    }

    /** Puts {@code struct fuse_entry_out}. */
    FuseReply putEntry(Node node) {
        putLong(node.id()).putLong(0).putLong(VALID_SECONDS).putLong(VALID_SECONDS);
        putInt(0).putInt(0);
        return putAttributes(node.status);
    }

    /** Puts {@code struct fuse_attr}. */
    private FuseReply putAttributes(FileStatus status) {
        putLong(status.inode()).putLong(status.size()).putLong(Math.ceilDiv(status.size(), BLOCK));
        putLong(status.accessed().to(TimeUnit.SECONDS));
        putLong(status.modified().to(TimeUnit.SECONDS));
        putLong(status.changed().to(TimeUnit.SECONDS));
        putInt(nanos(status.accessed())).putInt(nanos(status.modified())).putInt(nanos(status.changed()));
        putInt(status.mode()).putInt(status.links());
        putInt(guestUid(status.uid())).putInt(guestGid(status.gid()));
        return putInt(0).putInt(BLOCK_SIZE).putInt(0);
    }

    private static int nanos(FileTime time) {
        return time.toInstant().getNano();
    }

    /**
     * Puts {@code struct fuse_dirent}, if it fits.
     *
     * @param limit how large the body may become
     * @return whether it did
     */
    boolean putDirectoryEntry(long inode, long nextOffset, String name, int type, int limit) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (out.position() + direntSize(bytes.length) > Math.min(limit, MAX_SIZE)) {
            return false;
        }
        putLong(inode).putLong(nextOffset).putInt(bytes.length).putInt(type);
        out.put(bytes);
        while (out.position() % DIRENT_ALIGNMENT != 0) {
            out.put((byte) 0);
        }
        return true;
    }

    /** {@return whether an entry with attributes would still fit} */
    boolean hasRoomFor(String name, int limit) {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        return out.position() + ENTRY_SIZE + direntSize(bytes) <= Math.min(limit, MAX_SIZE);
    }

    private static int direntSize(int nameBytes) {
        return Math.ceilDiv(DIRENT_HEADER + nameBytes, DIRENT_ALIGNMENT) * DIRENT_ALIGNMENT;
    }

    /** Puts zeros. */
    FuseReply putZeros(int bytes) {
        for (int i = 0; i < bytes; i++) {
            out.put((byte) 0);
        }
        return this;
    }
}
