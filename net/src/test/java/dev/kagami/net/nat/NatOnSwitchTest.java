package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetSwitch;
import dev.kagami.net.Packets;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A gateway as one station of a switch, with others beside it. */
@Timeout(30)
class NatOnSwitchTest {
    @Test
    void aGuestReachesTheGatewayAndAnotherGuestWithoutIt() throws Exception {
        var ethernet = new EthernetSwitch();
        EthernetLink link = ethernet.plug();
        var station = new Station(link);
        var other = new Station(ethernet.plug());
        try (Nat nat = Nat.start(NatConfig.defaults(), ethernet.plug().first());
                var server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            var guest = new ScriptedTcp(station, 700, Station.GATEWAY, server.getLocalPort(), 1);
            guest.open();
            try (Socket host = server.accept()) {
                guest.data("hello");
                assertThat(host.getInputStream().readNBytes(5)).asString().isEqualTo("hello");
                host.getOutputStream().write(new byte[100_000]);
                guest.read(100_000);
            }
            byte[] packet = Packets.udp4(Station.GUEST, 5, 0x0A000210, 6, new byte[10]);
            station.send(Packets.ethernet(0x525400999999L, Station.MAC, 0x0800, packet));
            assertThat(other.await(f -> f[23] == 17, 5_000)).hasSize(14 + 38);
            assertThat(nat.statistics().flows()).isZero();
            assertThat(nat.statistics().failures()).isZero();
        }
        ethernet.close();
    }
}
