package dev.kagami.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Files and ports that are only needed for a while. */
final class Temporary {
    private Temporary() {}

    /** {@return a port of the loopback address that nothing listens on} */
    static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return free.getLocalPort();
        }
    }

    /** Deletes a directory and the files in it. */
    static void delete(Path directory) throws IOException {
        List<Path> names;
        try (Stream<Path> files = Files.list(directory)) {
            names = files.toList();
        }
        for (Path file : names) {
            Files.delete(file);
        }
        Files.delete(directory);
    }
}
