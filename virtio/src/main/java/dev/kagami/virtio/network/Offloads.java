package dev.kagami.virtio.network;

import dev.kagami.net.ReceiveOffload;
import dev.kagami.virtio.DeviceContext;
import java.util.EnumSet;
import java.util.Set;

/** What a guest's driver takes, in the words of the network. */
final class Offloads {
    private static final int[] GUEST_FEATURES = {
        NetworkDevice.FEATURE_GUEST_CHECKSUM,
        NetworkDevice.FEATURE_GUEST_TSO4,
        NetworkDevice.FEATURE_GUEST_TSO6,
        NetworkDevice.FEATURE_GUEST_USO4,
        NetworkDevice.FEATURE_GUEST_USO6
    };

    private Offloads() {}

    /** {@return the features that the driver has negotiated, a bit each} */
    static long negotiated(DeviceContext context) {
        long set = 0;
        for (int feature : GUEST_FEATURES) {
            if (context.has(feature)) {
                set |= 1L << feature;
            }
        }
        return set;
    }

    /** {@return what a set of guest features means; datagrams are only taken when they are for both versions of IP} */
    static Set<ReceiveOffload> of(long features) {
        Set<ReceiveOffload> offloads = EnumSet.noneOf(ReceiveOffload.class);
        add(offloads, features, ReceiveOffload.CHECKSUM, NetworkDevice.FEATURE_GUEST_CHECKSUM);
        add(offloads, features, ReceiveOffload.TCPV4, NetworkDevice.FEATURE_GUEST_TSO4);
        add(offloads, features, ReceiveOffload.TCPV6, NetworkDevice.FEATURE_GUEST_TSO6);
        add(offloads, features, ReceiveOffload.UDP, NetworkDevice.FEATURE_GUEST_USO4, NetworkDevice.FEATURE_GUEST_USO6);
        return offloads;
    }

    private static void add(Set<ReceiveOffload> offloads, long features, ReceiveOffload offload, int... bits) {
        for (int bit : bits) {
            if ((features >>> bit & 1) == 0) {
                return;
            }
        }
        offloads.add(offload);
    }
}
