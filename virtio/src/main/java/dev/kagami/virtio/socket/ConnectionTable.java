package dev.kagami.virtio.socket;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Connections by their ports. Thread-safe; looking one up allocates nothing. */
final class ConnectionTable {
    /** Connections that a guest may have at a time. */
    static final int MAX_CONNECTIONS = 4096;

    private static final int BUCKETS = 1024;

    private final @Nullable Connection[] buckets = new Connection[BUCKETS];
    private int count;

    private static int bucket(int hostPort, int guestPort) {
        int hash = hostPort * 31 + guestPort;
        return (hash ^ hash >>> 16) & BUCKETS - 1;
    }

    synchronized @Nullable Connection find(int hostPort, int guestPort) {
        Connection connection = buckets[bucket(hostPort, guestPort)];
        while (connection != null && (connection.hostPort() != hostPort || connection.guestPort() != guestPort)) {
            connection = connection.next;
        }
        return connection;
    }

    /** {@return whether there was room, and no connection with the same ports} */
    synchronized boolean add(Connection connection) {
        if (count >= MAX_CONNECTIONS || find(connection.hostPort(), connection.guestPort()) != null) {
            return false;
        }
        int bucket = bucket(connection.hostPort(), connection.guestPort());
        connection.next = buckets[bucket];
        buckets[bucket] = connection;
        count++;
        return true;
    }

    synchronized void remove(Connection connection) {
        int bucket = bucket(connection.hostPort(), connection.guestPort());
        Connection before = null;
        for (Connection at = buckets[bucket]; at != null; at = at.next) {
            if (at == connection) {
                if (before == null) {
                    buckets[bucket] = at.next;
                } else {
                    before.next = at.next;
                }
                count--;
                return;
            }
            before = at;
        }
    }

    synchronized void forEach(Consumer<Connection> action) {
        for (Connection first : buckets) {
            for (Connection at = first; at != null; at = at.next) {
                action.accept(at);
            }
        }
    }
}
