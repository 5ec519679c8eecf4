import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kagami.junit.Machine;
import dev.kagami.junit.MachineDefinition;
import dev.kagami.junit.VirtualMachineTest;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import dev.kagami.vm.VirtualSwitch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two machines on a switch of their own: no network of the host, no privileges. */
@VirtualMachineTest
class TwoHostsTest {
    static final VirtualSwitch LAN = VirtualSwitch.create();

    static class Host implements MachineDefinition {
        @Override
        public void describe(VirtualMachineConfig.Builder builder) {
            builder.defaultGuest().network(Network.on(LAN));
        }
    }

    @Machine(Host.class)
    static VirtualMachine server;

    @Machine(Host.class)
    static VirtualMachine client;

    @BeforeAll
    static void giveAddresses() throws Exception {
        server.exec("ip address add 10.0.0.1/24 dev eth0; echo hello >/tmp/greeting; httpd -h /tmp");
        client.exec("ip address add 10.0.0.2/24 dev eth0");
    }

    @Test
    void theClientGetsThePage() throws Exception {
        assertEquals("hello\n", client.exec("wget -q -O - http://10.0.0.1/greeting").stdout());
    }

    @Test
    void theServerSeesTheClientsCardAtItsAddress() throws Exception {
        String card = client.exec("cat /sys/class/net/eth0/address").stdout().strip();
        assertEquals(0, server.exec("ping -c 1 10.0.0.2").exitStatus());
        assertTrue(server.exec("cat /proc/net/arp").stdout().contains(card));
    }
}
