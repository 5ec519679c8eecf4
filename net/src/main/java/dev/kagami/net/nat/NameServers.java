package dev.kagami.net.nat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The host's name servers, as its {@code /etc/resolv.conf} has them now. When one doesn't answer, the next is used for the
 * queries that follow: guests ask again by themselves. For one thread.
 */
final class NameServers {
    /** The port of the Domain Name System. */
    static final int PORT = 53;

    private static final Path RESOLV_CONF = Path.of("/etc/resolv.conf");
    private static final long CHECK_INTERVAL = 5_000_000_000L;
    private static final int MAXIMUM_FILE = 64 * 1024;
    private static final int MAXIMUM_SERVERS = 8;

    private final boolean fixed;
    private List<InetSocketAddress> servers;
    private @Nullable FileTime readAt;
    private long checked;
    private int current;

    /** Makes the list of those servers; of the host's if there are none. */
    NameServers(List<InetSocketAddress> configured) {
        fixed = !configured.isEmpty();
        servers = configured;
        checked = System.nanoTime() - CHECK_INTERVAL;
    }

    /** {@return whether there is any; if not, names are resolved through the JDK} */
    boolean isEmpty() {
        refresh();
        return servers.isEmpty();
    }

    /** {@return the server to ask now} */
    InetSocketAddress first() {
        refresh();
        return servers.isEmpty()
                ? new InetSocketAddress(InetAddress.getLoopbackAddress(), PORT)
                : servers.get(current % servers.size());
    }

    /** Notes that a server hasn't answered. */
    void failed(InetSocketAddress server) {
        if (server.equals(first())) {
            current = (current + 1) % Math.max(1, servers.size());
        }
    }

    private void refresh() {
        long now = System.nanoTime();
        if (fixed || now - checked < CHECK_INTERVAL) {
            return;
        }
        checked = now;
        try {
            FileTime time = Files.getLastModifiedTime(RESOLV_CONF);
            if (!time.equals(readAt)) {
                readAt = time;
                servers = Files.size(RESOLV_CONF) > MAXIMUM_FILE ? List.of() : parse(Files.readString(RESOLV_CONF));
                current = 0;
            }
        } catch (IOException e) {
            servers = List.of();
            readAt = null;
        }
    }

    /** {@return the servers that a resolver's configuration names (resolv.conf(5))} */
    static List<InetSocketAddress> parse(String text) {
        var found = new ArrayList<InetSocketAddress>();
        for (String line : text.lines().toList()) {
            String[] words = line.strip().split("\\s+");
            if (words.length >= 2 && words[0].equals("nameserver") && found.size() < MAXIMUM_SERVERS) {
                // Only literals: a name here would be looked up with the very servers that it names.
                if (words[1].matches("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%\\w+)?")) {
                    try {
                        found.add(new InetSocketAddress(InetAddress.getByName(words[1]), PORT));
                    } catch (UnknownHostException e) {
                        // Not an address, so not a server.
                    }
                }
            }
        }
        return List.copyOf(found);
    }
}
