package dev.kagami.net.nat;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A network behind a {@link Nat}.
 *
 * @param gateway the gateway's address, in a network of {@code prefixLength} bits
 * @param prefixLength bits of the network's prefix, 8 to 29
 * @param nameServer the address that answers names, in the same network
 * @param firstGuest the address that the first guest gets by DHCP; the others get those above
 * @param prefix6 the /64 network for IPv6, whose ::2 is the gateway and ::3 answers names; null for a network without IPv6
 * @param mtu octets in the largest IP packet, 1280 to 65535
 * @param restrict whether guests reach neither the host nor what is outside; forwarded ports still reach guests
 * @param hostname the name that DHCP gives to guests; null for none
 * @param nameServers where queries go; empty for what the host uses
 * @param maximumConnections TCP connections at a time, those that have ended not long ago included
 * @param maximumFlows UDP flows at a time; a new one displaces the one that is idle longest
 * @param flowTimeout how long a UDP flow may be idle
 * @param bufferBudget octets that payload of all connections may take, beyond 32 KiB for each
 */
public record NatConfig(
        Inet4Address gateway,
        int prefixLength,
        Inet4Address nameServer,
        Inet4Address firstGuest,
        @Nullable Inet6Address prefix6,
        int mtu,
        boolean restrict,
        @Nullable String hostname,
        List<InetSocketAddress> nameServers,
        int maximumConnections,
        int maximumFlows,
        Duration flowTimeout,
        long bufferBudget) {
    private static final int MINIMUM_MTU = 1280;
    private static final int MAXIMUM_MTU = 65_535;
    private static final int MAXIMUM_HOSTNAME = 255;

    /**
     * Holds a configuration.
     *
     * @throws IllegalArgumentException if the parts contradict each other
     */
    public NatConfig {
        if (prefixLength < 8 || prefixLength > 29) {
            throw new IllegalArgumentException("prefix length " + prefixLength + ", must be 8 to 29");
        }
        int mask = -1 << 32 - prefixLength;
        int network = number(gateway) & mask;
        for (Inet4Address address : List.of(gateway, nameServer, firstGuest)) {
            if ((number(address) & mask) != network
                    || number(address) == network
                    || number(address) == (network | ~mask)) {
                throw new IllegalArgumentException(
                        address.getHostAddress() + " is no host in the network of " + gateway.getHostAddress());
            }
        }
        if (gateway.equals(nameServer) || gateway.equals(firstGuest) || nameServer.equals(firstGuest)) {
            throw new IllegalArgumentException("gateway, name server and guest must have different addresses");
        }
        if (prefix6 != null) {
            IpAddress prefix = IpAddress.of(prefix6);
            if (prefix.low() != 0 || prefix.isVersion4() || prefix.high() == 0 || prefix.isMulticast()) {
                throw new IllegalArgumentException(prefix6.getHostAddress() + " is no /64 prefix");
            }
        }
        if (mtu < MINIMUM_MTU || mtu > MAXIMUM_MTU) {
            throw new IllegalArgumentException("MTU " + mtu + ", must be 1280 to 65535");
        }
        if (hostname != null && (hostname.isEmpty() || hostname.length() > MAXIMUM_HOSTNAME)) {
            throw new IllegalArgumentException("host name of " + hostname.length() + " characters");
        }
        if (maximumConnections < 1 || maximumFlows < 1 || bufferBudget < 0 || !flowTimeout.isPositive()) {
            throw new IllegalArgumentException("limits must be positive");
        }
        nameServers = List.copyOf(nameServers);
    }

    private static int number(Inet4Address address) {
        return (int) IpAddress.of(address).low();
    }

    /** {@return 10.0.2.0/24 and fd00::/64: gateway 10.0.2.2, names 10.0.2.3, first guest 10.0.2.15} */
    public static NatConfig defaults() {
        return new NatConfig(
                address4("10.0.2.2"),
                24,
                address4("10.0.2.3"),
                address4("10.0.2.15"),
                (Inet6Address) address("fd00::"),
                1500,
                false,
                null,
                List.of(),
                4096,
                2048,
                Duration.ofSeconds(60),
                64L << 20);
    }

    private static Inet4Address address4(String literal) {
        return (Inet4Address) address(literal);
    }

    private static InetAddress address(String literal) {
        try {
            return InetAddress.getByName(literal);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(literal + " is no address", e);
        }
    }

    /** {@return this with other IPv4 addresses} */
    public NatConfig withNetwork(String gateway, int prefixLength, String nameServer, String firstGuest) {
        return new NatConfig(
                address4(gateway),
                prefixLength,
                address4(nameServer),
                address4(firstGuest),
                prefix6,
                mtu,
                restrict,
                hostname,
                nameServers,
                maximumConnections,
                maximumFlows,
                flowTimeout,
                bufferBudget);
    }

    /** {@return this with another IPv6 prefix, or with null without IPv6} */
    public NatConfig withPrefix6(@Nullable Inet6Address prefix) {
        return new NatConfig(
                gateway,
                prefixLength,
                nameServer,
                firstGuest,
                prefix,
                mtu,
                restrict,
                hostname,
                nameServers,
                maximumConnections,
                maximumFlows,
                flowTimeout,
                bufferBudget);
    }

    /** {@return this with another MTU} */
    public NatConfig withMtu(int newMtu) {
        return new NatConfig(
                gateway,
                prefixLength,
                nameServer,
                firstGuest,
                prefix6,
                newMtu,
                restrict,
                hostname,
                nameServers,
                maximumConnections,
                maximumFlows,
                flowTimeout,
                bufferBudget);
    }

    /** {@return this with guests shut in, or not} */
    public NatConfig withRestrict(boolean newRestrict) {
        return new NatConfig(
                gateway,
                prefixLength,
                nameServer,
                firstGuest,
                prefix6,
                mtu,
                newRestrict,
                hostname,
                nameServers,
                maximumConnections,
                maximumFlows,
                flowTimeout,
                bufferBudget);
    }

    /** {@return this with a name for guests} */
    public NatConfig withHostname(@Nullable String name) {
        return new NatConfig(
                gateway,
                prefixLength,
                nameServer,
                firstGuest,
                prefix6,
                mtu,
                restrict,
                name,
                nameServers,
                maximumConnections,
                maximumFlows,
                flowTimeout,
                bufferBudget);
    }

    /** {@return this with other name servers than the host's} */
    public NatConfig withNameServers(List<InetSocketAddress> servers) {
        return new NatConfig(
                gateway,
                prefixLength,
                nameServer,
                firstGuest,
                prefix6,
                mtu,
                restrict,
                hostname,
                servers,
                maximumConnections,
                maximumFlows,
                flowTimeout,
                bufferBudget);
    }

    /** {@return this with other limits} */
    public NatConfig withLimits(int connections, int flows, Duration idle, long budget) {
        return new NatConfig(
                gateway,
                prefixLength,
                nameServer,
                firstGuest,
                prefix6,
                mtu,
                restrict,
                hostname,
                nameServers,
                connections,
                flows,
                idle,
                budget);
    }
}
