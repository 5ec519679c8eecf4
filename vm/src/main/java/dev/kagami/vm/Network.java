package dev.kagami.vm;

import dev.kagami.net.MacAddress;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A network card of a machine.
 *
 * @param link what its cable leads to
 * @param mac its Ethernet address, six pairs of hexadecimal digits with colons between them; null for one that goes with the
 *     first disk, or at random where there is no disk
 * @param forwards ports of the host that lead to the guest, for a card behind NAT
 */
public record Network(Link link, @Nullable String mac, List<Forward> forwards) {
    /** What a card's cable leads to. */
    public sealed interface Link {}

    /**
     * A network of the card's own behind NAT: the guest gets its address by DHCP (or IPv6 router advertisements), reaches what
     * the host reaches, and the host's loopback at the gateway's address. Nobody reaches the guest but through forwards.
     */
    public record Nat() implements Link {}

    /**
     * A switch that machines of this process are connected to.
     *
     * @param ethernet the switch
     */
    public record Switch(VirtualSwitch ethernet) implements Link {}

    /**
     * A switch that all machines of the user with its name are connected to, in this process and in others.
     *
     * @param name 1 to 48 letters, digits, dots, dashes and underscores
     */
    public record NamedSwitch(String name) implements Link {}

    /**
     * A program's own end of the cable.
     *
     * @param endpoint takes the guest's frames
     */
    public record Endpoint(EthernetEndpoint endpoint) implements Link {}

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
    public record Forward(Protocol protocol, InetSocketAddress local, int guestPort) {
        /**
         * Describes a forward of a TCP port of the host's loopback address.
         *
         * @param hostPort port of the host, 0 to 65535; 0 for any that is free
         * @param guestPort port of the guest, 1 to 65535
         * @return the forward
         */
        public static Forward tcp(int hostPort, int guestPort) {
            return new Forward(Protocol.TCP, loopback(hostPort), guestPort);
        }

        /**
         * Describes a forward of a UDP port of the host's loopback address.
         *
         * @param hostPort port of the host, 0 to 65535; 0 for any that is free
         * @param guestPort port of the guest, 1 to 65535
         * @return the forward
         */
        public static Forward udp(int hostPort, int guestPort) {
            return new Forward(Protocol.UDP, loopback(hostPort), guestPort);
        }

        private static InetSocketAddress loopback(int port) {
            return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        }
    }

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
        return new Network(new Nat(), null, List.of());
    }

    /**
     * Describes a card on a switch of this process.
     *
     * @param ethernet the switch, which stays the caller's to close
     * @return the card
     */
    public static Network on(VirtualSwitch ethernet) {
        return new Network(new Switch(ethernet), null, List.of());
    }

    /**
     * Describes a card on a switch that the user's processes share.
     *
     * @param name the switch's name: 1 to 48 letters, digits, dots, dashes and underscores
     * @return the card
     */
    public static Network onSwitch(String name) {
        return new Network(new NamedSwitch(name), null, List.of());
    }

    /**
     * Describes a card whose other end a program has.
     *
     * @param endpoint takes the guest's frames
     * @return the card
     */
    public static Network to(EthernetEndpoint endpoint) {
        return new Network(new Endpoint(endpoint), null, List.of());
    }

    /**
     * Sets the card's address; by default it goes with the first disk, so that the guest knows the
     * card again, or is random where there is no disk.
     *
     * @param address six pairs of hexadecimal digits with colons between them, not that of a group
     * @return the card with that address
     */
    public Network withMac(String address) {
        return new Network(link, address, forwards);
    }

    /**
     * Adds a forward of a TCP port, bound to the host's loopback address.
     *
     * @param hostPort port of the host, 0 to 65535; 0 for any that is free
     * @param guestPort port of the guest, 1 to 65535
     * @return the card with one more forward
     */
    public Network forward(int hostPort, int guestPort) {
        return forward(Forward.tcp(hostPort, guestPort));
    }

    /**
     * {@return a card of a copy: with an address of its own, unless nobody could tell, and the same forwards from any ports of
     * the host that are free}
     */
    Network forBranch() {
        return new Network(
                link,
                link instanceof Nat ? mac : MacAddress.random().toString(),
                forwards.stream()
                        .map(forward -> new Forward(
                                forward.protocol(),
                                new InetSocketAddress(forward.local().getAddress(), 0),
                                forward.guestPort()))
                        .toList());
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
        return new Network(link, mac, all);
    }
}
