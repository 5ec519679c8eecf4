package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.tcp.TcpApplication;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Much traffic: many connections, and much data. */
@Timeout(120)
class NatTrafficTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    private final EthernetLink link = new EthernetLink();

    /** A guest's service that sends back what comes. */
    private static final class Echo implements TcpApplication {
        private final GuestStack.Connection connection;
        private boolean ending;

        Echo(GuestStack.Connection connection) {
            this.connection = connection;
        }

        @Override
        public void established() {}

        @Override
        public long receive(ByteBuffer[] data, int count) {
            long taken = 0;
            for (int i = 0; i < count; i++) {
                taken += connection.tcp.send(data[i]);
            }
            return taken;
        }

        @Override
        public void peerFinished() {
            ending = true;
            connection.tcp.finish();
        }

        @Override
        public void writable() {
            if (!ending) {
                connection.tcp.deliver();
            }
        }

        @Override
        public void ended(End end) {}
    }

    /** A guest's client that sends a pattern and counts what comes back. */
    private static final class Client implements TcpApplication {
        private final GuestStack.Connection connection;
        private final int length;
        private final AtomicLong received;
        private final CountDownLatch done;
        private int sent;
        private int got;
        private final ByteBuffer chunk = ByteBuffer.allocate(8_192);

        Client(GuestStack.Connection connection, int length, AtomicLong received, CountDownLatch done) {
            this.connection = connection;
            this.length = length;
            this.received = received;
            this.done = done;
        }

        @Override
        public void established() {
            writable();
        }

        @Override
        public void writable() {
            while (sent < length) {
                chunk.clear().limit(Math.min(chunk.capacity(), length - sent));
                for (int i = 0; i < chunk.limit(); i++) {
                    chunk.put(i, (byte) ((sent + i) * 7));
                }
                int taken = connection.tcp.send(chunk);
                sent += taken;
                if (chunk.hasRemaining()) {
                    return;
                }
            }
            connection.tcp.finish();
        }

        @Override
        public long receive(ByteBuffer[] data, int count) {
            long taken = 0;
            for (int i = 0; i < count; i++) {
                while (data[i].hasRemaining()) {
                    if (data[i].get() != (byte) (got++ * 7)) {
                        throw new IllegalStateException("wrong octet at " + (got - 1));
                    }
                    taken++;
                }
            }
            return taken;
        }

        @Override
        public void peerFinished() {
            received.addAndGet(got);
        }

        @Override
        public void ended(End end) {
            if (end == End.FINISHED) {
                done.countDown();
            }
        }
    }

    private static void echo(Socket socket) {
        try (socket) {
            InputStream in = socket.getInputStream();
            in.transferTo(socket.getOutputStream());
            socket.shutdownOutput();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aThousandConnectionsOfAGuestAtATimeAreEachComplete() throws Exception {
        int connections = 1_000;
        int length = 20_000;
        try (var threads = Executors.newVirtualThreadPerTaskExecutor();
                var server = new ServerSocket(0, 200, LOOPBACK);
                Nat nat = Nat.start(NatConfig.defaults(), link.second());
                var guest = new GuestStack(link.first(), 0)) {
            threads.submit(() -> {
                for (int i = 0; i < connections; i++) {
                    Socket socket = server.accept();
                    threads.submit(() -> echo(socket));
                }
                return null;
            });
            var received = new AtomicLong();
            var done = new CountDownLatch(connections);
            guest.execute(() -> {
                for (int i = 0; i < connections; i++) {
                    guest.connect(10_000 + i, server.getLocalPort(), c -> new Client(c, length, received, done));
                }
            });
            assertThat(done.await(60, TimeUnit.SECONDS))
                    .as("%d left", done.getCount())
                    .isTrue();
            assertThat(received).hasValue((long) connections * length);
            assertThat(guest.failure).isNull();
            NatStatistics statistics = nat.statistics();
            assertThat(statistics.opened()).isEqualTo(connections);
            assertThat(statistics.failures()).isZero();
            // The last acknowledgments are still on their way.
            long end = System.nanoTime() + 10_000_000_000L;
            while (nat.statistics().bufferedBytes() > 0 && System.nanoTime() < end) {
                Thread.sleep(20);
            }
            assertThat(nat.statistics().bufferedBytes()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.01})
    void fiveHundredClientsOfAForwardedPortAreEachServed(double loss) throws Exception {
        int clients = 500;
        int length = 30_000;
        try (var threads = Executors.newVirtualThreadPerTaskExecutor();
                Nat nat = Nat.start(NatConfig.defaults(), link.second());
                var guest = new GuestStack(link.first(), loss);
                PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 80)) {
            guest.execute(() -> guest.listen(80, Echo::new));
            var wrong = new AtomicInteger();
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                byte seed = (byte) i;
                all.add(threads.submit(() -> {
                    byte[] data = new byte[length];
                    for (int at = 0; at < length; at++) {
                        data[at] = (byte) (seed + at * 31);
                    }
                    try (var socket = new Socket()) {
                        socket.connect(forward.local(), 30_000);
                        socket.setSoTimeout(60_000);
                        socket.getOutputStream().write(data);
                        socket.shutdownOutput();
                        if (!java.util.Arrays.equals(socket.getInputStream().readAllBytes(), data)) {
                            wrong.incrementAndGet();
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get(90, TimeUnit.SECONDS);
            }
            assertThat(wrong).hasValue(0);
            assertThat(guest.failure).isNull();
            assertThat(nat.statistics().failures()).isZero();
        }
    }

    @Test
    void manyMegabytesBothWaysHaveTheSameSum() throws Exception {
        long length = 300L << 20;
        try (var threads = Executors.newVirtualThreadPerTaskExecutor();
                Nat nat = Nat.start(NatConfig.defaults(), link.second());
                var guest = new GuestStack(link.first(), 0.0002);
                PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 80);
                var socket = new Socket()) {
            guest.execute(() -> guest.listen(80, Echo::new));
            socket.connect(forward.local(), 10_000);
            socket.setSoTimeout(30_000);
            var sentSum = new CRC32();
            Future<?> writer = threads.submit(() -> {
                byte[] block = new byte[1 << 18];
                OutputStream out = socket.getOutputStream();
                for (long at = 0; at < length; at += block.length) {
                    block[(int) (at >> 18) & 0x3FF]++;
                    sentSum.update(block);
                    out.write(block);
                }
                socket.shutdownOutput();
                return null;
            });
            var gotSum = new CRC32();
            byte[] block = new byte[1 << 18];
            long got = 0;
            int some;
            while ((some = socket.getInputStream().read(block)) > 0) {
                gotSum.update(block, 0, some);
                got += some;
            }
            writer.get(10, TimeUnit.SECONDS);
            assertThat(got).isEqualTo(length);
            assertThat(gotSum.getValue()).isEqualTo(sentSum.getValue());
            assertThat(guest.failure).isNull();
            assertThat(nat.statistics().failures()).isZero();
        }
    }

    @Test
    void beyondTheLimitConnectionsAreRefusedAndThoseThatHaveEndedMakePlace() throws Exception {
        NatConfig config = NatConfig.defaults().withLimits(50, 10, java.time.Duration.ofSeconds(1), 1 << 20);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor();
                var server = new ServerSocket(0, 200, LOOPBACK);
                Nat nat = Nat.start(config, link.second());
                var guest = new GuestStack(link.first(), 0)) {
            threads.submit(() -> {
                while (true) {
                    Socket socket = server.accept();
                    threads.submit(() -> echo(socket));
                }
            });
            for (int round = 0; round < 20; round++) {
                int first = 10_000 + 40 * round;
                var received = new AtomicLong();
                var done = new CountDownLatch(40);
                guest.execute(() -> {
                    for (int i = 0; i < 40; i++) {
                        guest.connect(first + i, server.getLocalPort(), c -> new Client(c, 100, received, done));
                    }
                });
                assertThat(done.await(20, TimeUnit.SECONDS))
                        .as("round %d", round)
                        .isTrue();
                assertThat(nat.statistics().connections()).isLessThanOrEqualTo(50);
            }
            assertThat(nat.statistics().failures()).isZero();
        }
    }

    @Test
    void manyConnectionsWhoseReadersStopTakeBoundedMemoryAndOthersStillMove() throws Exception {
        int stalled = 200;
        NatConfig config = NatConfig.defaults().withLimits(1_000, 10, java.time.Duration.ofSeconds(1), 16 << 20);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor();
                var server = new ServerSocket(0, 400, LOOPBACK);
                Nat nat = Nat.start(config, link.second());
                var guest = new GuestStack(link.first(), 0)) {
            var accepted = new ArrayList<Socket>();
            guest.execute(() -> {
                for (int i = 0; i < stalled; i++) {
                    guest.connect(
                            10_000 + i,
                            server.getLocalPort(),
                            c -> new Client(c, 8 << 20, new AtomicLong(), new CountDownLatch(1)));
                }
            });
            for (int i = 0; i < stalled; i++) {
                accepted.add(server.accept());
            }
            // None of them is read from. The kernel takes its share, and the gateway no more than its own.
            Thread.sleep(1_500);
            assertThat(nat.statistics().bufferedBytes()).isLessThan((16 << 20) + stalled * 32_768L);
            var done = new CountDownLatch(1);
            var received = new AtomicLong();
            threads.submit(() -> {
                try (Socket socket = server.accept()) {
                    echo(socket);
                }
                return null;
            });
            guest.execute(
                    () -> guest.connect(20_000, server.getLocalPort(), c -> new Client(c, 2 << 20, received, done)));
            assertThat(done.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(received).hasValue(2 << 20);
            for (Socket socket : accepted) {
                socket.setSoLinger(true, 0);
                socket.close();
            }
            assertThat(nat.statistics().failures()).isZero();
        }
    }

    @Test
    void forwardsComeAndGoUnderTraffic() throws Exception {
        try (Nat nat = Nat.start(NatConfig.defaults(), link.second());
                var guest = new GuestStack(link.first(), 0)) {
            guest.execute(() -> guest.listen(80, Echo::new));
            for (int i = 0; i < 100; i++) {
                try (PortForward forward = nat.forward(PortForward.Protocol.TCP, 0, 80);
                        var socket = new Socket()) {
                    socket.connect(
                            new InetSocketAddress(LOOPBACK, forward.local().getPort()), 5_000);
                    socket.setSoTimeout(5_000);
                    socket.getOutputStream().write(i);
                    assertThat(socket.getInputStream().read()).isEqualTo(i);
                }
            }
            assertThat(nat.forwards()).isEmpty();
            assertThat(nat.statistics().failures()).isZero();
        }
    }
}
