package dev.kagami.cpu.x86.interpreter;

import org.jspecify.annotations.Nullable;

/**
 * Remembers for pages of RAM at which linear pages a TLB has let them be written, so that those need not be looked for in all of
 * it. Most pages have two at most: a kernel's own mapping, and that of a process. Belongs to one thread at a time.
 */
public final class Writers {
    /** Places of a page. */
    static final int COUNT = 2;

    /** Stands in a place for no page. */
    static final long NOBODY = -1;

    /** Stands in the first place for more pages than there are places. */
    public static final long ANYBODY = -2;

    private static final int PAGE_SHIFT = 12;

    /** Bits of a linear page's number that are remembered: as many as choose an entry in the largest TLB. */
    private static final int BITS = 15;

    private static final int MASK = (1 << BITS) - 1;
    private static final int NONE = 0xFFFF;
    private static final int MANY = 0xFFFE;

    private static final int CHUNK_SHIFT = 9;

    /** Two places of 16 bits for each page, in pieces that are made when they are used: 2 KiB for 2 MiB of RAM. */
    private final int[] @Nullable [] chunks;

    /**
     * Creates an object that knows of nobody.
     *
     * @param pages of RAM
     */
    Writers(int pages) {
        chunks = new int[(pages >> CHUNK_SHIFT) + 1][];
    }

    private static int linear(long address) {
        return (int) (address >>> PAGE_SHIFT) & MASK;
    }

    private int places(int page) {
        int[] chunk = chunks[page >> CHUNK_SHIFT];
        return chunk == null ? NONE << 16 | NONE : chunk[page & (1 << CHUNK_SHIFT) - 1];
    }

    private void set(int page, int first, int second) {
        int[] chunk = chunks[page >> CHUNK_SHIFT];
        if (chunk == null) {
            chunk = new int[1 << CHUNK_SHIFT];
            chunks[page >> CHUNK_SHIFT] = chunk;
        }
        chunk[page & (1 << CHUNK_SHIFT) - 1] = second << 16 | first;
    }

    /** {@return what is in a place: the bits of a linear address that choose an entry, {@link #NOBODY} or {@link #ANYBODY}} */
    long get(int page, int place) {
        int linear = places(page) >>> 16 * place & 0xFFFF;
        return linear == NONE ? NOBODY : linear == MANY ? ANYBODY : (long) linear << PAGE_SHIFT;
    }

    /** {@return whether an address is known, or that there are many} */
    boolean has(int page, long address) {
        int places = places(page);
        int linear = linear(address);
        return (places & 0xFFFF) == linear || places >>> 16 == linear || (places & 0xFFFF) == MANY;
    }

    /** Forgets all that is known of a page but an address. */
    void set(int page, long address) {
        set(page, linear(address), NONE);
    }

    /** Forgets what is in a place. */
    void remove(int page, int place) {
        int places = places(page);
        set(page, place == 0 ? NONE : places & 0xFFFF, place == 1 ? NONE : places >>> 16);
    }

    /** Remembers an address, in place of all when there is no room. */
    void add(int page, long address) {
        int places = places(page);
        int first = places & 0xFFFF;
        int second = places >>> 16;
        if (first == NONE) {
            set(page, linear(address), second);
        } else if (second == NONE) {
            set(page, first, linear(address));
        } else {
            set(page, MANY, NONE);
        }
    }
}
