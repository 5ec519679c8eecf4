package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.kagami.vm.Network.Forward;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** Programs that people use, between the host and a Debian guest behind NAT. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Execution(ExecutionMode.SAME_THREAD)
@Timeout(value = 5, unit = TimeUnit.HOURS)
final class RealClientsTest {
    private static final int MEBIBYTE = 1 << 20;

    /** MiB that scp copies each way. */
    private static final int COPIED = Integer.getInteger("kagami.tests.scpMebibytes", 1024);

    private static final int CONNECTIONS = 500;
    private static final int DATAGRAM_CLIENTS = 20;
    private static final int ECHO_PORT = 7777;
    private static final int CLOSED_PORT = 9;
    private static final int MEMCACHED_PORT = 11211;
    private static final int IPERF_PORT = 5201;
    private static final int HTTP_PORT = 8000;
    private static final int BULK = 32 * MEBIBYTE;
    private static final Duration SOON = DebianGuest.SOON;
    private static final Pattern BITS = Pattern.compile("\"bits_per_second\":\\s*([0-9.e+]+)");

    @TempDir
    private static Path directory;

    private final int echoPort = DebianGuest.freePort();
    private final int closedPort = DebianGuest.freePort();
    private final int memcachedPort = DebianGuest.freePort();
    private final int iperfPort = DebianGuest.freePort();
    private final int datagramPort = DebianGuest.freePort();
    private final int httpPort = DebianGuest.freePort();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private DebianGuest guest;

    @BeforeAll
    void boot() throws Exception {
        DebianGuest.require();
        guest = DebianGuest.boot(
                directory,
                network -> network.forward(echoPort, ECHO_PORT)
                        .forward(closedPort, CLOSED_PORT)
                        .forward(memcachedPort, MEMCACHED_PORT)
                        .forward(iperfPort, IPERF_PORT)
                        .forward(Forward.udp(iperfPort, IPERF_PORT))
                        .forward(Forward.udp(datagramPort, ECHO_PORT))
                        .forward(httpPort, HTTP_PORT));
        guest.awaitBooted();
        for (String script : List.of("echo_server", "many_clients", "slow_reader", "closed_port", "datagram_echo")) {
            Path file = directory.resolve(script + ".py");
            try (InputStream in = RealClientsTest.class.getResourceAsStream("/guest/" + script + ".py")) {
                Files.copy(in, file);
            }
            guest.scp(file.toString(), ":" + script + ".py");
        }
    }

    @AfterAll
    void end() throws Exception {
        threads.close();
        if (guest != null) {
            try (DebianGuest last = guest) {
                KernelLog.assertHealthy(last.kernelLog());
                last.powerOff();
            }
        }
    }

    /** Starts a service in the guest that outlives the connection; it answers from when this returns. */
    private void startService(String command, int hostPort) throws Exception {
        guest.ssh("sudo systemd-run --uid=debian --working-directory=/home/debian --setenv=HOME=/home/debian "
                        + command)
                .orFail();
        long deadline = System.nanoTime() + SOON.toNanos();
        while (!answers(hostPort)) {
            assertThat(System.nanoTime()).as(command).isLessThan(deadline);
            Thread.sleep(500);
        }
    }

    /** {@return whether a connection through a forward stays open, which it only does when the guest accepts it} */
    private static boolean answers(int port) throws IOException {
        try (Socket socket = connect(port)) {
            socket.setSoTimeout(2000);
            return socket.getInputStream().read() >= 0;
        } catch (SocketTimeoutException e) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static Socket connect(int port) throws IOException {
        Socket socket = new Socket();
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), (int) SOON.toMillis());
        socket.setSoTimeout((int) SOON.toMillis());
        return socket;
    }

    @Test
    void scpCopiesBothWaysWithMatchingSums() throws Exception {
        Path original = directory.resolve("original");
        String sum;
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (OutputStream out = new DigestOutputStream(Files.newOutputStream(original), digest)) {
            byte[] block = new byte[MEBIBYTE];
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < COPIED; i++) {
                random.nextBytes(block);
                out.write(block);
            }
            sum = HexFormat.of().formatHex(digest.digest());
        }
        long start = System.nanoTime();
        guest.scp(original.toString(), ":copy");
        long there = System.nanoTime();
        assertThat(guest.ssh("sha256sum copy").orFail()).startsWith(sum);
        Path back = directory.resolve("back");
        long turn = System.nanoTime();
        guest.scp(":copy", back.toString());
        System.out.printf(
                "scp: %d MiB in %.1f s to the guest, %.1f s back%n",
                COPIED, (there - start) / 1e9, (System.nanoTime() - turn) / 1e9);
        assertThat(Files.mismatch(original, back)).isEqualTo(-1);
        guest.ssh("rm copy").orFail();
        Files.delete(back);
        Files.delete(original);
    }

    @Test
    void curlGetsAndPutsFilesOfAServerOnTheHost() throws Exception {
        byte[] content = new byte[BULK];
        new SplittableRandom(2).nextBytes(content);
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(content);
        List<byte[]> uploads = new ArrayList<>();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            uploads.add(exchange.getRequestBody().readAllBytes());
            exchange.sendResponseHeaders(200, content.length);
            exchange.getResponseBody().write(content);
            exchange.close();
        });
        server.start();
        try {
            String url = "http://%s:%d/"
                    .formatted(DebianGuest.HOST, server.getAddress().getPort());
            assertThat(guest.ssh("curl -sSf -o content " + url + " && sha256sum content")
                            .orFail())
                    .startsWith(HexFormat.of().formatHex(digest));
            guest.ssh("curl -sSf -o /dev/null -T content " + url).orFail();
            assertThat(uploads.getLast()).isEqualTo(content);
        } finally {
            server.stop(0);
        }
    }

    @Test
    void aServerInTheGuestIsReachedThroughItsForward() throws Exception {
        guest.ssh("mkdir -p www && head -c 8000000 /dev/urandom > www/content").orFail();
        startService("python3 -m http.server --directory www " + HTTP_PORT, httpPort);
        byte[] content;
        try (InputStream in =
                URI.create("http://127.0.0.1:" + httpPort + "/content").toURL().openStream()) {
            content = in.readAllBytes();
        }
        assertThat(guest.ssh("sha256sum www/content").orFail())
                .startsWith(HexFormat.of()
                        .formatHex(MessageDigest.getInstance("SHA-256").digest(content)));
    }

    @Test
    void iperf3MovesTcpAndUdpBothWays() throws Exception {
        HostCommand.require("iperf3", "iperf3");
        // A connection to find out whether it listens would count as a client.
        guest.ssh("iperf3 -s -D").orFail();
        for (String way : List.of("", "-R", "-u -b 20M", "-u -b 20M -R")) {
            for (boolean host : new boolean[] {true, false}) {
                String output = host ? fromHost(way) : fromGuest(way);
                boolean udp = way.contains("-u");
                var bits = BITS.matcher(output.substring(output.lastIndexOf(udp ? "\"sum\"" : "\"sum_received\"")));
                assertThat(bits.find()).as(output).isTrue();
                double rate = Double.parseDouble(bits.group(1));
                System.out.printf("iperf3 on the %s %s: %.0f Mbit/s%n", host ? "host" : "guest", way, rate / 1e6);
                assertThat(rate).as("bits a second, iperf3 " + way).isGreaterThan(1e6);
            }
        }
    }

    @Test
    void datagramsOfManyClientsAreAnsweredThroughAForward() throws Exception {
        guest.ssh("sudo systemd-run --uid=debian --working-directory=/home/debian python3 datagram_echo.py "
                        + ECHO_PORT)
                .orFail();
        all(DATAGRAM_CLIENTS, client -> {
            // Not connected: then the JDK sends no empty ones.
            try (DatagramSocket socket = new DatagramSocket()) {
                InetSocketAddress forward = new InetSocketAddress(InetAddress.getLoopbackAddress(), datagramPort);
                socket.setSoTimeout(1000);
                for (int size : new int[] {0, 1, 1472, 1473, 9000}) {
                    byte[] sent = new byte[size];
                    Arrays.fill(sent, (byte) client);
                    long end = System.nanoTime() + SOON.toNanos();
                    // The server may not listen yet, datagrams may be lost, and answers to what was sent twice are
                    // late.
                    boolean answered = false;
                    DatagramPacket answer;
                    do {
                        assertThat(System.nanoTime()).isLessThan(end);
                        socket.send(new DatagramPacket(sent, size, forward));
                        answer = new DatagramPacket(new byte[10_000], 10_000);
                        try {
                            socket.receive(answer);
                            answered = answer.getLength() == size;
                        } catch (SocketTimeoutException e) {
                            // Once more.
                        }
                    } while (!answered);
                    assertThat(Arrays.copyOf(answer.getData(), size)).isEqualTo(sent);
                }
            }
            return null;
        });
    }

    private String fromHost(String way) throws Exception {
        List<String> command = new ArrayList<>(
                List.of("iperf3", "-J", "-t", "3", "-c", "127.0.0.1", "-p", Integer.toString(iperfPort)));
        if (!way.isEmpty()) {
            command.addAll(List.of(way.split(" ")));
        }
        return HostCommand.run(SOON, command).orFail();
    }

    private String fromGuest(String way) throws Exception {
        int port = DebianGuest.freePort();
        Process server =
                HostCommand.start(List.of("iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", Integer.toString(port)));
        try {
            Thread.sleep(1000);
            return guest.ssh("iperf3 -J -t 3 -c %s -p %d %s".formatted(DebianGuest.HOST, port, way))
                    .orFail();
        } finally {
            server.destroy();
        }
    }

    @Test
    void memcachedServesALoaderOnTheHost() throws Exception {
        startService("memcached -l 0.0.0.0 -p " + MEMCACHED_PORT, memcachedPort);
        int clients = 8;
        int keys = 100;
        long start = System.nanoTime();
        all(clients, client -> {
            try (Socket socket = connect(memcachedPort)) {
                var in = new java.io.BufferedReader(
                        new java.io.InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
                for (int key = 0; key < keys; key++) {
                    String value = "value of %d %d ".formatted(client, key).repeat(key + 1);
                    send(socket, "set k%d-%d 0 0 %d\r\n%s\r\n".formatted(client, key, value.length(), value));
                    assertThat(in.readLine()).isEqualTo("STORED");
                    send(socket, "get k%d-%d\r\n".formatted(client, key));
                    assertThat(in.readLine()).isEqualTo("VALUE k%d-%d 0 %d", client, key, value.length());
                    assertThat(in.readLine()).isEqualTo(value);
                    assertThat(in.readLine()).isEqualTo("END");
                }
            }
            return null;
        });
        System.out.printf("memcached: %.0f operations a second%n", 2e9 * clients * keys / (System.nanoTime() - start));
    }

    private static void send(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void fiveHundredConnectionsAtATimeAreServedInEitherDirection() throws Exception {
        startService("python3 echo_server.py " + ECHO_PORT, echoPort);
        CountDownLatch everyone = new CountDownLatch(CONNECTIONS);
        all(CONNECTIONS, client -> {
            byte[] message = "client %d\n".formatted(client).repeat(100).getBytes(StandardCharsets.US_ASCII);
            try (Socket socket = connect(echoPort)) {
                socket.getOutputStream().write(message);
                assertThat(socket.getInputStream().readNBytes(message.length)).isEqualTo(message);
                everyone.countDown();
                assertThat(everyone.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
                socket.getOutputStream().write(message);
                assertThat(socket.getInputStream().readNBytes(message.length)).isEqualTo(message);
            }
            return null;
        });

        try (ServerSocket server = new ServerSocket(0, CONNECTIONS, InetAddress.getLoopbackAddress())) {
            threads.submit(() -> {
                while (true) {
                    Socket socket = server.accept();
                    threads.submit(() -> {
                        try (socket) {
                            return socket.getInputStream().transferTo(socket.getOutputStream());
                        }
                    });
                }
            });
            assertThat(guest.ssh("python3 many_clients.py %s %d %d"
                                    .formatted(DebianGuest.HOST, server.getLocalPort(), CONNECTIONS))
                            .orFail())
                    .contains("connections served: " + CONNECTIONS);
        }
    }

    @Test
    void aSlowReaderStallsOnlyItsOwnConnection() throws Exception {
        // A reader in the guest: the host offers the same to both connections.
        try (ServerSocket server = new ServerSocket(0, 2, InetAddress.getLoopbackAddress())) {
            threads.submit(() -> {
                while (true) {
                    Socket socket = server.accept();
                    threads.submit(() -> {
                        try (socket) {
                            socket.getOutputStream().write(new byte[BULK]);
                        }
                        return null;
                    });
                }
            });
            String output = guest.ssh(
                            "python3 slow_reader.py %s %d %d".formatted(DebianGuest.HOST, server.getLocalPort(), BULK))
                    .orFail();
            assertThat(output.lines()).containsExactly("fast " + BULK, "slow " + BULK);
        }
        // A reader on the host, of two streams from the guest.
        try (ServerSocket server = new ServerSocket(0, 2, InetAddress.getLoopbackAddress())) {
            String send =
                    "head -c %d /dev/zero > /dev/tcp/%s/%d".formatted(BULK, DebianGuest.HOST, server.getLocalPort());
            Future<?> slowSender =
                    threads.submit(() -> guest.ssh("bash -c '" + send + "'").orFail());
            try (Socket slow = server.accept()) {
                Future<?> fastSender =
                        threads.submit(() -> guest.ssh("bash -c '" + send + "'").orFail());
                try (Socket fast = server.accept()) {
                    assertThat(fast.getInputStream().transferTo(OutputStream.nullOutputStream()))
                            .isEqualTo(BULK);
                }
                fastSender.get();
                assertThat(slowSender.isDone()).isFalse();
                assertThat(slow.getInputStream().transferTo(OutputStream.nullOutputStream()))
                        .isEqualTo(BULK);
            }
            slowSender.get();
        }
    }

    @Test
    void aClosedPortIsRefused() throws Exception {
        assertThat(guest.ssh("python3 closed_port.py %s %d".formatted(DebianGuest.HOST, DebianGuest.freePort()))
                        .orFail()
                        .strip())
                .isEqualTo("ConnectionRefusedError");
        // The host's side of a forward is open before anyone knows about the guest's; it ends at once.
        try (Socket socket = connect(closedPort)) {
            assertThat(socket.getInputStream().read()).isEqualTo(-1);
        } catch (java.net.SocketException e) {
            assertThat(e).hasMessageContaining("reset");
        }
    }

    @Test
    void pingsAndNamesAreAnswered() throws Exception {
        assertThat(guest.ssh("ping -c 3 " + DebianGuest.HOST).orFail()).contains("3 received");
        // Which names there are is up to the host; that an answer comes is up to us.
        assertThat(guest.ssh("host -W 20 localhost 10.0.2.3").output()).doesNotContain("timed out", "no servers");
        assertThat(guest.ssh("resolvectl dns").orFail()).contains("10.0.2.3");
    }

    private interface Client {
        Object run(int number) throws Exception;
    }

    /** Runs clients at the same time, and fails when one of them does. */
    private void all(int count, Client client) throws Exception {
        List<Callable<Object>> tasks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int number = i;
            tasks.add(() -> client.run(number));
        }
        for (Future<Object> task : threads.invokeAll(tasks)) {
            task.get();
        }
    }
}
