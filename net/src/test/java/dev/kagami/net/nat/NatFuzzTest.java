package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.Packets;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A guest that sends rubbish, and almost rubbish, by the million. */
@Timeout(120)
class NatFuzzTest {
    private static final int FRAMES = 1_200_000;
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    private final EthernetLink link = new EthernetLink();
    private final EthernetPort port = link.first();
    private final List<byte[]> seeds = new ArrayList<>();

    private void seed(byte[] packet) {
        seeds.add(Packets.ethernet(Station.GATEWAY_MAC, Station.MAC, (packet[0] >> 4) == 4 ? 0x0800 : 0x86DD, packet));
    }

    private void makeSeeds(int tcpPort, int udpPort, int forwarded) {
        byte[] addresses = Packets.join(Packets.u32(Station.GUEST), Packets.u32(Station.GATEWAY));
        byte[] options = Packets.hex("020405b4 0402 0101 01030307");
        for (int flags : new int[] {2, 16, 24, 17, 4, 20, 18}) {
            for (int target : new int[] {tcpPort, tcpPort + 1}) {
                byte[] segment = Packets.tcp(
                        700,
                        target,
                        1,
                        1,
                        flags,
                        1_000,
                        flags == 2 ? options : new byte[0],
                        new byte[flags == 24 ? 300 : 0]);
                seed(Packets.ipv4(Station.GUEST, Station.GATEWAY, 6, Packets.checksummed(addresses, 6, segment, 16)));
            }
        }
        byte[] answer = Packets.tcp(forwarded, 49_152, 1, 1, 18, 1_000, options, new byte[0]);
        seed(Packets.ipv4(Station.GUEST, Station.GATEWAY, 6, Packets.checksummed(addresses, 6, answer, 16)));
        byte[] sack = Packets.tcp(700, tcpPort, 1, 1, 16, 9, Packets.hex("0101050a 0000000500000009"), new byte[0]);
        seed(Packets.ipv4(Station.GUEST, Station.GATEWAY, 6, Packets.checksummed(addresses, 6, sack, 16)));
        seed(Packets.udp4(Station.GUEST, 700, Station.GATEWAY, udpPort, new byte[100]));
        seed(Packets.udp4(
                Station.GUEST, 700, Station.NAMES, 53, Packets.hex("abcd01000001000000000000 0161 00 0001 0001")));
        byte[] dhcp = new byte[260];
        dhcp[0] = 1;
        dhcp[1] = 1;
        dhcp[2] = 6;
        System.arraycopy(
                Packets.hex("63825363 350101 3204 0a00020f 3604 0a000202 0c03 616263 ff"), 0, dhcp, 236, 25 - 1);
        seed(Packets.udp4(0, 68, -1, 67, dhcp));
        seed(Packets.ipv4(Station.GUEST, Station.GATEWAY, 1, Packets.hex("0800f7ff00000000")));
        for (int fragment : new int[] {0x2000, 0x2001, 0x0002, 0x3FFF, 0x1FFF}) {
            seed(Packets.ipv4(
                    Station.GUEST, Station.GATEWAY, 17, 5, fragment, 64, new byte[fragment == 0x0002 ? 99 : 64]));
        }
        seeds.add(Packets.ethernet(
                0xFFFFFFFFFFFFL,
                Station.MAC,
                0x0806,
                Packets.join(
                        Packets.hex("0001080006040001 525400123456"),
                        Packets.u32(Station.GUEST),
                        new byte[6],
                        Packets.u32(Station.GATEWAY))));
        byte[] both = Packets.join(Station.GUEST6, Station.GATEWAY6);
        for (String message : new String[] {
            "8000000000010002616263",
            "8500000000000000 0101525400123456",
            "8700000000000000 fd000000000000000000000000000002 0101525400123456",
            "8800000060000000 fd0000000000000050540 0fffe123456 0201525400123456"
        }) {
            seed(Packets.ipv6(
                    Station.GUEST6, Station.GATEWAY6, 58, Packets.checksummed(both, 58, Packets.hex(message), 2)));
        }
        byte[] syn6 = Packets.tcp(700, tcpPort, 9, 0, 2, 1_000, options, new byte[0]);
        seed(Packets.ipv6(Station.GUEST6, Station.GATEWAY6, 6, Packets.checksummed(both, 6, syn6, 16)));
        seed(Packets.ipv6(Station.GUEST6, Station.GATEWAY6, 44, Packets.hex("1100000100000007 0102030405060708")));
        seed(Packets.ipv6(
                Station.GUEST6,
                Station.GATEWAY6,
                0,
                Packets.hex("3c00000000000000 2b00000000000000 2c00000000000000")));
    }

    private static void stayInside(byte[] content, Random random) {
        if (content.length >= 34 && content[13] == 0) {
            int[] targets = {
                Station.GATEWAY, Station.GATEWAY, Station.GATEWAY, Station.NAMES, -1, 0x7F000001, 0x0A00024D
            };
            byte[] target = Packets.u32(targets[random.nextInt(targets.length)]);
            System.arraycopy(target, 0, content, 30, 4);
        } else if (content.length >= 54) {
            System.arraycopy(Station.GATEWAY6, 0, content, 38, 16);
            content[53] = (byte) (2 + random.nextInt(3));
        }
    }

    private Frame mutate(Random random, boolean anywhere) {
        byte[] seed = seeds.get(random.nextInt(seeds.size()));
        int length = random.nextInt(8) == 0
                ? Math.max(14, seed.length - random.nextInt(40))
                : seed.length + (random.nextInt(20) == 0 ? random.nextInt(2_000) : 0);
        byte[] content = Arrays.copyOf(seed, length);
        int changes = random.nextInt(4);
        for (int i = 0; i < changes; i++) {
            int at = random.nextInt(3) == 0 ? random.nextInt(length) : Math.min(length - 1, 14 + random.nextInt(64));
            content[at] = (byte) (random.nextBoolean() ? random.nextInt() : content[at] ^ 1 << random.nextInt(8));
        }
        if (random.nextInt(50) == 0) {
            random.nextBytes(content);
            if (random.nextBoolean()) {
                System.arraycopy(seed, 0, content, 0, 14);
            }
        }
        if (!anywhere) {
            // Made-up addresses outside would make real packets.
            stayInside(content, random);
        }
        boolean version4 = length >= 34 && content[12] == 8 && content[13] == 0;
        if (version4 && random.nextInt(8) != 0) {
            // With a header checksum that is right it gets further.
            int header = Math.min(length - 14, Math.max(20, (content[14] & 15) * 4));
            content[24] = 0;
            content[25] = 0;
            int checksum = ~Packets.sum(Arrays.copyOfRange(content, 14, 14 + header)) & 0xFFFF;
            content[24] = (byte) (checksum >> 8);
            content[25] = (byte) checksum;
        }
        Frame frame = Packets.frame(port, content);
        if (random.nextInt(4) != 0) {
            // Nor is the transport's looked at then.
            frame.setChecksumValid();
        }
        if (random.nextInt(10) == 0) {
            frame.setPartialChecksum(34, random.nextBoolean() ? 16 : 6);
            frame.setGso(Gso.values()[random.nextInt(4)], random.nextInt(3_000));
        }
        return frame;
    }

    private static long openFiles() throws IOException {
        Path files = Path.of("/proc/self/fd");
        if (!Files.isDirectory(files)) {
            return 0;
        }
        try (var list = Files.list(files)) {
            return list.count();
        }
    }

    @Test
    void rubbishByTheMillionHarmsNothing() throws Exception {
        long seed = System.nanoTime();
        var random = new Random(seed);
        NatConfig config = NatConfig.defaults()
                .withLimits(200, 100, Duration.ofSeconds(1), 4 << 20)
                .withNameServers(List.of(new InetSocketAddress(LOOPBACK, 9)));
        long before = openFiles();
        try (var server = new ServerSocket(0, 50, LOOPBACK);
                var udp = new DatagramSocket(0, LOOPBACK);
                Nat nat = Nat.start(config, link.second());
                PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 22)) {
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    while (true) {
                        try (Socket socket = server.accept()) {
                            socket.getOutputStream().write(new byte[100]);
                        } catch (java.net.SocketException e) {
                            if (server.isClosed()) {
                                return;
                            }
                        }
                    }
                } catch (IOException e) {
                    // The end of the test.
                }
            });
            assertThat(forward.guest().getPort()).isEqualTo(22);
            makeSeeds(server.getLocalPort(), udp.getLocalPort(), 22);
            for (int i = 0; i < FRAMES; i++) {
                Frame frame = mutate(random, false);
                while (!port.send(frame)) {
                    drain();
                    Thread.onSpinWait();
                }
                if ((i & 31) == 0) {
                    drain();
                }
                if (i % 100_000 == 0) {
                    NatStatistics statistics = nat.statistics();
                    assertThat(statistics.failures()).as("seed %d", seed).isZero();
                    assertThat(statistics.connections()).isLessThanOrEqualTo(200);
                    assertThat(statistics.flows()).isLessThanOrEqualTo(100);
                    assertThat(statistics.bufferedBytes()).isLessThan((4 << 20) + 400 * 16_384L);
                    assertThat(openFiles()).isLessThan(before + 2 * 200 + 100 + 100);
                }
            }
            drain();
            assertThat(nat.statistics().failures()).as("seed %d", seed).isZero();
            assertThat(link.first().statistics().framesSent()).isGreaterThan(FRAMES / 2);
            // And it still works, for a guest that behaves.
            link.setUp(false);
            link.setUp(true);
            var station = new Station(link);
            port.setReceiveOffloads(java.util.Set.of());
            station.forget();
            var guest = new ScriptedTcp(station, 65_000, Station.GATEWAY, server.getLocalPort(), 1);
            guest.open();
            for (int got = 0; got < 100; ) {
                got += guest.expect(5_000).data().length;
            }
        }
        assertThat(openFiles()).isLessThan(before + 20);
    }

    @Test
    void aGuestThatIsShutInMakesNoSocketWhateverItSends() throws Exception {
        long seed = System.nanoTime();
        var random = new Random(seed);
        long before = openFiles();
        try (Nat nat = Nat.start(NatConfig.defaults().withRestrict(true), link.second())) {
            makeSeeds(80, 90, 22);
            for (int i = 0; i < 200_000; i++) {
                Frame frame = mutate(random, true);
                while (!port.send(frame)) {
                    drain();
                    Thread.onSpinWait();
                }
                if ((i & 31) == 0) {
                    drain();
                }
            }
            NatStatistics statistics = nat.statistics();
            assertThat(statistics.failures()).as("seed %d", seed).isZero();
            assertThat(statistics.opened()).isZero();
            assertThat(statistics.flows()).isZero();
            assertThat(openFiles()).isLessThan(before + 20);
        }
    }

    private void drain() {
        Frame frame;
        while ((frame = port.receive()) != null) {
            frame.release();
        }
    }
}
