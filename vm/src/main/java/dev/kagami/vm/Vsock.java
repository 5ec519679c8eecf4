package dev.kagami.vm;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Sockets between host and guest, without a network: the guest's programs use the address family {@code AF_VSOCK}, where
 * the host has the context id 2.
 *
 * @param guestCid the guest's context id, 3 to 0xFFFFFFFE; machines may have the same
 * @param bridge a Unix socket through which other programs of the same user use the guest's sockets, in the way that users
 *     of Firecracker know: who connects and sends {@code CONNECT PORT\n} is answered {@code OK HOSTPORT\n} and is connected
 *     to that port of the guest; a guest that connects to port N of the host reaches the Unix socket {@code PATH_N}. Null
 *     for none
 */
public record Vsock(long guestCid, @Nullable Path bridge) {
    /** The smallest context id of a guest, and the one it has unless another is given. */
    public static final long FIRST_CID = 3;

    /** The largest context id of a guest. */
    public static final long LAST_CID = 0xFFFF_FFFEL;

    /** Collects the parts. */
    public static final class Builder {
        private long guestCid = FIRST_CID;
        private @Nullable Path bridge;

        Builder() {}

        /**
         * Sets the guest's context id; 3 by default.
         *
         * @param cid 3 to 0xFFFFFFFE
         * @return this
         */
        public Builder guestCid(long cid) {
            guestCid = cid;
            return this;
        }

        /**
         * Opens the guest's sockets to the user's other programs; by default only this one reaches them, through
         * {@link VirtualMachine#vsock}.
         *
         * @param path where the Unix socket will be while the machine runs; must not exist
         * @return this
         */
        public Builder bridge(Path path) {
            bridge = path;
            return this;
        }

        Vsock build() {
            return new Vsock(guestCid, bridge);
        }
    }
}
