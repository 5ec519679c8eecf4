package dev.kagami.net.packet;

/** Where fields are in the headers of Ethernet, IP (RFC 791, RFC 8200), TCP (RFC 9293) and UDP (RFC 768). Offsets are in octets. */
public final class Wire {
    /** Octets in an Ethernet header. */
    public static final int ETHERNET_HEADER = 14;
    /** EtherType in an Ethernet header. */
    public static final int ETHERTYPE = 12;

    /** EtherType of IPv4. */
    public static final int ETHERTYPE_IPV4 = 0x0800;
    /** EtherType of ARP. */
    public static final int ETHERTYPE_ARP = 0x0806;
    /** EtherType of IPv6. */
    public static final int ETHERTYPE_IPV6 = 0x86DD;

    /** Octets in an IPv4 header without options. */
    public static final int IPV4_HEADER = 20;
    /** Total length in an IPv4 header. */
    public static final int IPV4_LENGTH = 2;
    /** Identification in an IPv4 header. */
    public static final int IPV4_IDENTIFICATION = 4;
    /** Flags and fragment offset in an IPv4 header. */
    public static final int IPV4_FRAGMENT = 6;
    /** More fragments follow. */
    public static final int IPV4_MORE_FRAGMENTS = 0x2000;
    /** Don't fragment. */
    public static final int IPV4_DONT_FRAGMENT = 0x4000;
    /** Time to live in an IPv4 header. */
    public static final int IPV4_TTL = 8;
    /** Protocol in an IPv4 header. */
    public static final int IPV4_PROTOCOL = 9;
    /** Checksum in an IPv4 header. */
    public static final int IPV4_CHECKSUM = 10;
    /** Source address in an IPv4 header. */
    public static final int IPV4_SOURCE = 12;
    /** Destination address in an IPv4 header. */
    public static final int IPV4_DESTINATION = 16;

    /** Octets in an IPv6 header. */
    public static final int IPV6_HEADER = 40;
    /** Payload length in an IPv6 header. */
    public static final int IPV6_LENGTH = 4;
    /** Next header in an IPv6 header. */
    public static final int IPV6_NEXT = 6;
    /** Hop limit in an IPv6 header. */
    public static final int IPV6_HOP_LIMIT = 7;
    /** Source address in an IPv6 header. */
    public static final int IPV6_SOURCE = 8;
    /** Destination address in an IPv6 header. */
    public static final int IPV6_DESTINATION = 24;

    /** Protocol number of ICMP. */
    public static final int ICMP = 1;
    /** Protocol number of TCP. */
    public static final int TCP = 6;
    /** Protocol number of UDP. */
    public static final int UDP = 17;
    /** Protocol number of ICMPv6. */
    public static final int ICMPV6 = 58;

    /** Octets in a UDP header. */
    public static final int UDP_HEADER = 8;
    /** Length in a UDP header. */
    public static final int UDP_LENGTH = 4;
    /** Checksum in a UDP header. */
    public static final int UDP_CHECKSUM = 6;

    /** Octets in a TCP header without options. */
    public static final int TCP_HEADER = 20;
    /** Sequence number in a TCP header. */
    public static final int TCP_SEQUENCE = 4;
    /** Acknowledgment number in a TCP header. */
    public static final int TCP_ACKNOWLEDGMENT = 8;
    /** Data offset in a TCP header, in the high four bits, in words of 32 bits. */
    public static final int TCP_DATA_OFFSET = 12;
    /** Flags in a TCP header. */
    public static final int TCP_FLAGS = 13;
    /** Window in a TCP header. */
    public static final int TCP_WINDOW = 14;
    /** Checksum in a TCP header. */
    public static final int TCP_CHECKSUM = 16;

    /** TCP: no more data from the sender. */
    public static final int FIN = 0x01;
    /** TCP: synchronize sequence numbers. */
    public static final int SYN = 0x02;
    /** TCP: reset the connection. */
    public static final int RST = 0x04;
    /** TCP: push. */
    public static final int PSH = 0x08;
    /** TCP: the acknowledgment field is significant. */
    public static final int ACK = 0x10;
    /** TCP: congestion window reduced (RFC 3168). */
    public static final int CWR = 0x80;

    private Wire() {}
}
