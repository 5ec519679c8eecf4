package dev.kagami.net;

/** What an end of a link can take beside plain packets (virtio 1.2, 5.1.3: the features VIRTIO_NET_F_GUEST_*). */
public enum ReceiveOffload {
    /** Packets whose checksum is partial: only the pseudo header is summed (VIRTIO_NET_F_GUEST_CSUM). */
    CHECKSUM,
    /** {@link Gso#TCPV4} (VIRTIO_NET_F_GUEST_TSO4). */
    TCPV4,
    /** {@link Gso#TCPV6} (VIRTIO_NET_F_GUEST_TSO6). */
    TCPV6,
    /** {@link Gso#UDP} (VIRTIO_NET_F_GUEST_USO4 and VIRTIO_NET_F_GUEST_USO6). */
    UDP
}
