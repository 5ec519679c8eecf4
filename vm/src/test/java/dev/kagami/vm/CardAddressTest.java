package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.MacAddress;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class CardAddressTest {
    private static final Network.Link NAT = new Network.Nat();
    private static final Network.Link SWITCH = new Network.NamedSwitch("test");
    private static final List<Disk> DISKS = List.of(Disk.of(Path.of("debian.qcow2")));

    @Test
    void aMachineHasTheSameAddressesWheneverItStarts() {
        assertThat(CardAddress.of(NAT, DISKS, 0))
                .isEqualTo(CardAddress.of(SWITCH, DISKS, 0))
                .isEqualTo(CardAddress.of(NAT, List.of(Disk.of(Path.of("x/../debian.qcow2"))), 0))
                .isEqualTo(CardAddress.of(NAT, List.of(Disk.temporary(Path.of("debian.qcow2"))), 0));
    }

    @Test
    void cardsAndMachinesHaveAddressesOfTheirOwn() {
        MacAddress address = CardAddress.of(NAT, DISKS, 0);
        assertThat(address.isGroup()).isFalse();
        assertThat(address.toString()).startsWith("52:54:");
        assertThat(CardAddress.of(NAT, DISKS, 1)).isNotEqualTo(address);
        assertThat(CardAddress.of(NAT, List.of(Disk.of(Path.of("other.qcow2"))), 0))
                .isNotEqualTo(address);
        assertThat(CardAddress.of(NAT, List.of(), 0)).isNotEqualTo(CardAddress.of(NAT, List.of(), 0));
    }

    @Test
    void machinesThatAreTemporarilyOnOneDiskCanMeetOnASwitch() {
        List<Disk> disks = List.of(Disk.temporary(Path.of("debian.qcow2")));
        assertThat(CardAddress.of(SWITCH, disks, 0)).isNotEqualTo(CardAddress.of(SWITCH, disks, 0));
    }
}
