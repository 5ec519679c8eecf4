package dev.kagami.vm;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * A network card of a machine, on a network of its own behind NAT: the guest gets its address by DHCP, reaches what the
 * host reaches, and the host's loopback at the gateway's address. Nobody reaches the guest but through forwards.
 *
 * @param forwards ports of the host that lead to the guest
 */
public record Network(List<Forward> forwards) {
    /** A protocol that has ports. */
    public enum Protocol {
        /** TCP. */
        TCP,
        /** UDP. */
        UDP
    }

    /**
     * A port of the host that leads to a port of the guest.
     *
     * @param protocol TCP or UDP
     * @param local where the host listens; port 0 for any that is free
     * @param guestPort port of the guest, 1 to 65535
     */
    public record Forward(Protocol protocol, InetSocketAddress local, int guestPort) {}

    /** Copies the list. */
    public Network {
        forwards = List.copyOf(forwards);
    }

    /**
     * Describes a card behind NAT.
     *
     * @return the card, without forwards
     */
    public static Network nat() {
        return new Network(List.of());
    }

    /**
     * Adds a forward of a TCP port, bound to the host's loopback address.
     *
     * @param hostPort port of the host, 0 to 65535
     * @param guestPort port of the guest, 1 to 65535
     * @return the card with one more forward
     */
    public Network forward(int hostPort, int guestPort) {
        return forward(new Forward(
                Protocol.TCP, new InetSocketAddress(InetAddress.getLoopbackAddress(), hostPort), guestPort));
    }

    /**
     * Adds a forward.
     *
     * @param forward the forward
     * @return the card with one more forward
     */
    public Network forward(Forward forward) {
        List<Forward> all = new ArrayList<>(forwards);
        all.add(forward);
        return new Network(all);
    }
}
