package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.Packets;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A guest's TCP, segment by segment, against sockets of the host. */
@Timeout(60)
class NatTcpTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    private final EthernetLink link = new EthernetLink();
    private final Station station = new Station(link);
    private Nat nat;
    private ServerSocket server;
    private int nextPort = 40_000;

    @BeforeEach
    void start() throws IOException {
        nat = Nat.start(NatConfig.defaults(), link.second());
        server = new ServerSocket(0, 50, LOOPBACK);
        server.setSoTimeout(10_000);
    }

    @AfterEach
    void stop() throws IOException {
        assertThat(nat.statistics().failures()).isZero();
        nat.close();
        server.close();
    }

    private ScriptedTcp guest(int initial) {
        return new ScriptedTcp(station, nextPort++, Station.GATEWAY, server.getLocalPort(), initial);
    }

    private Socket accept() throws IOException {
        Socket socket = server.accept();
        socket.setSoTimeout(10_000);
        return socket;
    }

    @Test
    void aConnectionIsOpenedUsedAndClosedByTheGuest() throws IOException {
        ScriptedTcp guest = guest(0xFFFF_FFF0);
        assertThat(guest.open().flags()).isEqualTo(ScriptedTcp.SYN | ScriptedTcp.ACK);
        assertThat(guest.peerMss).isEqualTo(1460);
        assertThat(guest.peerScale).isPositive();
        assertThat(guest.peerSack).isTrue();
        try (Socket host = accept()) {
            guest.data("hello, ");
            guest.data("host");
            assertThat(host.getInputStream().readNBytes(11)).asString().isEqualTo("hello, host");
            guest.awaitAck();
            host.getOutputStream().write("hello, guest".getBytes());
            assertThat(guest.read(12)).asString().isEqualTo("hello, guest");
            guest.fin();
            guest.awaitAck();
            assertThat(host.getInputStream().read()).isEqualTo(-1);
            // Half closed: the host may go on.
            host.getOutputStream().write("bye".getBytes());
            assertThat(guest.read(3)).asString().isEqualTo("bye");
        }
        guest.awaitFin();
        assertThat(guest.receive(300)).isNull();
    }

    @Test
    void theHostClosesFirstAndTheGuestGoesOn() throws IOException {
        ScriptedTcp guest = guest(1);
        guest.open();
        try (Socket host = accept()) {
            host.shutdownOutput();
            guest.awaitFin();
            guest.data("still here");
            assertThat(host.getInputStream().readNBytes(10)).asString().isEqualTo("still here");
            guest.awaitAck();
            guest.fin();
            guest.awaitAck();
            assertThat(host.getInputStream().read()).isEqualTo(-1);
        }
        // In TIME-WAIT a FIN that comes again is acknowledged again.
        guest.send(ScriptedTcp.ACK | ScriptedTcp.FIN, guest.next - 1, guest.expected, new byte[0], new byte[0]);
        guest.awaitAck();
    }

    @Test
    void aClosedPortIsRefusedAtOnce() throws IOException {
        int closed;
        try (ServerSocket socket = new ServerSocket(0, 1, LOOPBACK)) {
            closed = socket.getLocalPort();
        }
        var guest = new ScriptedTcp(station, nextPort++, Station.GATEWAY, closed, 77);
        long start = System.nanoTime();
        ScriptedTcp.Segment answer = guest.open();
        assertThat(answer.flags()).isEqualTo(ScriptedTcp.RST | ScriptedTcp.ACK);
        assertThat(answer.ack()).isEqualTo(78);
        assertThat(System.nanoTime() - start).isLessThan(1_000_000_000L);
    }

    @Test
    void aSegmentOfNoConnectionIsReset() {
        ScriptedTcp guest = guest(5);
        guest.expected = 1_000;
        guest.data("who are you?");
        ScriptedTcp.Segment reset = guest.expect(5_000);
        assertThat(reset.flags()).isEqualTo(ScriptedTcp.RST);
        assertThat(reset.sequence()).isEqualTo(1_000);
    }

    @Test
    void aGuestsResetBecomesTheHosts() throws IOException {
        ScriptedTcp guest = guest(5);
        guest.open();
        try (Socket host = accept()) {
            guest.data("x");
            assertThat(host.getInputStream().read()).isEqualTo('x');
            guest.send(ScriptedTcp.RST, guest.next, 0, new byte[0], new byte[0]);
            assertThatThrownBy(() -> host.getInputStream().read())
                    .isInstanceOf(SocketException.class)
                    .hasMessageContaining("reset");
        }
    }

    @Test
    void aResetWithAnotherNumberIsNotBelieved() throws IOException {
        ScriptedTcp guest = guest(5);
        guest.open();
        try (Socket host = accept()) {
            guest.send(ScriptedTcp.RST, guest.next + 100, 0, new byte[0], new byte[0]);
            assertThat(guest.expect(5_000).flags()).isEqualTo(ScriptedTcp.ACK);
            guest.send(ScriptedTcp.SYN, guest.next + 100, 0, new byte[0], new byte[0]);
            assertThat(guest.expect(5_000).flags()).isEqualTo(ScriptedTcp.ACK);
            guest.data("x");
            assertThat(host.getInputStream().read()).isEqualTo('x');
        }
    }

    @Test
    void aHostsResetBecomesTheGuests() throws IOException {
        ScriptedTcp guest = guest(5);
        guest.open();
        Socket host = accept();
        host.setSoLinger(true, 0);
        host.close();
        guest.awaitReset();
    }

    @Test
    void segmentsOutOfOrderAreReportedAndPutInOrder() throws IOException {
        ScriptedTcp guest = guest(100);
        guest.open();
        try (Socket host = accept()) {
            guest.send(ScriptedTcp.ACK, 101 + 6, guest.expected, new byte[0], "world".getBytes());
            ScriptedTcp.Segment duplicate = guest.expect(5_000);
            assertThat(duplicate.ack()).isEqualTo(101);
            assertThat(duplicate.options())
                    .isEqualTo(Packets.join(Packets.hex("0101050a"), Packets.u32(107), Packets.u32(112)));
            guest.send(ScriptedTcp.ACK, 101 + 20, guest.expected, new byte[0], "later".getBytes());
            assertThat(guest.expect(5_000).options())
                    .isEqualTo(Packets.join(
                            Packets.hex("01010512"),
                            Packets.u32(121),
                            Packets.u32(126),
                            Packets.u32(107),
                            Packets.u32(112)));
            // Overlaps both what is there and what isn't.
            guest.send(ScriptedTcp.ACK, 101, guest.expected, new byte[0], "hello wo".getBytes());
            assertThat(host.getInputStream().readNBytes(11)).asString().isEqualTo("hello world");
            assertThat(guest.expect(5_000).ack()).isEqualTo(112);
            guest.send(ScriptedTcp.ACK, 112, guest.expected, new byte[0], " and then".getBytes());
            assertThat(host.getInputStream().readNBytes(14)).asString().isEqualTo(" and thenlater");
            guest.next = 126;
            guest.awaitAck();
            // All of it again: acknowledged, not delivered.
            guest.send(ScriptedTcp.ACK, 101, guest.expected, new byte[0], "hello world".getBytes());
            guest.awaitAck();
            guest.fin();
            assertThat(host.getInputStream().read()).isEqualTo(-1);
        }
    }

    @Test
    void aReaderThatStopsClosesTheWindowAndOpensItAgain() throws IOException {
        ScriptedTcp guest = guest(100);
        guest.open();
        byte[] data = new byte[32 << 20];
        new Random(1).nextBytes(data);
        try (Socket host = accept()) {
            int sent = 0;
            int acked = 0;
            guest.ack();
            // As much as the window allows, until it is shut.
            while (true) {
                int allowed = acked + guest.peerWindow - sent;
                if (allowed >= 1460) {
                    guest.send(
                            ScriptedTcp.ACK,
                            guest.next,
                            guest.expected,
                            new byte[0],
                            Arrays.copyOfRange(data, sent, sent + 1460));
                    guest.next += 1460;
                    sent += 1460;
                    if (sent % 14_600 != 0) {
                        continue;
                    }
                }
                ScriptedTcp.Segment segment = guest.receive(allowed >= 1460 ? 0 : 400);
                if (segment == null && allowed < 1460) {
                    break;
                }
                if (segment != null) {
                    acked = sent - (guest.next - segment.ack());
                }
            }
            assertThat(sent).isLessThan(data.length - (1 << 20));
            assertThat(guest.peerWindow).isLessThan(1460);
            // A probe is answered, and doesn't get in.
            guest.send(
                    ScriptedTcp.ACK,
                    guest.next,
                    guest.expected,
                    new byte[0],
                    Arrays.copyOfRange(data, sent, sent + 1460));
            assertThat(guest.expect(2_000).has(ScriptedTcp.ACK)).isTrue();
            byte[] read = host.getInputStream().readNBytes(sent);
            assertThat(Arrays.equals(read, 0, sent, data, 0, sent)).isTrue();
            // The window opens by itself.
            do {
                guest.expect(5_000);
            } while (guest.peerWindow < 100_000);
        }
    }

    @Test
    void aGuestThatStopsReadingIsProbedAndGetsEverything() throws IOException {
        ScriptedTcp guest = guest(100);
        guest.window = 0;
        guest.open();
        try (Socket host = accept()) {
            host.getOutputStream().write("0123456789".getBytes());
            // Nothing but a probe of one octet, again and again.
            for (int i = 0; i < 2; i++) {
                ScriptedTcp.Segment probe = guest.expect(5_000);
                assertThat(probe.sequence()).isEqualTo(guest.expected);
                assertThat(probe.data()).hasSize(1);
                guest.ack();
            }
            guest.window = 1_000;
            guest.ack();
            assertThat(guest.read(10)).asString().isEqualTo("0123456789");
        }
    }

    @Test
    void aLostSegmentIsSentAgainAfterThreeDuplicates() throws IOException {
        ScriptedTcp guest = guest(100);
        guest.open();
        byte[] data = new byte[1460 * 8];
        new Random(1).nextBytes(data);
        try (Socket host = accept()) {
            host.getOutputStream().write(data);
            byte[] got = new byte[data.length];
            int received = 0;
            boolean repaired = false;
            long start = System.nanoTime();
            while (received < data.length - 1460 || !repaired) {
                ScriptedTcp.Segment segment = guest.expect(5_000);
                int at = segment.sequence() - guest.expected;
                if (segment.data().length == 0) {
                    continue;
                }
                System.arraycopy(segment.data(), 0, got, at, segment.data().length);
                if (at == 0 && received == 0) {
                    // The first is "lost".
                    received = 1;
                    continue;
                }
                if (at == 0) {
                    repaired = true;
                } else {
                    received += segment.data().length;
                    int left = guest.expected + 1460;
                    byte[] sack = Packets.join(
                            Packets.hex("0101050a"),
                            Packets.u32(left),
                            Packets.u32(guest.expected + at + segment.data().length));
                    guest.send(ScriptedTcp.ACK, guest.next, guest.expected, sack, new byte[0]);
                }
            }
            assertThat(System.nanoTime() - start).isLessThan(150_000_000L);
            assertThat(got).isEqualTo(data);
            guest.expected += data.length;
            guest.ack();
            host.shutdownOutput();
            guest.awaitFin();
        }
    }

    @Test
    void aLostSynAnswerAndLostDataAreSentAgainAfterATime() throws IOException {
        ScriptedTcp guest = guest(100);
        byte[] mss = Packets.hex("020405b4");
        guest.send(ScriptedTcp.SYN, 100, 0, mss, new byte[0]);
        ScriptedTcp.Segment first = guest.expect(5_000);
        // The guest's own repetition brings it back, and so does time.
        guest.send(ScriptedTcp.SYN, 100, 0, mss, new byte[0]);
        ScriptedTcp.Segment second = guest.expect(5_000);
        ScriptedTcp.Segment third = guest.expect(5_000);
        assertThat(second.sequence()).isEqualTo(first.sequence());
        assertThat(third.flags()).isEqualTo(ScriptedTcp.SYN | ScriptedTcp.ACK);
        assertThat(first.options()).hasSize(12);
        guest.next = 101;
        guest.expected = first.sequence() + 1;
        guest.ack();
        try (Socket host = accept()) {
            host.getOutputStream().write('a');
            ScriptedTcp.Segment data = guest.expect(5_000);
            ScriptedTcp.Segment again = guest.expect(5_000);
            assertThat(again.sequence()).isEqualTo(data.sequence());
            assertThat(again.data()).isEqualTo(data.data());
            guest.expected++;
            guest.ack();
            guest.fin();
            guest.awaitAck();
        }
        guest.awaitFin();
    }

    @Test
    void aForwardedPortReachesTheGuestAndIsGoneWhenClosed() throws IOException {
        PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 22);
        assertThat(forward.local().getAddress()).isEqualTo(InetAddress.getByName("127.0.0.1"));
        try (Socket host = new Socket()) {
            host.connect(forward.local(), 5_000);
            host.setSoTimeout(10_000);
            byte[] syn = station.awaitIp4(6, p -> Station.u16(p, 2) == 22, 5_000);
            assertThat(syn[13]).isEqualTo((byte) ScriptedTcp.SYN);
            var guest = new ScriptedTcp(station, 22, Station.GATEWAY, Station.u16(syn, 0), 9_000);
            guest.expected = Station.i32(syn, 4) + 1;
            guest.send(
                    ScriptedTcp.SYN | ScriptedTcp.ACK,
                    guest.next++,
                    guest.expected,
                    Packets.hex("020405b4"),
                    new byte[0]);
            assertThat(guest.expect(5_000).flags()).isEqualTo(ScriptedTcp.ACK);
            guest.data("SSH-2.0-guest");
            assertThat(host.getInputStream().readNBytes(13)).asString().isEqualTo("SSH-2.0-guest");
            forward.close();
            forward.close();
            assertThat(nat.forwards()).isEmpty();
            assertThatThrownBy(() -> new Socket(LOOPBACK, forward.local().getPort()).close())
                    .isInstanceOf(IOException.class);
            // What exists goes on.
            host.getOutputStream().write("x".getBytes());
            guest.readText("x");
        }
    }

    @Test
    void aForwardToAClosedPortOfTheGuestResetsTheClient() throws IOException {
        try (PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 23);
                Socket host = new Socket()) {
            host.connect(forward.local(), 5_000);
            host.setSoTimeout(10_000);
            byte[] syn = station.awaitIp4(6, p -> Station.u16(p, 2) == 23, 5_000);
            var guest = new ScriptedTcp(station, 23, Station.GATEWAY, Station.u16(syn, 0), 0);
            guest.send(ScriptedTcp.RST | ScriptedTcp.ACK, 0, Station.i32(syn, 4) + 1, new byte[0], new byte[0]);
            assertThatThrownBy(() -> host.getInputStream().read()).isInstanceOf(SocketException.class);
        }
    }

    @Test
    void forwardsThatMakeNoSenseAreRefusedWithTheReason() {
        assertThatThrownBy(() -> nat.forward(PortForward.Protocol.TCP, server.getLocalPort(), 22))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1 port " + server.getLocalPort());
        assertThatThrownBy(() -> nat.forward(
                        PortForward.Protocol.TCP,
                        new InetSocketAddress("127.0.0.1", 0),
                        new InetSocketAddress("192.0.2.1", 22)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aSlowReaderStallsOnlyItself() throws Exception {
        ScriptedTcp slow = guest(1);
        slow.window = 0;
        slow.open();
        Socket slowHost = accept();
        Thread writer = new Thread(() -> {
            try (OutputStream out = slowHost.getOutputStream()) {
                out.write(new byte[64 << 20]);
            } catch (IOException e) {
                // The end of the test.
            }
        });
        writer.start();
        for (int i = 0; i < 20; i++) {
            ScriptedTcp other = guest(i);
            other.open();
            try (Socket host = accept()) {
                long start = System.nanoTime();
                other.data("ping");
                InputStream in = host.getInputStream();
                assertThat(in.readNBytes(4)).asString().isEqualTo("ping");
                host.getOutputStream().write("pong".getBytes());
                assertThat(other.read(4)).asString().isEqualTo("pong");
                assertThat(System.nanoTime() - start).isLessThan(2_000_000_000L);
            }
        }
        assertThat(nat.statistics().bufferedBytes()).isLessThan(4 << 20);
        slowHost.close();
        writer.join(5_000);
    }

    @Test
    void closingTheNatClosesEverySocket() throws IOException {
        ScriptedTcp guest = guest(1);
        guest.open();
        try (Socket host = accept()) {
            nat.close();
            assertThatThrownBy(() -> host.getInputStream().read()).isInstanceOf(SocketException.class);
        }
        nat = Nat.start(NatConfig.defaults(), link.second());
    }
}
