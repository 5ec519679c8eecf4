package dev.kagami.block.storage;

import dev.kagami.block.BlockException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLockInterruptionException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An open file, of which there is one for all handles in this process.
 *
 * <p>One, because POSIX drops a process's locks on a file when it closes any descriptor of it (IEEE 1003.1, fcntl), and
 * because Java knows no shared lock between two channels of one process: fifty overlays of one base image in one JVM share
 * one channel and one lock.
 *
 * <p>Locks are on single bytes, those that QEMU uses for its image locking: byte 100 + n says "uses permission n", byte 200
 * + n "doesn't let others have permission n", where 0 is consistent reading, 1 writing and 3 resizing. So programs of both
 * kinds respect one another.
 */
final class SharedFile {
    private static final Logger LOGGER = System.getLogger(SharedFile.class.getName());

    private static final long LOCK_START = 100;
    private static final long LOCK_LENGTH = 200;
    private static final long[] READER_LOCKS = {100, 201, 203};

    /**
     * Linux keeps what is written at once in one piece of its page cache, up to megabytes, and ext4 then walks through all
     * of it for each small write: 5 us and more. Smaller ones don't cost large writes much; docs/performance.md has both.
     */
    private static final int MAX_WRITE = 32 << 10;

    /** The JDK copies a heap buffer to memory outside of the heap, which it keeps for each thread: in pieces, then. */
    private static final int MAX_HEAP_TRANSFER = 256 << 10;

    private static final Map<Object, SharedFile> OPEN = new HashMap<>();

    private final Path path;
    private final Object identity;
    private final boolean writable;
    /** Takes over for a temporary file when the channel is closed by an interrupt: there is no name left to open. */
    private final HostFile.@Nullable Stream spare;

    /** Guarded by {@link #OPEN}. */
    private int users = 1;

    /** Replaced under this object's monitor when an interrupt of some thread has closed it. */
    private volatile HostFile host;

    private boolean released;

    private SharedFile(
            Path path, Object identity, boolean writable, HostFile.@Nullable Stream spare, FileChannel channel) {
        this.path = path;
        this.identity = identity;
        this.writable = writable;
        this.spare = spare;
        this.host = new HostFile.Channel(channel);
    }

    static SharedFile open(Path path, boolean writable) {
        synchronized (OPEN) {
            boolean interrupted = Thread.interrupted();
            try {
                BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
                if (!attributes.isRegularFile()) {
                    throw new BlockException(
                            BlockException.Code.UNSUPPORTED,
                            "%s is not a regular file".formatted(path),
                            "Pass the file of a disk image; devices and directories can't be used as one.");
                }
                Object identity = identity(path, attributes);
                SharedFile open = OPEN.get(identity);
                if (open != null) {
                    if (writable || open.writable) {
                        throw locked(path, "this program has it open already");
                    }
                    open.users++;
                    return open;
                }
                SharedFile file = new SharedFile(path, identity, writable, null, openChannel(path, writable));
                OPEN.put(identity, file);
                return file;
            } catch (IOException e) {
                throw BlockException.of("open", path, e);
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }

    static SharedFile create(Path path) {
        synchronized (OPEN) {
            try {
                FileChannel channel = FileChannel.open(
                        path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
                boolean interrupted = Thread.interrupted();
                lock(channel, path, true);
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
                Object identity = identity(path, Files.readAttributes(path, BasicFileAttributes.class));
                SharedFile file = new SharedFile(path, identity, true, null, channel);
                OPEN.put(identity, file);
                return file;
            } catch (IOException e) {
                throw BlockException.of("create", path, e);
            }
        }
    }

    static SharedFile temporary(Path directory) {
        try {
            // Readable for its owner only.
            Path path = Files.createTempFile(directory, "kagami-disk", null);
            HostFile.Stream spare = new HostFile.Stream(new RandomAccessFile(path.toFile(), "rw"));
            // Where the host can do that the name goes away at once, and nothing is left whatever happens.
            FileChannel channel = FileChannel.open(
                    path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
            Object nobody = new Object();
            SharedFile file = new SharedFile(path, nobody, true, spare, channel);
            synchronized (OPEN) {
                OPEN.put(nobody, file);
            }
            return file;
        } catch (IOException e) {
            throw BlockException.of("create a temporary image in", directory, e);
        }
    }

    private static Object identity(Path path, BasicFileAttributes attributes) throws IOException {
        Object key = attributes.fileKey();
        return key != null ? key : path.toRealPath();
    }

    private static FileChannel openChannel(Path path, boolean writable) throws IOException {
        Set<OpenOption> options =
                writable ? Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE) : Set.of(StandardOpenOption.READ);
        FileChannel channel = FileChannel.open(path, options);
        try {
            lock(channel, path, writable);
        } catch (RuntimeException | IOException e) {
            channel.close();
            throw e;
        }
        return channel;
    }

    private static void lock(FileChannel channel, Path path, boolean writable) throws IOException {
        try {
            boolean got = true;
            if (writable) {
                got = channel.tryLock(LOCK_START, LOCK_LENGTH, false) != null;
            } else {
                for (long lock : READER_LOCKS) {
                    got &= channel.tryLock(lock, 1, true) != null;
                }
            }
            if (!got) {
                throw locked(path, "another program has it open" + (writable ? "" : " for writing"));
            }
        } catch (OverlappingFileLockException e) {
            throw locked(path, "this program has it open already");
        } catch (ClosedChannelException | FileLockInterruptionException e) {
            throw e;
        } catch (IOException e) {
            // Some network file systems have no locks. Refusing them would help nobody.
            LOGGER.log(
                    Level.WARNING, "cannot lock {0} ({1}): make sure that nothing else uses it", path, e.getMessage());
        }
    }

    private static BlockException locked(Path path, String why) {
        return new BlockException(
                BlockException.Code.LOCKED,
                "%s is in use: %s".formatted(path, why),
                "Stop whatever uses the image, or put an overlay over it: many can share one base read-only.");
    }

    void release() {
        synchronized (OPEN) {
            if (--users > 0) {
                return;
            }
            OPEN.remove(identity);
            synchronized (this) {
                released = true;
                try {
                    host.close();
                    if (spare != null) {
                        spare.close();
                        Files.deleteIfExists(path);
                    }
                } catch (IOException e) {
                    LOGGER.log(Level.WARNING, "closing {0} failed: {1}", path, e.getMessage());
                }
            }
        }
    }

    Path path() {
        return path;
    }

    Object identity() {
        return identity;
    }

    boolean writable() {
        return writable;
    }

    /** Something done with the channel. */
    private interface Action {
        long run(HostFile host) throws IOException;
    }

    /**
     * Does something with the channel, to the end. An interrupt of any thread that is inside of a {@link FileChannel}
     * closes the channel for all: it is opened again.
     */
    private long uninterrupted(String doing, Action action) {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                HostFile used = host;
                try {
                    return action.run(used);
                } catch (ClosedChannelException e) {
                    interrupted |= Thread.interrupted();
                    reopen(used, e);
                }
            }
        } catch (IOException e) {
            throw BlockException.of(doing, path, e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private synchronized void reopen(HostFile used, ClosedChannelException why) throws IOException {
        if (released) {
            throw why;
        }
        if (host != used) {
            return;
        }
        if (spare != null) {
            host = spare;
            return;
        }
        // Waits until whoever is closing it has let go of its lock.
        used.close();
        FileChannel opened;
        try {
            opened = openChannel(path, writable);
        } catch (ClosedChannelException | FileLockInterruptionException e) {
            // Interrupted again; whoever needs it next tries again.
            return;
        }
        // The name may have been given to another file since.
        BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
        if (!identity(path, attributes).equals(identity)) {
            opened.close();
            throw new NoSuchFileException(path.toString(), null, "the file was replaced while in use");
        }
        host = new HostFile.Channel(opened);
    }

    long length() {
        return uninterrupted("measure", HostFile::size);
    }

    void read(ByteBuffer target, long position) {
        int start = target.position();
        int end = target.limit();
        uninterrupted("read", used -> {
            // From where it started, if this is another try.
            target.limit(end).position(start);
            while (target.position() < end) {
                limit(target, end);
                int count = used.read(target, position + target.position() - start);
                if (count < 0) {
                    break;
                }
            }
            target.limit(end);
            return 0;
        });
        while (target.remaining() >= Long.BYTES) {
            target.putLong(0);
        }
        while (target.hasRemaining()) {
            target.put((byte) 0);
        }
    }

    void write(ByteBuffer source, long position) {
        int start = source.position();
        int end = source.limit();
        uninterrupted("write", used -> {
            source.limit(end).position(start);
            while (source.position() < end) {
                source.limit(Math.min(end, source.position() + MAX_WRITE));
                used.write(source, position + source.position() - start);
            }
            source.limit(end);
            return 0;
        });
    }

    private static void limit(ByteBuffer buffer, int end) {
        buffer.limit(buffer.isDirect() ? end : Math.min(end, buffer.position() + MAX_HEAP_TRANSFER));
    }

    void setLength(long length) {
        uninterrupted("resize", used -> {
            long now = used.size();
            if (length < now) {
                used.truncate(length);
            } else if (length > now) {
                used.write(ByteBuffer.allocate(1), length - 1);
            }
            return 0;
        });
    }

    void force() {
        uninterrupted("flush", used -> {
            used.force();
            return 0;
        });
    }
}
