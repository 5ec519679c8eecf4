package dev.kagami.virtio.network;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.MacAddress;

/**
 * What a {@link NetworkDevice} is made of.
 *
 * @param port the guest's end of a cable; the device listens on it
 * @param mac the card's address
 * @param mtu the largest packet that the guest should send, in bytes; 0 to leave that to the guest
 */
public record NetworkConfig(EthernetPort port, MacAddress mac, int mtu) {
    private static final int MIN_MTU = 68;
    private static final int MAX_MTU = 65_535;

    /** Checks the values. */
    public NetworkConfig {
        if (mtu != 0 && (mtu < MIN_MTU || mtu > MAX_MTU)) {
            throw new IllegalArgumentException("an MTU is from 68 to 65535, not " + mtu);
        }
        if (mac.isGroup()) {
            throw new IllegalArgumentException("a card's own address can't name a group: " + mac);
        }
    }

    /**
     * Makes the configuration of a card that leaves the MTU to the guest.
     *
     * @param port the guest's end of a cable
     * @param mac the card's address
     * @return the configuration
     */
    public static NetworkConfig of(EthernetPort port, MacAddress mac) {
        return new NetworkConfig(port, mac, 0);
    }
}
