package dev.kagami.net.nat;

import java.net.InetSocketAddress;

/** A port on the host whose connections or datagrams go to a guest. Thread-safe. */
public interface PortForward extends AutoCloseable {
    /** What is forwarded. */
    enum Protocol {
        /** Connections. */
        TCP,
        /** Datagrams. */
        UDP
    }

    /** {@return what is forwarded} */
    Protocol protocol();

    /** {@return where it listens on the host, with the actual port} */
    InetSocketAddress local();

    /** {@return where it leads} */
    InetSocketAddress guest();

    /** Stops listening. Connections that exist go on. */
    @Override
    void close();
}
