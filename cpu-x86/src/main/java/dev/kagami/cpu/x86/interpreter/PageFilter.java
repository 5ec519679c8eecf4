package dev.kagami.cpu.x86.interpreter;

import java.util.Arrays;

/**
 * Says quickly that nothing of a piece of the address space is in a table: of the pieces entered, only the hash is kept, so that
 * it may also say that there is something when there is not. Belongs to one thread.
 */
public final class PageFilter {
    private static final int HASH_BITS = 16;

    private final int shift;
    private final long[] bits = new long[(1 << HASH_BITS) / Long.SIZE];

    /**
     * Creates an empty filter.
     *
     * @param shift log2 of the size of a piece
     */
    public PageFilter(int shift) {
        this.shift = shift;
    }

    private int hash(long address) {
        return (int) ((address >>> shift) * 0x9E37_79B9_7F4A_7C15L >>> Long.SIZE - HASH_BITS);
    }

    /** Notes that there is something in the piece of an address. */
    public void add(long address) {
        int hash = hash(address);
        bits[hash / Long.SIZE] |= 1L << hash;
    }

    /** {@return whether there may be something in the piece of an address} */
    public boolean mayHave(long address) {
        int hash = hash(address);
        return (bits[hash / Long.SIZE] & 1L << hash) != 0;
    }

    /** Forgets all. */
    public void clear() {
        Arrays.fill(bits, 0);
    }
}
