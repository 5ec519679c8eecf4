package dev.kagami.net;

import java.security.SecureRandom;
import java.util.Locale;

/**
 * An Ethernet address.
 *
 * @param value the 48 bits, the first octet on the wire in bits 47-40
 */
public record MacAddress(long value) {
    /** The address that every station takes. */
    public static final MacAddress BROADCAST = new MacAddress(0xFFFF_FFFF_FFFFL);

    private static final int OCTETS = 6;
    private static final long GROUP_BIT = 0x0100_0000_0000L;
    /** What virtual machines commonly use: locally administered, unicast. */
    private static final long VIRTUAL_MACHINE_PREFIX = 0x5254_0000_0000L;

    private static final SecureRandom RANDOM = new SecureRandom();

    /**
     * Holds an address.
     *
     * @throws IllegalArgumentException if the value has more than 48 bits
     */
    public MacAddress {
        if (value >>> 8 * OCTETS != 0) {
            throw new IllegalArgumentException("not an Ethernet address: 0x" + Long.toHexString(value));
        }
    }

    /** {@return a random address of the form 52:54:00:xx:xx:xx} */
    public static MacAddress random() {
        return new MacAddress(VIRTUAL_MACHINE_PREFIX | RANDOM.nextInt(1 << 24));
    }

    /**
     * {@return the address written as six pairs of hexadecimal digits with colons or dashes between them}
     *
     * @throws IllegalArgumentException if the text isn't one
     */
    public static MacAddress parse(String text) {
        String[] parts = text.split("[:-]", -1);
        if (parts.length != OCTETS) {
            throw new IllegalArgumentException("not an Ethernet address: " + text);
        }
        long value = 0;
        for (String part : parts) {
            if (!part.matches("[0-9a-fA-F]{2}")) {
                throw new IllegalArgumentException("not an Ethernet address: " + text);
            }
            value = value << 8 | Integer.parseInt(part, 16);
        }
        return new MacAddress(value);
    }

    /** {@return whether this names a group of stations: multicast or broadcast} */
    public boolean isGroup() {
        return isGroup(value);
    }

    static boolean isGroup(long address) {
        return (address & GROUP_BIT) != 0;
    }

    /** {@return the address as six pairs of hexadecimal digits with colons between them} */
    @Override
    public String toString() {
        var text = new StringBuilder();
        for (int shift = 8 * (OCTETS - 1); shift >= 0; shift -= 8) {
            text.append(String.format(Locale.ROOT, text.isEmpty() ? "%02x" : ":%02x", value >>> shift & 0xFF));
        }
        return text.toString();
    }
}
