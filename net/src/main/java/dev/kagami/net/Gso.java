package dev.kagami.net;

/** What a frame that is larger than the network allows shall be cut into (virtio 1.2, 5.1.6). */
public enum Gso {
    /** Nothing: the frame is one packet. */
    NONE(0),
    /** TCP segments over IPv4. */
    TCPV4(1),
    /** TCP segments over IPv6. */
    TCPV6(4),
    /** UDP datagrams, over either IP. */
    UDP(5);

    private final int code;

    Gso(int code) {
        this.code = code;
    }

    /** {@return the value of {@code gso_type} in a virtio-net header} */
    public int code() {
        return code;
    }
}
