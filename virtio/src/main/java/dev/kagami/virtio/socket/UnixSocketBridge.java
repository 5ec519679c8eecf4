package dev.kagami.virtio.socket;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Lets programs of the host use a guest's sockets through Unix sockets, in the way that users of Firecracker know.
 *
 * <ul>
 *   <li>To the guest: connect to the bridge's path and send {@code CONNECT PORT\n}. The answer is {@code OK HOSTPORT\n} and
 *       then the connection; when the guest refuses, the socket is closed.
 *   <li>From the guest: a connection to port N of the host goes to the Unix socket {@code PATH_N}, if somebody listens there.
 * </ul>
 *
 * <p>Thread-safe. Each connection has two virtual threads.
 */
public final class UnixSocketBridge implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(UnixSocketBridge.class.getName());
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int BUFFER = 64 << 10;
    private static final int MAX_LINE = 32;
    private static final String COMMAND = "CONNECT ";

    private final SocketDevice device;
    private final Path path;
    private final ServerSocketChannel server;
    private final Set<SocketChannel> open = ConcurrentHashMap.newKeySet();

    /**
     * Starts to listen.
     *
     * @param device the guest's sockets
     * @param path where the Unix socket will be; there must be no file yet
     * @throws UncheckedIOException when the socket can't be made; the message names it and the reason
     */
    public UnixSocketBridge(SocketDevice device, Path path) {
        this.device = device;
        this.path = path;
        try {
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        } catch (IOException e) {
            throw refused(e);
        }
        try {
            server.bind(UnixDomainSocketAddress.of(path));
            PosixFileAttributeView access = Files.getFileAttributeView(path, PosixFileAttributeView.class);
            if (access != null) {
                // The guest's sockets are its owner's, as the guest is.
                access.setPermissions(PosixFilePermissions.fromString("rw-------"));
            }
        } catch (IOException e) {
            closeQuietly(server);
            throw refused(e);
        }
        device.setFallback(this::fromGuest);
        Thread.ofVirtual().name("kagami-vsock-accept").start(this::acceptAll);
    }

    private UncheckedIOException refused(IOException e) {
        return new UncheckedIOException("cannot listen on the Unix socket %s: %s".formatted(path, e.getMessage()), e);
    }

    private void acceptAll() {
        while (server.isOpen()) {
            try {
                SocketChannel client = server.accept();
                open.add(client);
                Thread.ofVirtual().name("kagami-vsock-client").start(() -> toGuest(client));
            } catch (IOException e) {
                if (server.isOpen()) {
                    LOGGER.log(Level.WARNING, "the Unix socket %s takes no more connections".formatted(path), e);
                }
                return;
            }
        }
    }

    private void toGuest(SocketChannel client) {
        try {
            GuestSocket guest = device.connect(readPort(client), PATIENCE);
            String answer = "OK %s\n".formatted(Integer.toUnsignedString(guest.hostPort()));
            client.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.US_ASCII)));
            join(client, guest);
        } catch (IOException e) {
            LOGGER.log(Level.DEBUG, "a connection to the guest failed", e);
            closeQuietly(client);
        }
    }

    private static int readPort(SocketChannel client) throws IOException {
        StringBuilder line = new StringBuilder();
        ByteBuffer one = ByteBuffer.allocate(1);
        // Byte by byte: what follows the line belongs to the connection.
        while (line.length() < MAX_LINE) {
            one.clear();
            if (client.read(one) < 0) {
                throw new IOException("no command");
            }
            char next = (char) one.get(0);
            if (next == '\n') {
                break;
            }
            line.append(next);
        }
        String command = line.toString();
        if (!command.startsWith(COMMAND)) {
            throw new IOException("not a command: " + command);
        }
        try {
            return Integer.parseUnsignedInt(command.substring(COMMAND.length()).strip());
        } catch (NumberFormatException e) {
            throw new IOException("not a port: " + command, e);
        }
    }

    /** Called on the device's thread. */
    private boolean fromGuest(GuestSocket guest) {
        Path target = path.resolveSibling(path.getFileName() + "_" + Integer.toUnsignedString(guest.hostPort()));
        if (!server.isOpen() || !Files.exists(target)) {
            return false;
        }
        Thread.ofVirtual().name("kagami-vsock-guest").start(() -> {
            try {
                SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(target));
                open.add(channel);
                join(channel, guest);
            } catch (IOException e) {
                LOGGER.log(Level.DEBUG, "nobody listens on the Unix socket %s".formatted(target), e);
                guest.close();
            }
        });
        return true;
    }

    /** Copies in both directions until both ends are done. */
    private void join(SocketChannel channel, GuestSocket guest) {
        Thread back = Thread.ofVirtual().name("kagami-vsock-copy").start(() -> {
            try {
                copy(guest, channel);
                channel.shutdownOutput();
            } catch (IOException e) {
                closeQuietly(channel);
            }
        });
        try {
            copy(channel, guest);
            guest.shutdownOutput();
        } catch (IOException e) {
            guest.close();
        }
        try {
            back.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        guest.close();
        closeQuietly(channel);
    }

    private static void copy(ByteChannel from, ByteChannel to) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        while (from.read(buffer) >= 0) {
            buffer.flip();
            while (buffer.hasRemaining()) {
                to.write(buffer);
            }
            buffer.clear();
        }
    }

    private void closeQuietly(NetworkChannel channel) {
        open.remove(channel);
        try {
            channel.close();
        } catch (IOException e) {
            LOGGER.log(Level.DEBUG, "closing a Unix socket", e);
        }
    }

    /** Takes no more connections, ends those there are, and removes the socket's file. */
    @Override
    public void close() {
        device.setFallback(null);
        try {
            server.close();
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOGGER.log(Level.WARNING, "cannot remove the Unix socket %s".formatted(path), e);
        }
        open.forEach(this::closeQuietly);
    }
}
