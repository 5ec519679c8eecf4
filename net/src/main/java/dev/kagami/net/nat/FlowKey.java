package dev.kagami.net.nat;

/**
 * The two ends of a flow, as the guest sees them.
 *
 * @param guest the guest's address
 * @param guestPort the guest's port
 * @param remote the address it talks to
 * @param remotePort the port it talks to
 */
record FlowKey(IpAddress guest, int guestPort, IpAddress remote, int remotePort) {
    private static final long MULTIPLIER = 0x9E37_79B9_7F4A_7C15L;

    @Override
    public int hashCode() {
        long hash = guest.low() * MULTIPLIER + guest.high();
        hash = (hash ^ hash >>> 29) * MULTIPLIER + remote.low();
        hash = (hash ^ hash >>> 31) * MULTIPLIER + remote.high() + ((long) guestPort << 16 | remotePort);
        hash *= MULTIPLIER;
        return (int) (hash >>> 32);
    }
}
