package dev.kagami.net.nat;

/** The addresses of a NAT's network, and where a packet that a guest sends may go. */
final class Network {
    /** Where a destination leads. */
    enum Route {
        /** To the gateway itself, and so to the host. */
        GATEWAY,
        /** To the name server. */
        NAME_SERVER,
        /** To where the host would send it. */
        OUTSIDE,
        /** Nowhere, as it is forbidden. */
        FORBIDDEN,
        /** Nowhere, as there is no such thing. */
        NOWHERE
    }

    /** The gateway's Ethernet address: made of its role and its IP address, so it is the same every time. */
    private static final long MAC_PREFIX = 0x5255_0000_0000L;

    private static final IpAddress LINK_LOCAL_GATEWAY = new IpAddress(0xFE80L << 48, 2);

    private final NatConfig config;
    private final IpAddress gateway4;
    private final IpAddress nameServer4;
    private final int mask4;
    private final boolean version6;
    private final long prefix6;

    Network(NatConfig config) {
        this.config = config;
        gateway4 = IpAddress.of(config.gateway());
        nameServer4 = IpAddress.of(config.nameServer());
        mask4 = -1 << 32 - config.prefixLength();
        version6 = config.prefix6() != null;
        prefix6 = config.prefix6() == null ? 0 : IpAddress.of(config.prefix6()).high();
    }

    NatConfig config() {
        return config;
    }

    long mac() {
        return MAC_PREFIX | gateway4.number4() & 0xFFFF_FFFFL;
    }

    boolean hasVersion6() {
        return version6;
    }

    int mask4() {
        return mask4;
    }

    IpAddress gateway4() {
        return gateway4;
    }

    IpAddress nameServer4() {
        return nameServer4;
    }

    IpAddress broadcast4() {
        return IpAddress.version4(gateway4.number4() | ~mask4);
    }

    IpAddress gateway6() {
        return new IpAddress(prefix6, 2);
    }

    IpAddress nameServer6() {
        return new IpAddress(prefix6, 3);
    }

    IpAddress linkLocalGateway() {
        return LINK_LOCAL_GATEWAY;
    }

    IpAddress prefix() {
        return new IpAddress(prefix6, 0);
    }

    /** {@return the gateway's address for talking to a guest} */
    IpAddress gatewayFor(IpAddress guest) {
        if (guest.isVersion4()) {
            return gateway4;
        }
        return guest.isLinkLocal6() ? LINK_LOCAL_GATEWAY : gateway6();
    }

    boolean isOurs(IpAddress address) {
        if (address.isVersion4()) {
            return address.equals(gateway4) || address.equals(nameServer4);
        }
        return version6
                && (address.equals(LINK_LOCAL_GATEWAY) || address.equals(gateway6()) || address.equals(nameServer6()));
    }

    private boolean isInside(IpAddress address) {
        if (address.isVersion4()) {
            return (address.number4() & mask4) == (gateway4.number4() & mask4);
        }
        return version6 && (address.high() == prefix6 || address.isLinkLocal6());
    }

    /** {@return whether a station of this network may have that address} */
    boolean isGuest(IpAddress address) {
        if (!isInside(address) || isOurs(address)) {
            return false;
        }
        return !address.isVersion4()
                || address.number4() != (gateway4.number4() & mask4) && !address.equals(broadcast4());
    }

    Route route(IpAddress destination) {
        if (isOurs(destination)) {
            if (config.restrict()) {
                return Route.FORBIDDEN;
            }
            boolean names = destination.equals(nameServer4) || version6 && destination.equals(nameServer6());
            return names ? Route.NAME_SERVER : Route.GATEWAY;
        }
        if (isInside(destination) || !destination.isRoutable()) {
            return Route.NOWHERE;
        }
        return config.restrict() ? Route.FORBIDDEN : Route.OUTSIDE;
    }
}
