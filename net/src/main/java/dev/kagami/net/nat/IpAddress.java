package dev.kagami.net.nat;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;

/**
 * An IP address of either version; one of IPv4 is kept as IPv4-mapped IPv6 (RFC 4291 2.5.5.2), which is never seen on the wire.
 *
 * @param high the first eight octets
 * @param low the last eight octets
 */
record IpAddress(long high, long low) {
    static final IpAddress UNSPECIFIED6 = new IpAddress(0, 0);
    static final IpAddress ALL_NODES = new IpAddress(0xFF02L << 48, 1);
    static final IpAddress LOOPBACK4 = version4(0x7F000001);
    static final IpAddress LOOPBACK6 = new IpAddress(0, 1);

    private static final long MAPPED = 0xFFFF_0000_0000L;
    private static final long SOLICITED_NODE_HIGH = 0xFF02L << 48;
    private static final long SOLICITED_NODE_LOW = 0x1_FF00_0000L;

    static IpAddress version4(int number) {
        return new IpAddress(0, MAPPED | number & 0xFFFF_FFFFL);
    }

    static IpAddress of(InetAddress address) {
        ByteBuffer octets = ByteBuffer.wrap(address.getAddress());
        return octets.capacity() == 4
                ? version4(octets.getInt(0))
                : new IpAddress(octets.getLong(0), octets.getLong(8));
    }

    static IpAddress read4(ByteBuffer buffer, int offset) {
        return version4(buffer.getInt(offset));
    }

    static IpAddress read6(ByteBuffer buffer, int offset) {
        return new IpAddress(buffer.getLong(offset), buffer.getLong(offset + 8));
    }

    boolean isVersion4() {
        return high == 0 && low >>> 32 == 0xFFFF;
    }

    int number4() {
        return (int) low;
    }

    void write(ByteBuffer buffer, int offset) {
        if (isVersion4()) {
            buffer.putInt(offset, (int) low);
        } else {
            buffer.putLong(offset, high);
            buffer.putLong(offset + 8, low);
        }
    }

    boolean isLinkLocal6() {
        return high >>> 54 == 0xFE80 >> 6;
    }

    boolean isMulticast() {
        return isVersion4() ? (low >>> 28 & 0xF) == 0xE : high >>> 56 == 0xFF;
    }

    /** {@return the group in which the owner of this address is asked for (RFC 4291 2.7.1)} */
    IpAddress solicitedNode() {
        return new IpAddress(SOLICITED_NODE_HIGH, SOLICITED_NODE_LOW | low & 0xFF_FFFF);
    }

    /** {@return whether a router may send a packet with this destination on: it is one station, and on another network} */
    boolean isRoutable() {
        if (isVersion4()) {
            int number = number4();
            int first = number >>> 24;
            return first != 0 && first != 127 && first < 224 && number >>> 16 != 0xA9FE;
        }
        // ::/8 holds unspecified, loopback, IPv4-compatible and -mapped; 64:ff9b::/32 translates to IPv4 addresses.
        return high >>> 56 != 0
                && high >>> 32 != 0x64FF9B
                && high >>> 56 != 0xFF
                && !isLinkLocal6()
                && high >>> 54 != 0xFEC0 >> 6;
    }

    InetAddress toInetAddress() {
        ByteBuffer octets = ByteBuffer.allocate(isVersion4() ? 4 : 16);
        write(octets, 0);
        try {
            return isVersion4()
                    ? InetAddress.getByAddress(octets.array())
                    : Inet6Address.getByAddress(null, octets.array(), -1);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }
}
