package dev.kagami.net.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Two of our connections, with a link between them that is as bad as it is told to be. */
class TcpBackToBackTest {
    private static final TcpConfig CONFIG = new TcpConfig(1460, 64_000, 1 << 20, 1 << 20);
    private static final TcpConfig SMALL = new TcpConfig(1460, 64_000, 20_000, 20_000);

    private SimulatedNetwork network;
    private Bytes client;
    private Bytes server;

    private void connect(long seed, SimulatedNetwork.Faults faults, TcpConfig config, byte[] up, byte[] down) {
        network = new SimulatedNetwork(seed, faults);
        client = new Bytes(up, true);
        server = new Bytes(down, true);
        // Sequence numbers that wrap soon.
        network.a.connection = TcpConnection.open(
                network.a, config, network.a.pool, client, -5_000 - (int) (seed % 3_000), network.now);
        client.connection = network.a.connection;
        var syn = new TcpSegment();
        while (network.b.connection == null) {
            network.a.output();
            if (!network.a.log.isEmpty()) {
                byte[] segment = network.a.log.getFirst();
                syn.parse(java.nio.ByteBuffer.wrap(segment), 0, segment.length);
                network.b.connection =
                        TcpConnection.accept(network.b, config, network.b.pool, server, -100, syn, network.now);
                server.connection = network.b.connection;
                network.b.connection.admit();
            }
        }
    }

    private static byte[] random(long seed, int length) {
        byte[] data = new byte[length];
        new Random(seed).nextBytes(data);
        return data;
    }

    private void finish(long seconds) {
        long until = network.now + seconds * 1_000 * SimulatedNetwork.MILLISECOND;
        while ((client.end == null || server.end == null) && network.step(until)) {
            continue;
        }
    }

    @Test
    void aCleanLinkCarriesBothWaysAndBothSidesFinish() {
        byte[] up = random(1, 3_000_000);
        byte[] down = random(2, 2_000_000);
        connect(1, SimulatedNetwork.Faults.NONE, CONFIG, up, down);
        finish(60);
        assertThat(server.received.toByteArray()).isEqualTo(up);
        assertThat(client.received.toByteArray()).isEqualTo(down);
        assertThat(client.events).containsExactly("established", "finished", "ended FINISHED");
        assertThat(server.events).containsExactly("established", "finished", "ended FINISHED");
        network.run(20_000 * SimulatedNetwork.MILLISECOND);
        assertThat(network.a.forgotten && network.b.forgotten).isTrue();
        assertThat(network.a.pool.used() + network.b.pool.used()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"0.01, 0, 0", "0.05, 0, 0", "0.2, 0, 0", "0, 0.1, 0", "0, 0, 0.2", "0.03, 0.03, 0.1", "0.1, 0.1, 0.3"})
    void aBadLinkOnlyTakesLonger(double loss, double duplication, double reordering) {
        for (long seed = 0; seed < 12; seed++) {
            byte[] up = random(seed, 300_000);
            byte[] down = random(seed + 100, seed % 3 == 0 ? 0 : 200_000);
            var faults = new SimulatedNetwork.Faults(
                    loss, duplication, reordering, SimulatedNetwork.MILLISECOND / (1 + seed % 4));
            connect(seed, faults, seed % 2 == 0 ? CONFIG : SMALL, up, down);
            finish(1_500);
            assertThat(server.received.toByteArray()).as("seed %d", seed).isEqualTo(up);
            assertThat(client.received.toByteArray()).as("seed %d", seed).isEqualTo(down);
            assertThat(client.end).as("seed %d", seed).isEqualTo(TcpApplication.End.FINISHED);
            network.run(60_000 * SimulatedNetwork.MILLISECOND);
            assertThat(network.a.pool.used() + network.b.pool.used())
                    .as("seed %d", seed)
                    .isZero();
        }
    }

    @Test
    void aFewLossesAreRepairedWithoutWaitingForATimeOut() {
        byte[] up = random(1, 10_000_000);
        connect(7, new SimulatedNetwork.Faults(0.001, 0, 0, SimulatedNetwork.MILLISECOND), CONFIG, up, new byte[0]);
        long start = network.now;
        finish(60);
        assertThat(server.received.size()).isEqualTo(up.length);
        assertThat(network.lost).isGreaterThan(3);
        assertThat((network.now - start) / SimulatedNetwork.MILLISECOND).isLessThan(2_000);
    }

    @Test
    void aSlowReaderStopsTheSenderAndNothingIsLost() {
        byte[] up = random(1, 400_000);
        connect(3, SimulatedNetwork.Faults.NONE, SMALL, up, new byte[0]);
        server.appetite = 0;
        network.run(200_000 * SimulatedNetwork.MILLISECOND);
        assertThat(client.unsent()).isEqualTo(400_000 - 40_000);
        int before = network.sent;
        network.run(600_000 * SimulatedNetwork.MILLISECOND);
        // Probes and keep-alives only, and no end: the other side answers.
        assertThat(network.sent - before).isBetween(10, 200);
        assertThat(client.end).isNull();
        var random = new Random(5);
        while (server.received.size() < 400_000) {
            server.appetite = random.nextInt(9_000);
            server.connection.deliver();
            network.run(3 * SimulatedNetwork.MILLISECOND);
        }
        finish(60);
        assertThat(server.received.toByteArray()).isEqualTo(up);
    }

    @Test
    void dataThatWaitWhenBothSidesHaveFinishedAreStillDelivered() {
        byte[] up = random(1, 15_000);
        byte[] down = random(2, 15_000);
        connect(3, SimulatedNetwork.Faults.NONE, SMALL, up, down);
        server.appetite = 0;
        client.appetite = 0;
        network.run(100_000 * SimulatedNetwork.MILLISECOND);
        assertThat(client.end).isNull();
        assertThat(server.end).isNull();
        server.appetite = Long.MAX_VALUE;
        client.appetite = Long.MAX_VALUE;
        server.connection.deliver();
        client.connection.deliver();
        finish(30);
        assertThat(server.received.toByteArray()).isEqualTo(up);
        assertThat(client.received.toByteArray()).isEqualTo(down);
        assertThat(client.end).isEqualTo(TcpApplication.End.FINISHED);
        assertThat(server.end).isEqualTo(TcpApplication.End.FINISHED);
    }

    @Test
    void aPeerThatVanishesIsNoticed() {
        connect(3, SimulatedNetwork.Faults.NONE, CONFIG, new byte[10], new byte[10]);
        network.run(SimulatedNetwork.MILLISECOND / 4);
        client.connection.abort();
        finish(5);
        assertThat(server.end).isEqualTo(TcpApplication.End.RESET);
        connect(4, SimulatedNetwork.Faults.NONE, CONFIG, new byte[0], new byte[0]);
        network.run(SimulatedNetwork.MILLISECOND / 20);
        network.faults = new SimulatedNetwork.Faults(1, 0, 0, 0);
        network.run(2_000_000 * SimulatedNetwork.MILLISECOND);
        assertThat(server.end).isEqualTo(TcpApplication.End.TIMED_OUT);
        assertThat(network.a.pool.used() + network.b.pool.used()).isZero();
    }

    @Test
    void aFullLinkDelaysAndLosesNothing() {
        byte[] up = random(1, 500_000);
        connect(3, SimulatedNetwork.Faults.NONE, CONFIG, up, new byte[0]);
        var random = new Random(9);
        for (int i = 0; i < 3_000 && server.end == null; i++) {
            network.a.blocked = random.nextBoolean();
            network.b.blocked = random.nextBoolean();
            network.a.wantsOutput = true;
            network.b.wantsOutput = true;
            network.run(SimulatedNetwork.MILLISECOND);
        }
        network.a.blocked = false;
        network.b.blocked = false;
        finish(60);
        assertThat(server.received.toByteArray()).isEqualTo(up);
    }
}
