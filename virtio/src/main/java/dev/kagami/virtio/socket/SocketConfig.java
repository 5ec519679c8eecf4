package dev.kagami.virtio.socket;

/**
 * What a {@link SocketDevice} is made of.
 *
 * @param guestCid the guest's address, 3 to 0xFFFFFFFE; the host has 2
 */
public record SocketConfig(long guestCid) {
    private static final long FIRST_CID = 3;
    private static final long LAST_CID = 0xFFFF_FFFEL;

    /** Checks the value. */
    public SocketConfig {
        if (guestCid < FIRST_CID || guestCid > LAST_CID) {
            throw new IllegalArgumentException("a guest's context id is from 3 to 4294967294, not " + guestCid);
        }
    }
}
