package dev.kagami.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;

/**
 * Loads a memcached server in a guest, through a forwarded port, whenever a guest asks for it: a connection to the control
 * port has the load begin, and is sent the operations a second at its end.
 */
final class MemcachedLoad implements AutoCloseable {
    private static final int CONNECTIONS = 8;
    private static final int KEYS = 1000;
    private static final String VALUE = "0123456789".repeat(10);
    private static final double PERCENTILE = 0.99;

    private final ServerSocket control;
    private final int forwarded;
    private final int seconds;

    private MemcachedLoad(ServerSocket control, int forwarded, int seconds) {
        this.control = control;
        this.forwarded = forwarded;
        this.seconds = seconds;
    }

    /**
     * Waits for guests from now on.
     *
     * @param seconds how long a load lasts
     */
    static MemcachedLoad start(int seconds) throws IOException {
        ServerSocket control = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        MemcachedLoad load = new MemcachedLoad(control, Temporary.freePort(), seconds);
        Thread.ofPlatform().daemon().name("memcached-load").start(load::serve);
        return load;
    }

    /** {@return where guests ask for a load} */
    int controlPort() {
        return control.getLocalPort();
    }

    /** {@return the port that leads to the guest's memcached} */
    int forwardedPort() {
        return forwarded;
    }

    private void serve() {
        while (true) {
            try (Socket guest = control.accept()) {
                send(guest, run() + "\n");
            } catch (IOException e) {
                if (control.isClosed()) {
                    return;
                }
                System.err.println("compare: memcached: " + e.getMessage());
            }
        }
    }

    private String run() throws IOException {
        List<Future<long[]>> clients = new ArrayList<>();
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        try (ExecutorService threads = Executors.newFixedThreadPool(CONNECTIONS)) {
            for (int i = 0; i < CONNECTIONS; i++) {
                int client = i;
                clients.add(threads.submit(() -> operations(client, end)));
            }
        }
        LongStream all = LongStream.empty();
        for (Future<long[]> client : clients) {
            try {
                all = LongStream.concat(all, Arrays.stream(client.get()));
            } catch (ExecutionException | InterruptedException e) {
                throw new IOException(e);
            }
        }
        long[] nanos = all.sorted().toArray();
        System.err.printf(Locale.ROOT, " (memcached p99 %.1f ms)", nanos[(int) (nanos.length * PERCENTILE)] / 1e6);
        return String.format(Locale.ROOT, "%.1f", (double) nanos.length / seconds);
    }

    /** {@return how long each operation took, in nanoseconds} */
    private long[] operations(int client, long end) throws IOException {
        LongStream.Builder nanos = LongStream.builder();
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), forwarded)) {
            socket.setTcpNoDelay(true);
            var in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
            long start = System.nanoTime();
            for (int i = 0; start - end < 0; i++) {
                String key = client + "-" + i / 2 % KEYS;
                if (i % 2 == 0) {
                    send(socket, "set %s 0 0 %d\r\n%s\r\n".formatted(key, VALUE.length(), VALUE));
                    expect(in, "STORED");
                } else {
                    send(socket, "get " + key + "\r\n");
                    expect(in, "VALUE " + key + " 0 " + VALUE.length());
                    expect(in, VALUE);
                    expect(in, "END");
                }
                long now = System.nanoTime();
                nanos.add(now - start);
                start = now;
            }
        }
        return nanos.build().toArray();
    }

    private static void send(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static void expect(BufferedReader in, String line) throws IOException {
        String read = in.readLine();
        if (!line.equals(read)) {
            throw new IOException("memcached said '%s' and not '%s'".formatted(read, line));
        }
    }

    @Override
    public void close() throws IOException {
        control.close();
    }
}
