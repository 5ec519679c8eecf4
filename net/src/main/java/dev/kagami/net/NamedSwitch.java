package dev.kagami.net;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A switch that everybody of one user who knows its name shares, in one JVM and across JVMs.
 *
 * <p>Each JVM has one switch of that name. The first JVM listens at a Unix domain socket, the others connect to it: a star, so there are
 * no loops. When the JVM in the middle goes, another takes its place within a second or so, and frames sent meanwhile are
 * lost. The socket is in a directory that only its owner may enter. Thread-safe.
 */
public final class NamedSwitch implements AutoCloseable {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,47}");
    private static final int MAXIMUM_TRUNKS = 256;
    private static final long RETRY_MILLIS = 50;
    private static final long OPEN_TIMEOUT_SECONDS = 10;
    private static final Set<PosixFilePermission> OWNER_ONLY_FILE = PosixFilePermissions.fromString("rw-------");

    private static final Map<Path, NamedSwitch> OPEN = new HashMap<>();

    private final Path socket;
    private final String name;
    private final EthernetSwitch ethernet = new EthernetSwitch();
    private final List<SwitchTrunk> trunks = new CopyOnWriteArrayList<>();
    private final CountDownLatch joined = new CountDownLatch(1);
    private final Thread keeper;
    private int users;
    private volatile boolean closed;
    private volatile @Nullable ServerSocketChannel server;
    private volatile @Nullable IOException failure;

    private NamedSwitch(Path directory, String name) {
        this.name = name;
        socket = directory.resolve("switch-" + name + ".sock");
        keeper = Thread.ofPlatform().daemon().name("kagami-switch-" + name).unstarted(this::keepJoined);
    }

    /** {@return whether a switch can be called that: 1 to 48 letters, digits, dots, dashes and underscores} */
    public static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    /**
     * {@return the switch of that name, in the user's run-time directory; close it once for every time it was opened}
     *
     * @param name letters, digits, dots, dashes and underscores, at most 48
     * @throws IOException if the directory or the socket can't be used
     */
    public static NamedSwitch open(String name) throws IOException {
        return open(RuntimeDirectory.ofUser(), name);
    }

    /**
     * {@return the switch of that name whose socket is in that directory}
     *
     * @throws IOException if the directory or the socket can't be used
     */
    public static NamedSwitch open(Path directory, String name) throws IOException {
        if (!isName(name)) {
            throw new IllegalArgumentException("not a name of a switch: " + name);
        }
        RuntimeDirectory.prepare(directory);
        NamedSwitch named;
        synchronized (OPEN) {
            Path key = directory.toRealPath().resolve(name);
            named = OPEN.get(key);
            if (named == null) {
                named = new NamedSwitch(directory.toRealPath(), name);
                OPEN.put(key, named);
                named.keeper.start();
            }
            named.users++;
        }
        named.awaitJoined();
        return named;
    }

    private void awaitJoined() throws IOException {
        try {
            if (!joined.await(OPEN_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                close();
                throw new IOException("can't join the switch at " + socket, failure);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
            throw new IOException("interrupted while joining the switch at " + socket, e);
        }
        IOException reason = failure;
        if (reason != null) {
            close();
            throw reason;
        }
    }

    /** {@return the switch of this JVM, to plug stations in; don't close it} */
    public EthernetSwitch ethernet() {
        return ethernet;
    }

    /** {@return the number of other JVMs that this one is connected to: those around it, or the one in the middle} */
    public int trunks() {
        return (int) trunks.stream().filter(trunk -> !trunk.isClosed()).count();
    }

    private void keepJoined() {
        try {
            while (!closed) {
                if (!serve() && !connect()) {
                    Thread.sleep(RETRY_MILLIS);
                }
            }
        } catch (IOException e) {
            failure = e;
            joined.countDown();
        } catch (InterruptedException e) {
            // Closed.
        }
    }

    /** Is the middle of the star until closed, if nobody else is; false if somebody is. */
    private boolean serve() throws IOException {
        Path lockFile = socket.resolveSibling("switch-" + name + ".lock");
        // Who holds the lock is in the middle. It is gone with its JVM, however that ends; a socket file may stay
        // behind.
        try (FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = tryLock(channel)) {
            if (lock == null) {
                return false;
            }
            Files.deleteIfExists(socket);
            try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                listening.bind(UnixDomainSocketAddress.of(socket));
                if (socket.getFileSystem().supportedFileAttributeViews().contains("posix")) {
                    Files.setPosixFilePermissions(socket, OWNER_ONLY_FILE);
                }
                server = listening;
                joined.countDown();
                accept(listening);
            } finally {
                server = null;
                Files.deleteIfExists(socket);
                trunks.forEach(SwitchTrunk::close);
            }
        }
        return true;
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    private void accept(ServerSocketChannel listening) {
        while (!closed) {
            try {
                SocketChannel accepted = listening.accept();
                trunks.removeIf(SwitchTrunk::isClosed);
                if (trunks.size() >= MAXIMUM_TRUNKS) {
                    accepted.close();
                } else {
                    trunks.add(new SwitchTrunk(ethernet, accepted, name));
                }
            } catch (IOException e) {
                return;
            }
        }
    }

    /** Is connected to the middle of the star until that goes; false if there is none. */
    private boolean connect() throws InterruptedException {
        SocketChannel connected;
        try {
            connected = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            return false;
        }
        try (var trunk = new SwitchTrunk(ethernet, connected, name)) {
            trunks.add(trunk);
            if (closed) {
                return true;
            }
            joined.countDown();
            trunk.awaitEnd();
            trunks.remove(trunk);
            return trunk.isGreeted();
        }
    }

    /** Leaves the switch, if all who opened it in this JVM have closed it. */
    @Override
    public void close() {
        synchronized (OPEN) {
            if (--users > 0 || closed) {
                return;
            }
            closed = true;
            OPEN.values().remove(this);
        }
        ServerSocketChannel listening = server;
        if (listening != null) {
            try {
                listening.close();
            } catch (IOException e) {
                // It is closed as far as we are concerned.
            }
        }
        keeper.interrupt();
        ethernet.close();
        trunks.forEach(SwitchTrunk::close);
        try {
            keeper.join(TimeUnit.SECONDS.toMillis(OPEN_TIMEOUT_SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
