package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.MacAddress;
import dev.kagami.net.Packets;
import dev.kagami.net.PcapngWriter;
import dev.kagami.net.Tshark;
import java.io.IOException;
import java.net.BindException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a gateway does beside TCP, packet by packet. */
@Timeout(60)
class NatServicesTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
    private static final byte[] ALL_NODES = Packets.hex("ff020000000000000000000000000001");
    private static final byte[] LINK_LOCAL_GATEWAY = Packets.hex("fe800000000000000000000000000002");

    private final EthernetLink link = new EthernetLink();
    private final Station station = new Station(link);
    private Nat nat;

    @TempDir
    Path directory;

    private void start(NatConfig config) throws IOException {
        nat = Nat.start(config, link.second());
    }

    @AfterEach
    void stop() throws IOException {
        if (nat != null) {
            assertThat(nat.statistics().failures()).isZero();
            nat.close();
        }
    }

    private static byte[] dhcp(int type, long mac, byte[] options) {
        byte[] fixed = new byte[240];
        fixed[0] = 1;
        fixed[1] = 1;
        fixed[2] = 6;
        System.arraycopy(Packets.u32(0xCAFEBABEL), 0, fixed, 4, 4);
        System.arraycopy(Packets.join(Packets.u16((int) (mac >> 32)), Packets.u32(mac)), 0, fixed, 28, 6);
        System.arraycopy(Packets.hex("63825363"), 0, fixed, 236, 4);
        byte[] message = Packets.join(fixed, new byte[] {53, 1, (byte) type}, options, new byte[] {(byte) 255});
        return Packets.ethernet(0xFFFFFFFFFFFFL, mac, 0x0800, Packets.udp4(0, 68, -1, 67, message));
    }

    /** {@return the value of an option in an answer; null if it isn't there} */
    private static byte[] option(byte[] udp, int wanted) {
        int at = 8 + 240;
        while (at < udp.length && (udp[at] & 0xFF) != 255) {
            int code = udp[at] & 0xFF;
            if (code == wanted) {
                return Arrays.copyOfRange(udp, at + 2, at + 2 + udp[at + 1]);
            }
            at += code == 0 ? 1 : 2 + (udp[at + 1] & 0xFF);
        }
        return null;
    }

    private byte[] dhcpAnswer() {
        return station.awaitIp4(17, p -> Station.u16(p, 2) == 68, 5_000);
    }

    @Test
    void dhcpGivesTheFirstGuestItsAddressAndTheOthersTheNext() throws IOException {
        start(NatConfig.defaults().withHostname("foobar").withMtu(1400));
        station.send(dhcp(1, Station.MAC, new byte[0]));
        byte[] offer = dhcpAnswer();
        assertThat(option(offer, 53)).containsExactly(2);
        assertThat(Station.i32(offer, 8 + 16)).isEqualTo(Station.GUEST);
        assertThat(Station.i32(offer, 8 + 4)).isEqualTo(0xCAFEBABE);
        byte[] wanted = Packets.join(
                Packets.hex("3204"), Packets.u32(Station.GUEST), Packets.hex("3604"), Packets.u32(Station.GATEWAY));
        station.send(dhcp(3, Station.MAC, wanted));
        byte[] ack = dhcpAnswer();
        assertThat(option(ack, 53)).containsExactly(5);
        assertThat(option(ack, 1)).isEqualTo(Packets.hex("ffffff00"));
        assertThat(option(ack, 3)).isEqualTo(Packets.u32(Station.GATEWAY));
        assertThat(option(ack, 6)).isEqualTo(Packets.u32(Station.NAMES));
        assertThat(option(ack, 12)).asString().isEqualTo("foobar");
        assertThat(option(ack, 26)).isEqualTo(Packets.u16(1400));
        assertThat(option(ack, 51)).isEqualTo(Packets.u32(86_400));
        var addresses = new HashSet<Integer>();
        for (int i = 1; i <= 300; i++) {
            station.send(dhcp(1, Station.MAC + i, new byte[0]));
            addresses.add(Station.i32(dhcpAnswer(), 8 + 16));
        }
        // All the network has, and then those of whoever was silent longest.
        assertThat(addresses).hasSize(254 - 15 + 1).doesNotContain(Station.GATEWAY, Station.NAMES, 0x0A0002FF);
        assertThat(nat.statistics().leases()).isLessThanOrEqualTo(240);
    }

    @Test
    void dhcpRefusesAnAddressOfAnotherNetwork() throws IOException {
        start(NatConfig.defaults());
        station.send(dhcp(3, Station.MAC, Packets.join(Packets.hex("3204"), Packets.u32(0xC0A80005L))));
        assertThat(option(dhcpAnswer(), 53)).containsExactly(6);
        // A client that has chosen another server is left alone.
        station.send(dhcp(3, Station.MAC, Packets.join(Packets.hex("3604"), Packets.u32(0x0A000201L))));
        assertThat(station.awaitIp4(17, p -> Station.u16(p, 2) == 68, 100)).isNull();
    }

    @Test
    void arpIsAnsweredForTheGatewayAndTheNameServerOnly() throws IOException {
        start(NatConfig.defaults());
        for (int target : new int[] {Station.GATEWAY, Station.NAMES, 0x0A000207}) {
            byte[] request = Packets.join(
                    Packets.hex("0001080006040001 525400123456"),
                    Packets.u32(Station.GUEST),
                    new byte[6],
                    Packets.u32(target));
            station.send(Packets.ethernet(0xFFFFFFFFFFFFL, Station.MAC, 0x0806, request));
            byte[] answer = station.await(f -> f[12] == 8 && f[13] == 6, target == 0x0A000207 ? 100 : 5_000);
            if (target == 0x0A000207) {
                assertThat(answer).isNull();
            } else {
                assertThat(answer)
                        .isEqualTo(Packets.ethernet(
                                Station.MAC,
                                Station.GATEWAY_MAC,
                                0x0806,
                                Packets.join(
                                        Packets.hex("0001080006040002 52550a000202"),
                                        Packets.u32(target),
                                        Packets.hex("525400123456"),
                                        Packets.u32(Station.GUEST))));
            }
        }
        assertThat(nat.mac()).isEqualTo(new MacAddress(Station.GATEWAY_MAC));
    }

    private static byte[] icmp(byte[] message) {
        byte[] result = message.clone();
        int checksum = ~Packets.sum(message) & 0xFFFF;
        result[2] = (byte) (checksum >> 8);
        result[3] = (byte) checksum;
        return result;
    }

    @Test
    void pingIsAnsweredWholeAndInFragments() throws IOException {
        start(NatConfig.defaults());
        byte[] small = icmp(Packets.join(Packets.hex("0800000012340001"), "abcdefgh".getBytes()));
        station.sendIp(Packets.ipv4(Station.GUEST, Station.GATEWAY, 1, small));
        byte[] answer = station.awaitIp4(1, p -> true, 5_000);
        assertThat(answer[0]).isZero();
        assertThat(Arrays.copyOfRange(answer, 4, 16)).isEqualTo(Arrays.copyOfRange(small, 4, 16));

        byte[] data = new byte[10_000];
        new Random(1).nextBytes(data);
        byte[] large = icmp(Packets.join(Packets.hex("0800000012340002"), data));
        var parts = new ArrayList<byte[]>();
        for (int at = 0; at < large.length; at += 1480) {
            int end = Math.min(large.length, at + 1480);
            parts.add(Packets.ipv4(
                    Station.GUEST,
                    Station.GATEWAY,
                    1,
                    77,
                    at / 8 | (end < large.length ? 0x2000 : 0),
                    64,
                    Arrays.copyOfRange(large, at, end)));
        }
        java.util.Collections.shuffle(parts, new Random(3));
        parts.forEach(station::sendIp);
        byte[] whole = new byte[large.length];
        for (int got = 0; got < large.length; ) {
            byte[] frame = station.await(f -> f[23] == 1, 5_000);
            assertThat(frame).isNotNull();
            int at = (Station.u16(frame, 20) & 0x1FFF) * 8;
            System.arraycopy(frame, 34, whole, at, frame.length - 34);
            assertThat(frame.length).isLessThanOrEqualTo(1514);
            got += frame.length - 34;
        }
        assertThat(Packets.sum(whole)).isEqualTo(0xFFFF);
        assertThat(Arrays.copyOfRange(whole, 8, whole.length)).isEqualTo(data);
    }

    @Test
    void pingOfTheHostsOwnLoopbackGoesNowhere() throws IOException {
        start(NatConfig.defaults());
        byte[] echo = icmp(Packets.hex("0800000012340001"));
        for (int target : new int[] {0x7F000001, 0, -1, 0xE0000001, 0xA9FEA9FE, 0x0A0002FF}) {
            station.sendIp(Packets.ipv4(Station.GUEST, target, 1, echo));
        }
        assertThat(station.awaitIp4(1, p -> true, 200)).isNull();
    }

    @Test
    void aPacketAtTheEndOfItsLifeIsReported() throws IOException {
        start(NatConfig.defaults());
        byte[] probe = Packets.udp4(Station.GUEST, 33_000, 0xC6336401, 33_434, new byte[4]);
        byte[] dying =
                Packets.ipv4(Station.GUEST, 0xC6336401, 17, 1, 0, 1, Arrays.copyOfRange(probe, 20, probe.length));
        station.sendIp(dying);
        byte[] error = station.awaitIp4(1, p -> true, 5_000);
        assertThat(error[0]).isEqualTo((byte) 11);
        assertThat(Station.u16(error, 8 + 20 + 2)).isEqualTo(33_434);
    }

    @Test
    void datagramsGoToTheHostAndBackWithTheirSizes() throws IOException {
        start(NatConfig.defaults());
        try (var host = new DatagramSocket(0, LOOPBACK)) {
            host.setSoTimeout(5_000);
            for (int size : new int[] {0, 1, 1_000, 1_472, 1_473, 9_000, 65_507}) {
                byte[] data = new byte[size];
                new Random(size).nextBytes(data);
                byte[] packet = Packets.udp4(Station.GUEST, 5_000, Station.GATEWAY, host.getLocalPort(), data);
                sendFragmented(packet);
                var received = new DatagramPacket(new byte[65_536], 65_536);
                host.receive(received);
                assertThat(Arrays.copyOf(received.getData(), received.getLength()))
                        .isEqualTo(data);
                host.send(new DatagramPacket(data, size, received.getSocketAddress()));
                byte[] back = awaitDatagram();
                assertThat(Station.u16(back, 0)).isEqualTo(host.getLocalPort());
                assertThat(Station.u16(back, 2)).isEqualTo(5_000);
                assertThat(Arrays.copyOfRange(back, 8, back.length)).isEqualTo(data);
            }
            assertThat(nat.statistics().flows()).isEqualTo(1);
        }
    }

    private void sendFragmented(byte[] packet) {
        if (packet.length <= 1500) {
            station.sendIp(packet);
            return;
        }
        byte[] payload = Arrays.copyOfRange(packet, 20, packet.length);
        for (int at = 0; at < payload.length; at += 1480) {
            int end = Math.min(payload.length, at + 1480);
            station.sendIp(Packets.ipv4(
                    Station.GUEST,
                    Station.GATEWAY,
                    17,
                    payload.length,
                    at / 8 | (end < payload.length ? 0x2000 : 0),
                    64,
                    Arrays.copyOfRange(payload, at, end)));
        }
    }

    private byte[] awaitDatagram() {
        var whole = new byte[65_535];
        int length = -1;
        int got = 0;
        while (length < 0 || got < length) {
            byte[] frame = station.await(f -> f[12] == 8 && f[13] == 0 && f[23] == 17, 5_000);
            assertThat(frame).isNotNull();
            int at = (Station.u16(frame, 20) & 0x1FFF) * 8;
            System.arraycopy(frame, 34, whole, at, frame.length - 34);
            got += frame.length - 34;
            if ((Station.u16(frame, 20) & 0x2000) == 0) {
                length = at + frame.length - 34;
            }
        }
        byte[] datagram = Arrays.copyOf(whole, length);
        assertThat(Packets.sum(Packets.join(
                        Packets.u32(Station.GATEWAY),
                        Packets.u32(Station.GUEST),
                        Packets.u32(17),
                        Packets.u32(length),
                        datagram)))
                .isEqualTo(0xFFFF);
        return datagram;
    }

    @Test
    void aLargeDatagramOfTheGuestIsCutAsItAsks() throws IOException {
        start(NatConfig.defaults());
        try (var host = new DatagramSocket(0, LOOPBACK)) {
            host.setSoTimeout(5_000);
            byte[] data = new byte[5_000];
            new Random(1).nextBytes(data);
            byte[] packet = Packets.udp4(Station.GUEST, 5_000, Station.GATEWAY, host.getLocalPort(), data);
            Frame frame =
                    Packets.frame(station.port, Packets.ethernet(Station.GATEWAY_MAC, Station.MAC, 0x0800, packet));
            frame.setPartialChecksum(34, 6);
            frame.setGso(Gso.UDP, 1_400);
            station.port.send(frame);
            for (int at = 0; at < 5_000; at += 1_400) {
                var received = new DatagramPacket(new byte[65_536], 65_536);
                host.receive(received);
                assertThat(Arrays.copyOf(received.getData(), received.getLength()))
                        .isEqualTo(Arrays.copyOfRange(data, at, Math.min(5_000, at + 1_400)));
            }
        }
    }

    @Test
    void aDatagramToAClosedPortIsReported() throws IOException {
        start(NatConfig.defaults());
        int closed;
        try (var socket = new DatagramSocket(0, LOOPBACK)) {
            closed = socket.getLocalPort();
        }
        station.sendIp(Packets.udp4(Station.GUEST, 5_000, Station.GATEWAY, closed, new byte[4]));
        byte[] error = station.awaitIp4(1, p -> true, 5_000);
        assertThat(Arrays.copyOf(error, 2)).containsExactly(3, 3);
        assertThat(Station.i32(error, 8 + 12)).isEqualTo(Station.GUEST);
        assertThat(Station.u16(error, 28)).isEqualTo(5_000);
        assertThat(Station.u16(error, 30)).isEqualTo(closed);
    }

    @Test
    void idleFlowsEndAndTooManyDisplaceTheOldest() throws Exception {
        start(NatConfig.defaults().withLimits(10, 100, Duration.ofMillis(300), 1 << 20));
        try (var host = new DatagramSocket(0, LOOPBACK)) {
            host.setSoTimeout(5_000);
            for (int i = 0; i < 500; i++) {
                station.sendIp(
                        Packets.udp4(Station.GUEST, 10_000 + i, Station.GATEWAY, host.getLocalPort(), Packets.u32(i)));
                var received = new DatagramPacket(new byte[100], 100);
                host.receive(received);
                assertThat(nat.statistics().flows()).isLessThanOrEqualTo(100);
            }
            assertThat(nat.statistics().flows()).isEqualTo(100);
            Thread.sleep(800);
            assertThat(nat.statistics().flows()).isZero();
        }
    }

    @Test
    void aForwardedUdpPortCarriesEachClientsDatagrams() throws IOException {
        start(NatConfig.defaults());
        PortForward forward = nat.forward(PortForward.Protocol.UDP, 0, 53);
        try (var one = new DatagramSocket(0, LOOPBACK);
                var two = new DatagramSocket(0, LOOPBACK)) {
            one.setSoTimeout(5_000);
            two.setSoTimeout(5_000);
            // The first one finds out where the guest is, and is lost.
            one.send(new DatagramPacket(new byte[1], 1, forward.local()));
            station.await(f -> false, 300);
            for (var client : List.of(one, two)) {
                byte[] query = ("from " + client.getLocalPort()).getBytes();
                client.send(new DatagramPacket(query, query.length, forward.local()));
                byte[] got = station.awaitIp4(17, p -> Station.u16(p, 2) == 53, 5_000);
                assertThat(Arrays.copyOfRange(got, 8, got.length)).isEqualTo(query);
                station.sendIp(Packets.udp4(
                        Station.GUEST,
                        53,
                        Station.GATEWAY,
                        Station.u16(got, 0),
                        ("to " + client.getLocalPort()).getBytes()));
                var answer = new DatagramPacket(new byte[100], 100);
                client.receive(answer);
                assertThat(new String(answer.getData(), 0, answer.getLength()))
                        .isEqualTo("to " + client.getLocalPort());
                assertThat(answer.getSocketAddress()).isEqualTo(forward.local());
            }
            forward.close();
            assertThat(nat.statistics().flows()).isZero();
            new DatagramSocket(forward.local()).close();
        }
    }

    /** Listens on a TCP port whose number is nobody's in UDP either. */
    private static ServerSocket streamsWithDatagramsFree() throws IOException {
        while (true) {
            var streams = new ServerSocket(0, 5, LOOPBACK);
            try {
                new DatagramSocket(streams.getLocalPort(), LOOPBACK).close();
                return streams;
            } catch (BindException e) {
                streams.close();
            }
        }
    }

    @Test
    void queriesGoToTheNameServerAndAnotherIsTriedWhenItIsSilent() throws Exception {
        try (var tcpNames = streamsWithDatagramsFree();
                var silent = new DatagramSocket(tcpNames.getLocalPort(), LOOPBACK);
                var names = new DatagramSocket(0, LOOPBACK)) {
            names.setSoTimeout(10_000);
            start(NatConfig.defaults()
                    .withNameServers(List.of(
                            new InetSocketAddress(LOOPBACK, silent.getLocalPort()),
                            new InetSocketAddress(LOOPBACK, names.getLocalPort())))
                    .withLimits(100, 100, Duration.ofMillis(200), 1 << 20));
            byte[] query = Packets.hex("abcd01000001000000000000 0161 00 0001 0001");
            // By TCP the first server is asked.
            var guest = new ScriptedTcp(station, 600, Station.NAMES, 53, 1);
            guest.open();
            Socket accepted = tcpNames.accept();
            guest.data("query");
            assertThat(accepted.getInputStream().readNBytes(5)).asString().isEqualTo("query");
            accepted.close();
            station.sendIp(Packets.udp4(Station.GUEST, 700, Station.NAMES, 53, query));
            Thread.sleep(600);
            station.sendIp(Packets.udp4(Station.GUEST, 701, Station.NAMES, 53, query));
            var received = new DatagramPacket(new byte[600], 600);
            names.receive(received);
            assertThat(Arrays.copyOf(received.getData(), received.getLength())).isEqualTo(query);
            names.send(new DatagramPacket(query, query.length, received.getSocketAddress()));
            byte[] answer = station.awaitIp4(17, p -> Station.u16(p, 2) == 701, 5_000);
            assertThat(Station.u16(answer, 0)).isEqualTo(53);
            assertThat(Arrays.copyOfRange(answer, 8, answer.length)).isEqualTo(query);
            // Nothing else lives at that address.
            station.sendIp(Packets.udp4(Station.GUEST, 700, Station.NAMES, 54, query));
            assertThat(station.awaitIp4(1, p -> true, 5_000)).startsWith(3, 3);
            var other = new ScriptedTcp(station, 601, Station.NAMES, 54, 1);
            assertThat(other.open().has(ScriptedTcp.RST)).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aGuestThatIsShutInReachesNothingButItsForwards(boolean overTcp) throws IOException {
        start(NatConfig.defaults().withRestrict(true));
        try (var server = new ServerSocket(0, 5, LOOPBACK)) {
            for (int target : new int[] {Station.GATEWAY, Station.NAMES, 0xC6336401, 0x7F000001}) {
                int port = target == Station.NAMES ? 53 : server.getLocalPort();
                if (overTcp) {
                    var guest = new ScriptedTcp(station, 600, target, port, 1);
                    guest.send(ScriptedTcp.SYN, 1, 0, new byte[0], new byte[0]);
                    assertThat(guest.expect(5_000).has(ScriptedTcp.RST)).isTrue();
                } else {
                    station.sendIp(Packets.udp4(Station.GUEST, 600, target, port, new byte[4]));
                    byte[] error = station.awaitIp4(1, p -> true, target == 0x7F000001 ? 100 : 5_000);
                    if (target != 0x7F000001) {
                        assertThat(error).startsWith(3, 13);
                    } else {
                        assertThat(error).isNull();
                    }
                }
            }
            server.setSoTimeout(50);
            assertThat(org.assertj.core.api.Assertions.catchThrowable(server::accept))
                    .isInstanceOf(java.net.SocketTimeoutException.class);
        }
        // DHCP still works, and offers no way out.
        station.send(dhcp(1, Station.MAC, new byte[0]));
        byte[] offer = dhcpAnswer();
        assertThat(option(offer, 3)).isNull();
        assertThat(option(offer, 6)).isNull();
        try (PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 22);
                Socket host =
                        new Socket(forward.local().getAddress(), forward.local().getPort())) {
            assertThat(host.isConnected()).isTrue();
            assertThat(station.awaitIp4(6, p -> Station.u16(p, 2) == 22, 5_000)).isNotNull();
        }
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                0x7F000001,
                0x7F123456,
                0x00000000,
                0x00000001,
                0xFFFFFFFF,
                0xE0000001,
                0xF0000001,
                0xA9FEA9FE,
                0x0A000207
            })
    void noOtherAddressLeadsToTheHostsLoopback(int target) throws IOException {
        start(NatConfig.defaults());
        try (var server = new ServerSocket(0, 5, LOOPBACK)) {
            server.setSoTimeout(150);
            var guest = new ScriptedTcp(station, 600, target, server.getLocalPort(), 1);
            guest.send(ScriptedTcp.SYN, 1, 0, new byte[0], new byte[0]);
            assertThat(org.assertj.core.api.Assertions.catchThrowable(server::accept))
                    .isInstanceOf(java.net.SocketTimeoutException.class);
            // A made-up sender isn't believed either.
            station.sendIp(Packets.udp4(0x01020304, 600, Station.GATEWAY, server.getLocalPort(), new byte[1]));
            assertThat(nat.statistics().flows()).isZero();
        }
    }

    // ---- IPv6 ----

    private static byte[] icmp6(byte[] source, byte[] destination, byte[] message) {
        return Packets.ipv6(
                source, destination, 58, Packets.checksummed(Packets.join(source, destination), 58, message, 2));
    }

    private byte[] awaitIcmp6(int type) {
        byte[] frame = station.await(f -> f[12] == (byte) 0x86 && f[20] == 58 && (f[54] & 0xFF) == type, 5_000);
        assertThat(frame).isNotNull();
        return frame;
    }

    @Test
    void routerAndNeighborsAreFoundOverIpv6() throws IOException {
        start(NatConfig.defaults());
        station.forget();
        byte[] linkLocal = Packets.hex("fe80000000000000505400fffe123456");
        byte[] allRouters = Packets.hex("ff020000000000000000000000000002");
        byte[] solicitation = Packets.hex("8500000000000000 0101525400123456");
        station.send(
                Packets.ethernet(0x333300000002L, Station.MAC, 0x86DD, icmp6(linkLocal, allRouters, solicitation)));
        byte[] advertisement = awaitIcmp6(134);
        assertThat(Arrays.copyOfRange(advertisement, 22, 38)).isEqualTo(LINK_LOCAL_GATEWAY);
        assertThat(Arrays.copyOfRange(advertisement, 38, 54)).isEqualTo(ALL_NODES);
        String options = java.util.HexFormat.of().formatHex(advertisement, 54 + 16, advertisement.length);
        assertThat(options)
                .isEqualTo("010152550a000202" + "05010000000005dc"
                        + "030440c0000151800000384000000000fd000000000000000000000000000000"
                        + "1903000000000708fd000000000000000000000000000003");
        assertThat(Station.u16(advertisement, 54 + 6)).isIn(0, 1800);

        byte[] question =
                Packets.join(Packets.hex("8700000000000000"), Station.GATEWAY6, Packets.hex("0101525400123456"));
        byte[] group = Packets.hex("ff0200000000000000000001ff000002");
        station.send(Packets.ethernet(0x3333FF000002L, Station.MAC, 0x86DD, icmp6(Station.GUEST6, group, question)));
        byte[] answer = awaitIcmp6(136);
        assertThat(Arrays.copyOfRange(answer, 54 + 8, 54 + 24)).isEqualTo(Station.GATEWAY6);
        assertThat(Arrays.copyOfRange(answer, 54 + 26, 54 + 32)).isEqualTo(Packets.hex("52550a000202"));

        station.sendIp(icmp6(Station.GUEST6, Station.GATEWAY6, Packets.hex("8000000000010002 6162636465")));
        byte[] echo = awaitIcmp6(129);
        assertThat(Arrays.copyOfRange(echo, 58, echo.length)).isEqualTo(Packets.hex("00010002 6162636465"));
    }

    @Test
    void datagramsAndConnectionsCrossOverIpv6() throws IOException {
        start(NatConfig.defaults());
        InetAddress loopback6 = InetAddress.getByName("::1");
        DatagramSocket host;
        try {
            host = new DatagramSocket(0, loopback6);
        } catch (IOException e) {
            Assumptions.abort("this host has no IPv6");
            return;
        }
        try (host;
                var server = new ServerSocket(0, 5, loopback6)) {
            host.setSoTimeout(5_000);
            byte[] addresses = Packets.join(Station.GUEST6, Station.GATEWAY6);
            byte[] datagram = Packets.join(
                    Packets.u16(5_000),
                    Packets.u16(host.getLocalPort()),
                    Packets.u16(12),
                    Packets.u16(0),
                    "abcd".getBytes());
            station.sendIp(Packets.ipv6(
                    Station.GUEST6, Station.GATEWAY6, 17, Packets.checksummed(addresses, 17, datagram, 6)));
            var received = new DatagramPacket(new byte[100], 100);
            host.receive(received);
            assertThat(received.getLength()).isEqualTo(4);
            byte[] large = new byte[5_000];
            host.send(new DatagramPacket(large, large.length, received.getSocketAddress()));
            int got = 0;
            while (got < 5_008) {
                byte[] part = station.await(f -> f[12] == (byte) 0x86 && f[20] == 44, 5_000);
                assertThat(part).isNotNull();
                assertThat(part.length).isLessThanOrEqualTo(1514);
                assertThat(Station.u16(part, 56) & ~7).isEqualTo(got);
                got += part.length - 14 - 40 - 8;
            }
            byte[] syn = Packets.tcp(700, server.getLocalPort(), 9, 0, 2, 1000, Packets.hex("020405a0"), new byte[0]);
            station.sendIp(
                    Packets.ipv6(Station.GUEST6, Station.GATEWAY6, 6, Packets.checksummed(addresses, 6, syn, 16)));
            byte[] answer = station.await(f -> f[12] == (byte) 0x86 && f[20] == 6, 5_000);
            assertThat(answer[54 + 13]).isEqualTo((byte) 0x12);
            assertThat(Station.i32(answer, 54 + 8)).isEqualTo(10);
            assertThat(Station.u16(answer, 54 + 22)).isEqualTo(1440);
            server.accept().close();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "00000000000000000000000000000001",
                "00000000000000000000000000000000",
                "00000000000000000000ffff7f000001",
                "0000000000000000000000007f000001",
                "0064ff9b00000000000000007f000001",
                "fe800000000000000000000000000009",
                "ff020000000000000000000000000001",
                "fd000000000000000000000000000077"
            })
    void noOtherAddressLeadsToTheHostsLoopbackOverIpv6(String target) throws IOException {
        start(NatConfig.defaults());
        byte[] destination = Packets.hex(target);
        try (var server = new ServerSocket(0)) {
            server.setSoTimeout(100);
            byte[] syn = Packets.tcp(700, server.getLocalPort(), 9, 0, 2, 1000, new byte[0], new byte[0]);
            byte[] addresses = Packets.join(Station.GUEST6, destination);
            station.sendIp(Packets.ipv6(Station.GUEST6, destination, 6, Packets.checksummed(addresses, 6, syn, 16)));
            assertThat(org.assertj.core.api.Assertions.catchThrowable(server::accept))
                    .isInstanceOf(java.net.SocketTimeoutException.class);
        }
    }

    // ---- all of it, read by somebody else ----

    @Test
    void tsharkFindsNothingMalformedInWhatTheGatewaySends() throws Exception {
        Path file = directory.resolve("nat.pcapng");
        try (var writer = PcapngWriter.create(file);
                var server = new ServerSocket(0, 5, LOOPBACK)) {
            link.capture(writer, "net0");
            start(NatConfig.defaults().withHostname("foobar"));
            station.send(dhcp(1, Station.MAC, new byte[0]));
            dhcpAnswer();
            station.sendIp(Packets.ipv4(Station.GUEST, Station.GATEWAY, 1, icmp(Packets.hex("0800000012340001"))));
            station.awaitIp4(1, p -> true, 5_000);
            station.sendIp(Packets.udp4(Station.GUEST, 600, Station.NAMES, 54, new byte[4]));
            station.awaitIp4(1, p -> true, 5_000);
            var guest = new ScriptedTcp(station, 700, Station.GATEWAY, server.getLocalPort(), 1);
            guest.open();
            try (Socket host = server.accept()) {
                guest.data("hello");
                guest.awaitAck();
                host.getOutputStream().write(new byte[20_000]);
                guest.read(20_000);
            }
            guest.awaitFin();
            guest.fin();
            byte[] linkLocal = Packets.hex("fe80000000000000505400fffe123456");
            byte[] question =
                    Packets.join(Packets.hex("8700000000000000"), Station.GATEWAY6, Packets.hex("0101525400123456"));
            station.sendIp(icmp6(linkLocal, Station.GATEWAY6, question));
            awaitIcmp6(136);
        }
        String bad = Tshark.read(
                file,
                "-o",
                "tcp.check_checksum:TRUE",
                "-o",
                "udp.check_checksum:TRUE",
                "-o",
                "ip.check_checksum:TRUE",
                "-Y",
                "_ws.malformed || _ws.expert.severity == \"Error\" || tcp.checksum.status == 0 || udp.checksum.status == 0"
                        + " || ip.checksum.status == 0 || tcp.analysis.lost_segment || tcp.analysis.retransmission");
        Assumptions.assumeTrue(bad != null, "tshark isn't installed");
        assertThat(bad).isEmpty();
        assertThat(Tshark.read(file, "-Y", "dhcp || icmp || icmpv6 || tcp")
                        .lines()
                        .count())
                .isGreaterThan(20);
    }

    @Test
    void configurationsThatContradictThemselvesAreRefused() throws IOException {
        var defaults = NatConfig.defaults();
        assertThatIllegalArgumentException().isThrownBy(() -> defaults.withMtu(100));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> defaults.withNetwork("10.0.2.2", 24, "10.0.3.3", "10.0.2.15"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> defaults.withNetwork("10.0.2.2", 24, "10.0.2.2", "10.0.2.15"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> defaults.withNetwork("10.0.2.0", 24, "10.0.2.3", "10.0.2.15"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> defaults.withPrefix6((Inet6Address) InetAddress.getByName("fd00::1")));
        assertThat(defaults.withPrefix6(null).prefix6()).isNull();
    }
}
