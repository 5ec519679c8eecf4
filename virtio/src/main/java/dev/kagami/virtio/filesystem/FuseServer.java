package dev.kagami.virtio.filesystem;

import dev.kagami.memory.GuestMemory;
import dev.kagami.virtio.BrokenQueueException;
import dev.kagami.virtio.DescriptorChain;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Answers FUSE requests about a shared directory. Used by one thread. */
final class FuseServer implements AutoCloseable {
    /** Bytes of {@code struct fuse_in_header}. */
    static final int IN_HEADER = 40;

    /** Bytes of {@code struct fuse_out_header}. */
    static final int OUT_HEADER = 16;

    private static final Logger LOGGER = System.getLogger(FuseServer.class.getName());
    private static final int MAJOR = 7;
    private static final int MINOR = 31;
    private static final int OLDEST_MINOR = 27;
    private static final int MAX_WRITE = 1 << 20;
    private static final int MAX_PAGES = MAX_WRITE / GuestMemory.PAGE_SIZE;
    private static final int MAX_BACKGROUND = 64;
    private static final int WRITE_ARGUMENTS = 40;
    private static final int MAX_NAMES = 1 << 20;

    private static final int FLAG_ASYNC_READ = 1;
    private static final int FLAG_TRUNCATE = 1 << 3;
    private static final int FLAG_BIG_WRITES = 1 << 5;
    private static final int FLAG_READDIRPLUS = 1 << 13;
    private static final int FLAG_READDIRPLUS_AUTO = 1 << 14;
    private static final int FLAG_PARALLEL_DIRECTORIES = 1 << 18;
    private static final int FLAG_MAX_PAGES = 1 << 22;
    private static final int FLAGS = FLAG_ASYNC_READ
            | FLAG_TRUNCATE
            | FLAG_BIG_WRITES
            | FLAG_READDIRPLUS
            | FLAG_READDIRPLUS_AUTO
            | FLAG_PARALLEL_DIRECTORIES
            | FLAG_MAX_PAGES;

    private static final int OPEN_ACCESS_MODE = 3;
    private static final int OPEN_READ_ONLY = 0;
    private static final int OPEN_WRITE_ONLY = 1;
    private static final int OPEN_EXCLUSIVE = 0200;
    private static final int OPEN_TRUNCATE = 01000;

    private static final int SET_MODE = 1;
    private static final int SET_UID = 1 << 1;
    private static final int SET_GID = 1 << 2;
    private static final int SET_SIZE = 1 << 3;
    private static final int SET_ACCESSED = 1 << 4;
    private static final int SET_MODIFIED = 1 << 5;
    private static final int SET_HANDLE = 1 << 6;
    private static final int SET_ACCESSED_NOW = 1 << 7;
    private static final int SET_MODIFIED_NOW = 1 << 8;

    private static final int GETATTR_HANDLE = 1;
    private static final int FSYNC_DATA = 1;
    private static final int RENAME_NO_REPLACE = 1;
    private static final int NAME_LENGTH = 255;
    private static final int STATFS_SPARE = 28;
    private static final long UNKNOWN_INODE = 0xFFFF_FFFFL;
    private static final int TYPE_SHIFT = 12;
    private static final int TYPE_DIRECTORY = 4;

    private final FileSystemConfig config;
    private final GuestMemory memory;
    private final SharedTree tree;
    private final OpenFiles open = new OpenFiles();
    private final FuseArguments arguments = new FuseArguments();
    private final FuseReply reply;
    private long unique;

    FuseServer(FileSystemConfig config, GuestMemory memory) throws IOException {
        this.config = config;
        this.memory = memory;
        this.tree = new SharedTree(config.directory());
        FileStatus root = tree.refresh(tree.node(SharedTree.ROOT));
        // Who runs this owns what it makes; it need not own the directory itself.
        HostUser user = HostUser.current(root);
        this.reply = new FuseReply(config, user.uid(), user.gid());
    }

    /**
     * Answers one request.
     *
     * @param chain the request; the answer is written to it
     * @throws BrokenQueueException when it is no request, or has no room for its answer
     */
    void serve(DescriptorChain chain) {
        if (chain.readable() < IN_HEADER) {
            throw new BrokenQueueException("half of a request");
        }
        int length = chain.readInt();
        int opcode = chain.readInt();
        unique = chain.readLong();
        long nodeId = chain.readLong();
        // User, group, process and reserved: the guest's kernel has checked what they may.
        chain.skipReadable(IN_HEADER - 24);
        if (length < IN_HEADER) {
            throw new BrokenQueueException("a request of %d bytes".formatted(length));
        }
        boolean answered = chain.writable() > 0;
        try {
            reply.begin();
            if (config.readOnly() && FuseOpcode.changes(opcode)) {
                throw new FuseException(Errno.EROFS);
            }
            dispatch(opcode, nodeId, chain);
        } catch (FuseException e) {
            fail(chain, e.errno(), answered);
        } catch (IOException e) {
            fail(chain, Errno.of(e), answered);
        } catch (DirectoryIteratorException e) {
            fail(chain, Errno.of(e.getCause()), answered);
        } catch (BrokenQueueException e) {
            throw e;
        } catch (RuntimeException e) {
            // Whatever the host's file system has thrown, it is this request's trouble and not the device's.
            LOGGER.log(Level.WARNING, "request %d to a shared directory failed".formatted(opcode), e);
            fail(chain, Errno.EIO, answered);
        }
    }

    private void fail(DescriptorChain chain, int errno, boolean answered) {
        if (answered) {
            chain.restartWriting();
            writeHeader(chain, 0, -errno);
        }
    }

    private void writeHeader(DescriptorChain chain, int body, int error) {
        chain.writeInt(OUT_HEADER + body);
        chain.writeInt(error);
        chain.writeLong(unique);
    }

    /** Sends the body that was built. */
    private void answer(DescriptorChain chain) {
        writeHeader(chain, reply.size(), 0);
        chain.write(reply.array(), 0, reply.size());
    }

    private void dispatch(int opcode, long nodeId, DescriptorChain chain) throws IOException {
        switch (opcode) {
            case FuseOpcode.WRITE -> write(chain);
            case FuseOpcode.BATCH_FORGET -> forgetAll(chain);
            default -> {
                arguments.loadAll(chain);
                switch (opcode) {
                    case FuseOpcode.FORGET -> tree.forget(nodeId, arguments.takeLong());
                    case FuseOpcode.READ -> read(chain);
                    default -> {
                        execute(opcode, nodeId, chain.writable());
                        answer(chain);
                    }
                }
            }
        }
    }

    private void execute(int opcode, long nodeId, long room) throws IOException {
        switch (opcode) {
            case FuseOpcode.INIT -> initialize();
            case FuseOpcode.DESTROY -> open.close();
            case FuseOpcode.LOOKUP -> {
                Node parent = tree.node(nodeId);
                reply.putEntry(tree.lookUp(parent, name()));
            }
            case FuseOpcode.GETATTR -> getAttributes(tree.node(nodeId));
            case FuseOpcode.SETATTR -> setAttributes(tree.node(nodeId));
            case FuseOpcode.READLINK -> reply.putText(tree.readLink(tree.node(nodeId)));
            case FuseOpcode.OPEN -> openFile(tree.node(nodeId));
            case FuseOpcode.RELEASE -> open.releaseFile(arguments.takeLong());
            case FuseOpcode.FSYNC -> synchronize();
            case FuseOpcode.FLUSH, FuseOpcode.FSYNCDIR -> {
                // Nothing is kept back here, and the JDK has no way to make a directory stable.
            }
            case FuseOpcode.OPENDIR -> {
                Node node = tree.node(nodeId);
                tree.refresh(node);
                if (!node.isDirectory()) {
                    throw new FuseException(Errno.ENOTDIR);
                }
                reply.putLong(open.add(new OpenFiles.Directory(node))).putInt(0).putInt(0);
            }
            case FuseOpcode.READDIR -> readDirectory(room, false);
            case FuseOpcode.READDIRPLUS -> readDirectory(room, true);
            case FuseOpcode.RELEASEDIR -> open.releaseDirectory(arguments.takeLong());
            case FuseOpcode.STATFS -> statistics();
            default -> change(opcode, tree.node(nodeId));
        }
    }

    /** Operations that make, move or remove files. */
    private void change(int opcode, Node node) throws IOException {
        switch (opcode) {
            case FuseOpcode.CREATE -> create(node);
            case FuseOpcode.MKNOD -> makeFile(node);
            case FuseOpcode.MKDIR -> {
                int mode = arguments.takeInt();
                arguments.skip(4);
                Path name = name();
                tree.createDirectory(node, name, mode & FileStatus.PERMISSIONS);
                reply.putEntry(tree.lookUp(node, name));
            }
            case FuseOpcode.SYMLINK -> {
                Path name = name();
                tree.createSymbolicLink(node, name, arguments.takeText());
                reply.putEntry(tree.lookUp(node, name));
            }
            case FuseOpcode.LINK -> {
                Node existing = tree.node(arguments.takeLong());
                Path name = name();
                tree.createLink(existing, node, name);
                reply.putEntry(tree.lookUp(node, name));
            }
            case FuseOpcode.UNLINK -> tree.delete(node, name(), false);
            case FuseOpcode.RMDIR -> tree.delete(node, name(), true);
            case FuseOpcode.RENAME -> rename(node, 0);
            case FuseOpcode.RENAME2 -> rename(node, 8);
            default -> throw new FuseException(Errno.ENOSYS);
        }
    }

    private Path name() {
        return tree.component(arguments.takeName());
    }

    private void initialize() {
        int major = arguments.takeInt();
        int minor = arguments.takeInt();
        int readAhead = arguments.takeInt();
        int flags = arguments.takeInt();
        if (major < MAJOR || major == MAJOR && minor < OLDEST_MINOR) {
            throw new FuseException(Errno.EINVAL);
        }
        reply.putInt(MAJOR).putInt(MINOR);
        if (major > MAJOR) {
            // The other side tries again with what it was told.
            reply.putZeros(56);
            return;
        }
        reply.putInt(readAhead).putInt(flags & FLAGS);
        reply.putShort(MAX_BACKGROUND).putShort(MAX_BACKGROUND * 3 / 4);
        reply.putInt(MAX_WRITE).putInt(1);
        reply.putShort(MAX_PAGES).putShort(0).putZeros(32);
    }

    private void getAttributes(Node node) throws IOException {
        int flags = arguments.takeInt();
        arguments.skip(4);
        long handle = arguments.takeLong();
        refresh(node, (flags & GETATTR_HANDLE) != 0 ? handle : 0);
        reply.putAttributesOut(node);
    }

    /** Looks at a file again; one that has no name any more but is open is as it was, except for its size. */
    private void refresh(Node node, long handle) throws IOException {
        try {
            tree.refresh(node);
        } catch (FuseException | NoSuchFileException e) {
            OpenFiles.File file = open.fileIfOpen(handle);
            if (file == null || file.node() != node) {
                file = open.anyOf(node);
            }
            if (file == null) {
                throw e;
            }
            node.status = node.status.withSize(file.channel().size());
        }
    }

    private void setAttributes(Node node) throws IOException {
        int valid = arguments.takeInt();
        arguments.skip(4);
        long handle = arguments.takeLong();
        long size = arguments.takeLong();
        arguments.skip(8);
        long accessed = arguments.takeLong();
        long modified = arguments.takeLong();
        arguments.skip(8);
        int accessedNanos = arguments.takeInt();
        int modifiedNanos = arguments.takeInt();
        arguments.skip(4);
        int mode = arguments.takeInt();
        arguments.skip(4);
        int uid = arguments.takeInt();
        int gid = arguments.takeInt();
        long known = (valid & SET_HANDLE) != 0 ? handle : 0;
        refresh(node, known);
        if ((valid & SET_UID) != 0 && uid != reply.guestUid(node.status.uid())
                || (valid & SET_GID) != 0 && gid != reply.guestGid(node.status.gid())) {
            // Owners on the host are never changed.
            throw new FuseException(Errno.EPERM);
        }
        if ((valid & SET_SIZE) != 0) {
            setSize(node, known, size);
        }
        if ((valid & SET_MODE) != 0 && !node.status.isLink()) {
            tree.view(node).setPermissions(SharedTree.permissions(mode & FileStatus.PERMISSIONS));
        }
        // The times of a link itself can't be set; nobody misses that.
        if ((valid & (SET_ACCESSED | SET_MODIFIED)) != 0 && !node.status.isLink()) {
            PosixFileAttributeView view = tree.view(node);
            FileTime now = FileTime.from(Instant.now());
            view.setTimes(
                    (valid & SET_MODIFIED) == 0
                            ? null
                            : (valid & SET_MODIFIED_NOW) != 0 ? now : time(modified, modifiedNanos),
                    (valid & SET_ACCESSED) == 0
                            ? null
                            : (valid & SET_ACCESSED_NOW) != 0 ? now : time(accessed, accessedNanos),
                    null);
        }
        refresh(node, known);
        reply.putAttributesOut(node);
    }

    private static FileTime time(long seconds, int nanos) {
        // What no calendar knows is as good as the end of it.
        long limited = Math.clamp(seconds, Instant.MIN.getEpochSecond(), Instant.MAX.getEpochSecond());
        return FileTime.from(Instant.ofEpochSecond(limited, Math.clamp(nanos, 0, 999_999_999)));
    }

    private void setSize(Node node, long handle, long size) throws IOException {
        if (size < 0) {
            throw new FuseException(Errno.EINVAL);
        }
        OpenFiles.File file = open.fileIfOpen(handle);
        if (file != null && file.node() == node) {
            try {
                setSize(file.channel(), size);
                return;
            } catch (java.nio.channels.NonWritableChannelException e) {
                throw new FuseException(Errno.EINVAL);
            }
        }
        try (FileChannel channel = tree.open(node, Set.of(StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS))) {
            setSize(channel, size);
        }
    }

    private static void setSize(FileChannel channel, long size) throws IOException {
        if (size <= channel.size()) {
            channel.truncate(size);
        } else {
            channel.write(ByteBuffer.allocate(1), size - 1);
        }
    }

    private static Set<OpenOption> options(int flags) {
        Set<OpenOption> options = new HashSet<>();
        options.add(LinkOption.NOFOLLOW_LINKS);
        int access = flags & OPEN_ACCESS_MODE;
        if (access != OPEN_WRITE_ONLY) {
            options.add(StandardOpenOption.READ);
        }
        if (access != OPEN_READ_ONLY) {
            options.add(StandardOpenOption.WRITE);
        }
        return options;
    }

    private void openFile(Node node) throws IOException {
        int flags = arguments.takeInt();
        boolean writes = (flags & OPEN_ACCESS_MODE) != OPEN_READ_ONLY;
        boolean truncates = (flags & OPEN_TRUNCATE) != 0;
        if (config.readOnly() && (writes || truncates)) {
            throw new FuseException(Errno.EROFS);
        }
        open.reserve();
        FileChannel channel = tree.open(node, options(flags));
        if (truncates && writes) {
            channel.truncate(0);
        }
        putOpened(node, channel);
    }

    private void putOpened(Node node, FileChannel channel) {
        reply.putLong(open.add(new OpenFiles.File(node, channel))).putInt(0).putInt(0);
    }

    private void create(Node parent) throws IOException {
        int flags = arguments.takeInt();
        int mode = arguments.takeInt();
        arguments.skip(8);
        Path name = name();
        open.reserve();
        Set<OpenOption> options = options(flags);
        options.add(StandardOpenOption.WRITE);
        options.add(StandardOpenOption.CREATE_NEW);
        FileChannel channel;
        try {
            channel = tree.create(parent, name, mode & FileStatus.PERMISSIONS, options);
        } catch (java.nio.file.FileAlreadyExistsException e) {
            if ((flags & OPEN_EXCLUSIVE) != 0) {
                throw e;
            }
            // Somebody was faster; then it is opened.
            Node existing = tree.lookUp(parent, name);
            channel = tree.open(existing, options(flags));
            if ((flags & OPEN_TRUNCATE) != 0) {
                channel.truncate(0);
            }
            tree.refresh(existing);
            reply.putEntry(existing);
            putOpened(existing, channel);
            return;
        }
        try {
            Node node = tree.lookUp(parent, name);
            reply.putEntry(node);
            putOpened(node, channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private void makeFile(Node parent) throws IOException {
        int mode = arguments.takeInt();
        arguments.skip(12);
        Path name = name();
        int type = mode & FileStatus.TYPE_MASK;
        if (type != FileStatus.TYPE_REGULAR && type != 0) {
            // No devices, pipes or sockets on the host.
            throw new FuseException(Errno.EPERM);
        }
        Set<OpenOption> options =
                Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW, LinkOption.NOFOLLOW_LINKS);
        tree.create(parent, name, mode & FileStatus.PERMISSIONS, options).close();
        reply.putEntry(tree.lookUp(parent, name));
    }

    private void rename(Node from, int moreArguments) throws IOException {
        Node to = tree.node(arguments.takeLong());
        int flags = 0;
        if (moreArguments != 0) {
            flags = arguments.takeInt();
            arguments.skip(4);
        }
        if ((flags & ~RENAME_NO_REPLACE) != 0) {
            throw new FuseException(Errno.EINVAL);
        }
        Path name = name();
        tree.move(from, name, to, name(), (flags & RENAME_NO_REPLACE) == 0);
    }

    private void synchronize() throws IOException {
        OpenFiles.File file = open.file(arguments.takeLong());
        file.channel().force((arguments.takeInt() & FSYNC_DATA) == 0);
    }

    private void read(DescriptorChain chain) throws IOException {
        FileChannel channel = open.file(arguments.takeLong()).channel();
        long offset = arguments.takeLong();
        long wanted = arguments.takeInt() & 0xFFFF_FFFFL;
        if (offset < 0) {
            throw new FuseException(Errno.EINVAL);
        }
        chain.skipWritable(OUT_HEADER);
        long rest = Math.min(wanted, Math.min(chain.writable(), MAX_WRITE));
        long total = 0;
        while (rest > 0) {
            long piece = Math.min(rest, chain.writablePiece());
            int got;
            try {
                got = channel.read(buffer(chain.writableOffset(), piece), offset + total);
            } catch (java.nio.channels.NonReadableChannelException e) {
                throw new FuseException(Errno.EBADF);
            }
            if (got <= 0) {
                break;
            }
            chain.skipWritable(got);
            total += got;
            rest -= got;
        }
        chain.restartWriting();
        writeHeader(chain, (int) total, 0);
        chain.skipWritable(total);
    }

    private ByteBuffer buffer(long offset, long length) {
        MemorySegment ram = memory.segment();
        return ram.asSlice(offset, length).asByteBuffer();
    }

    private void write(DescriptorChain chain) throws IOException {
        arguments.load(chain, WRITE_ARGUMENTS);
        FileChannel channel = open.file(arguments.takeLong()).channel();
        long offset = arguments.takeLong();
        long rest = Math.min(arguments.takeInt() & 0xFFFF_FFFFL, chain.readable());
        if (offset < 0 || offset > Long.MAX_VALUE - rest) {
            throw new FuseException(Errno.EINVAL);
        }
        if (rest > MAX_WRITE) {
            throw new FuseException(Errno.EINVAL);
        }
        int total = 0;
        while (rest > 0) {
            long piece = Math.min(rest, chain.readablePiece());
            int put;
            try {
                put = channel.write(buffer(chain.readableOffset(), piece), offset + total);
            } catch (java.nio.channels.NonWritableChannelException e) {
                throw new FuseException(Errno.EBADF);
            }
            chain.skipReadable(put);
            total += put;
            rest -= put;
        }
        reply.putInt(total).putInt(0);
        answer(chain);
    }

    private void forgetAll(DescriptorChain chain) {
        if (chain.readable() < 8) {
            return;
        }
        long count = chain.readInt() & 0xFFFF_FFFFL;
        chain.skipReadable(4);
        for (long i = 0; i < count && chain.readable() >= 16; i++) {
            long id = chain.readLong();
            tree.forget(id, chain.readLong());
        }
    }

    private void readDirectory(long room, boolean plus) throws IOException {
        OpenFiles.Directory directory = open.directory(arguments.takeLong());
        long offset = arguments.takeLong();
        long size = Math.min(arguments.takeInt() & 0xFFFF_FFFFL, Math.max(room - OUT_HEADER, 0));
        int limit = (int) Math.min(size, FuseReply.MAX_SIZE);
        List<Path> names = directory.names;
        if (names == null || offset == 0) {
            names = list(directory.node);
            directory.names = names;
        }
        // Entries 0 and 1 are the directory itself and its parent; an offset is that of the next entry.
        for (long at = Math.max(offset, 0); at < names.size() + 2L; at++) {
            String name =
                    at == 0 ? "." : at == 1 ? ".." : names.get((int) at - 2).toString();
            if (plus && !reply.hasRoomFor(name, limit)) {
                return;
            }
            long inode = UNKNOWN_INODE;
            int type = at < 2 ? TYPE_DIRECTORY : 0;
            if (plus) {
                if (at < 2) {
                    // A number of 0 says that there are no attributes.
                    reply.putZeros(FuseReply.ENTRY_SIZE);
                } else {
                    Node node = lookUpEntry(directory.node, names.get((int) at - 2));
                    if (node == null) {
                        continue;
                    }
                    inode = node.status.inode();
                    type = (node.status.mode() & FileStatus.TYPE_MASK) >> TYPE_SHIFT;
                    reply.putEntry(node);
                }
            }
            if (!reply.putDirectoryEntry(inode, at + 1, name, type, limit)) {
                return;
            }
        }
    }

    /** {@return a file that was there when the directory was listed, or null when it isn't any more} */
    private @org.jspecify.annotations.Nullable Node lookUpEntry(Node directory, Path name) {
        try {
            return tree.lookUp(directory, name);
        } catch (IOException | FuseException e) {
            return null;
        }
    }

    private List<Path> list(Node node) throws IOException {
        List<Path> names = new ArrayList<>();
        try (DirectoryStream<Path> stream = tree.list(node)) {
            for (Path entry : stream) {
                Path name = entry.getFileName();
                if (!SharedTree.isHidden(name.toString()) && names.size() < MAX_NAMES) {
                    names.add(name);
                }
            }
        }
        return names;
    }

    private void statistics() throws IOException {
        FileStore store = tree.store();
        long block = Math.max(store.getBlockSize(), 512);
        reply.putLong(store.getTotalSpace() / block)
                .putLong(store.getUnallocatedSpace() / block)
                .putLong(store.getUsableSpace() / block)
                .putLong(0)
                .putLong(0)
                .putInt((int) block)
                .putInt(NAME_LENGTH)
                .putInt((int) block)
                .putZeros(STATFS_SPARE);
    }

    @Override
    public void close() {
        open.close();
        tree.close();
    }
}
