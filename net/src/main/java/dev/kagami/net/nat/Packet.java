package dev.kagami.net.nat;

import java.nio.ByteBuffer;

/** What the handler of a transport protocol gets: one object, used again for every packet. */
final class Packet {
    ByteBuffer buffer = ByteBuffer.allocate(0);
    /** Where the transport header begins. */
    int offset;
    /** Octets from there on. */
    int length;

    IpAddress source = IpAddress.UNSPECIFIED6;
    IpAddress destination = IpAddress.UNSPECIFIED6;
    long sourceMac;
    int protocol;
    int hopLimit;
    /** Whether the transport's checksum needs no look: it never left memory. */
    boolean trusted;
    /** Octets in each part, if the packet is to be cut; 0 if not. */
    int gsoSize;
}
