package dev.kagami.vm;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetSwitch;
import dev.kagami.net.nat.Nat;
import dev.kagami.net.nat.NatConfig;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * An Ethernet switch for machines of this process. It stays the caller's to close, after the machines. Thread-safe.
 *
 * <p>It has nothing on it but machines, unless it is made {@linkplain #withNat with NAT}: then they get addresses by DHCP
 * from 10.0.2.15 up, reach each other and what the host reaches, and no forward leads to them.
 */
public final class VirtualSwitch implements AutoCloseable {
    private final EthernetSwitch ethernet = new EthernetSwitch();
    private @Nullable Nat nat;

    private VirtualSwitch() {}

    /** {@return a switch with nothing on it} */
    public static VirtualSwitch create() {
        return new VirtualSwitch();
    }

    /**
     * Makes a switch with a gateway to the host's network on it.
     *
     * @return the switch
     * @throws KagamiException when the host has no resources for it
     */
    public static VirtualSwitch withNat() {
        VirtualSwitch made = new VirtualSwitch();
        try {
            made.nat = Nat.start(NatConfig.defaults(), made.ethernet.plug().first());
        } catch (IOException e) {
            throw Networks.unusable(e);
        }
        return made;
    }

    EthernetLink plug() {
        return ethernet.plug();
    }

    void unplug(EthernetLink link) {
        ethernet.unplug(link);
    }

    /** Takes all cables out. */
    @Override
    public void close() {
        ethernet.close();
        if (nat != null) {
            nat.close();
        }
    }
}
