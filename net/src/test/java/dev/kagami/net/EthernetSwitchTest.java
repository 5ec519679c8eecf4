package dev.kagami.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Learning, flooding, and what a station that doesn't read or makes up addresses can't do to others. */
class EthernetSwitchTest {
    private static final long A = 0x525400000001L;
    private static final long B = 0x525400000002L;

    private final EthernetSwitch ethernet = new EthernetSwitch();
    private final EthernetPort a = ethernet.plug().first();
    private final EthernetPort b = ethernet.plug().first();
    private final EthernetPort c = ethernet.plug().first();

    private static void send(EthernetPort port, long destination, long source) {
        Frame frame = Packets.frame(port, Packets.ethernet(destination, source, 0x88B5, new byte[46]));
        assertThat(port.send(frame)).isTrue();
    }

    private static int drain(EthernetPort port) {
        int frames = 0;
        Frame frame;
        while ((frame = port.receive()) != null) {
            frame.release();
            frames++;
        }
        return frames;
    }

    @Test
    void unknownDestinationsAreFloodedAndKnownOnesAreNot() {
        send(a, B, A);
        assertThat(drain(a)).isZero();
        assertThat(drain(b)).isEqualTo(1);
        assertThat(drain(c)).isEqualTo(1);
        send(b, A, B);
        assertThat(drain(a)).isEqualTo(1);
        assertThat(drain(c)).isZero();
        send(a, B, A);
        assertThat(drain(b)).isEqualTo(1);
        assertThat(drain(c)).isZero();
    }

    @Test
    void broadcastReachesAllOthersAndReservedGroupsNobody() {
        send(a, MacAddress.BROADCAST.value(), A);
        assertThat(drain(b) + drain(c)).isEqualTo(2);
        send(a, 0x0180C2000000L, A);
        assertThat(drain(a) + drain(b) + drain(c)).isZero();
    }

    @Test
    void aStationThatMovesIsFoundAtItsNewPort() {
        send(a, B, A);
        send(c, B, A);
        drain(a);
        drain(b);
        drain(c);
        send(b, A, B);
        assertThat(drain(a)).isZero();
        assertThat(drain(c)).isEqualTo(1);
    }

    @Test
    void aStationThatDoesNotReadLosesItsOwnFramesOnly() {
        send(b, A, B);
        drain(a);
        drain(c);
        for (int i = 0; i < 2_000; i++) {
            send(a, B, A);
        }
        assertThat(ethernet.dropped()).isEqualTo(2_000 - EthernetLink.QUEUE_FRAMES);
        send(a, MacAddress.BROADCAST.value(), A);
        assertThat(drain(c)).isEqualTo(1);
    }

    @Test
    void madeUpAddressesDoNotPushOthersOut() {
        send(b, A, B);
        drain(a);
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            send(c, A, random.nextLong() & 0xFEFFFFFFFFFFL);
            drain(a);
            drain(b);
        }
        assertThat(ethernet.stations()).isLessThanOrEqualTo(MacTable.SHARE + 1);
        drain(c);
        send(a, B, A);
        assertThat(drain(b)).isEqualTo(1);
        assertThat(drain(c)).isZero();
    }

    @Test
    void anUnpluggedPortIsGoneAndAClosedSwitchTakesNobody() {
        EthernetLink link = ethernet.plug();
        assertThat(link.isUp()).isTrue();
        ethernet.unplug(link);
        assertThat(link.isUp()).isFalse();
        assertThat(ethernet.ports()).isEqualTo(3);
        ethernet.close();
        assertThat(a.isUp()).isFalse();
        assertThatIllegalStateException().isThrownBy(ethernet::plug);
    }
}
