package dev.kagami.boot;

import java.util.Optional;

/**
 * The header of a multiboot kernel (Multiboot specification 0.6.96, 3.1).
 *
 * @param offset where it is in the file
 * @param flags its flags
 * @param headerAddress header_addr, if {@link #hasAddresses}
 * @param loadAddress load_addr
 * @param loadEndAddress load_end_addr; 0 for all of the file
 * @param bssEndAddress bss_end_addr; 0 for no bss
 * @param entryAddress entry_addr
 */
record MultibootHeader(
        int offset,
        int flags,
        long headerAddress,
        long loadAddress,
        long loadEndAddress,
        long bssEndAddress,
        long entryAddress) {
    private static final int MAGIC = 0x1BADB002;
    /** The header is wholly within this many bytes. */
    private static final int SEARCH = 8192;

    private static final int BASIC_SIZE = 12;
    private static final int ADDRESSES_SIZE = 32;
    private static final int FLAG_ADDRESSES = 1 << 16;
    /** Flags 0 to 15 are demands; those above 2 mean nothing that a loader could fulfil. */
    private static final int UNKNOWN_DEMANDS = 0xFFF8;

    /**
     * Looks for a header.
     *
     * @param head the file's first 8192 bytes or more, or all of it
     * @return the header, if there is one with a valid checksum
     */
    static Optional<MultibootHeader> find(byte[] head) {
        int end = Math.min(head.length, SEARCH);
        for (int at = 0; at + BASIC_SIZE <= end; at += Integer.BYTES) {
            if (LittleEndian.getInt(head, at) != MAGIC) {
                continue;
            }
            int flags = LittleEndian.getInt(head, at + 4);
            if (MAGIC + flags + LittleEndian.getInt(head, at + 8) != 0) {
                continue;
            }
            if ((flags & FLAG_ADDRESSES) == 0) {
                return Optional.of(new MultibootHeader(at, flags, 0, 0, 0, 0, 0));
            }
            if (at + ADDRESSES_SIZE <= head.length) {
                return Optional.of(new MultibootHeader(
                        at,
                        flags,
                        LittleEndian.getUnsignedInt(head, at + 12),
                        LittleEndian.getUnsignedInt(head, at + 16),
                        LittleEndian.getUnsignedInt(head, at + 20),
                        LittleEndian.getUnsignedInt(head, at + 24),
                        LittleEndian.getUnsignedInt(head, at + 28)));
            }
        }
        return Optional.empty();
    }

    /** {@return whether the header tells where to load the file, which then needs no other format} */
    boolean hasAddresses() {
        return (flags & FLAG_ADDRESSES) != 0;
    }

    /** {@return the flags that a loader must know and this one doesn't} */
    int unknownDemands() {
        return flags & UNKNOWN_DEMANDS;
    }
}
