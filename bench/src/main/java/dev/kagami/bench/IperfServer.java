package dev.kagami.bench;

import java.io.IOException;
import java.util.List;

/**
 * An iperf3 server of the host, on its loopback address.
 *
 * @param process the server
 * @param port where it listens
 */
record IperfServer(Process process, int port) implements AutoCloseable {
    private static final String COMMAND = "iperf3";

    /**
     * Starts a server.
     *
     * @return the server, which listens
     * @throws IOException when the host has no iperf3
     */
    static IperfServer start() throws IOException {
        if (!Contender.onPath(COMMAND)) {
            throw new IOException(
                    "no " + COMMAND + " on PATH; install it (Debian: apt install iperf3), or leave out its workloads");
        }
        int port = Temporary.freePort();
        Process process = new ProcessBuilder(
                        List.of(COMMAND, "--server", "--bind", "127.0.0.1", "--port", Integer.toString(port)))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        return new IperfServer(process, port);
    }

    @Override
    public void close() {
        process.destroy();
    }
}
