package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.NamedSwitch;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The Linux kernel's own network stack as the guest, with its offloads: a TAP device in a network namespace of its own, carried to a switch
 * by a script. Skipped where that needs privileges that aren't there, or Python.
 */
@Timeout(90)
class LinuxGuestTest {
    private static final int LENGTH = 50_000_000;

    @TempDir
    Path directory;

    private static boolean works(String... command) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Test
    void linuxTalksThroughTheGatewayInAllWays() throws Exception {
        Assumptions.assumeTrue(Files.isWritable(Path.of("/dev/net/tun")), "no TAP devices here");
        Assumptions.assumeTrue(works("python3", "--version"), "python3 isn't installed");
        Assumptions.assumeTrue(works("unshare", "-n", "ip", "link"), "no network namespaces here");
        Path script = directory.resolve("guest.py");
        try (InputStream in = LinuxGuestTest.class.getResourceAsStream("linux-guest.py")) {
            Files.copy(in, script);
        }
        byte[] data = new byte[LENGTH];
        new Random(1).nextBytes(data);
        InetAddress loopback = InetAddress.getLoopbackAddress();
        Path sockets = directory.resolve("kagami");
        try (var server = new ServerSocket(0, 300, loopback);
                NamedSwitch named = NamedSwitch.open(sockets, "linux");
                Nat nat =
                        Nat.start(NatConfig.defaults(), named.ethernet().plug().first());
                PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 80)) {
            Thread.ofVirtual().start(() -> serve(server, data));
            Process guest = new ProcessBuilder(
                            "unshare",
                            "-n",
                            "python3",
                            script.toString(),
                            sockets.toRealPath().resolve("switch-linux.sock").toString(),
                            Integer.toString(server.getLocalPort()),
                            Integer.toString(LENGTH))
                    .redirectErrorStream(true)
                    .start();
            try {
                var out = guest.inputReader();
                for (String expected : List.of(
                        "dhcp 10.0.2.15 10.0.2.2 10.0.2.3 1500",
                        "closed port refused",
                        "download complete",
                        "upload complete",
                        "200 connections complete",
                        "over IPv6 complete",
                        "listening")) {
                    assertThat(out.readLine()).isEqualTo(expected);
                }
                forwarded(forward, Arrays.copyOf(data, LENGTH / 5));
                guest.getOutputStream().close();
                assertThat(guest.waitFor(10, TimeUnit.SECONDS)).isTrue();
                assertThat(nat.statistics().failures()).isZero();
            } finally {
                guest.destroyForcibly();
            }
        }
    }

    /** Sends back what comes, after the client has said how: "get", "put" or "echo". */
    private static void serve(ServerSocket server, byte[] data) {
        try {
            while (true) {
                Socket socket = server.accept();
                Thread.ofVirtual().start(() -> {
                    try (socket) {
                        InputStream in = socket.getInputStream();
                        OutputStream out = socket.getOutputStream();
                        switch (new String(in.readNBytes(4), StandardCharsets.US_ASCII)) {
                            case "get " -> out.write(data);
                            case "put " ->
                                out.write(
                                        Arrays.equals(in.readAllBytes(), data)
                                                ? "same".getBytes()
                                                : "other".getBytes());
                            default -> in.transferTo(out);
                        }
                    } catch (IOException e) {
                        // The guest sees that.
                    }
                });
            }
        } catch (IOException e) {
            // The end of the test.
        }
    }

    private static void forwarded(PortForward forward, byte[] data) throws Exception {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", forward.local().getPort()), 10_000);
            socket.setSoTimeout(30_000);
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    socket.getOutputStream().write(data);
                    socket.shutdownOutput();
                } catch (IOException e) {
                    // What comes back is then too short.
                }
            });
            assertThat(Arrays.equals(socket.getInputStream().readAllBytes(), data))
                    .isTrue();
            writer.join();
        }
    }
}
