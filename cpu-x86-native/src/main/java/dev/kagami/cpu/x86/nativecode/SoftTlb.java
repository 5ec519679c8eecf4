package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.interpreter.TranslatingVcpu;
import dev.kagami.cpu.x86.interpreter.UsedSlots;
import dev.kagami.cpu.x86.interpreter.Writers;
import java.lang.foreign.MemorySegment;
import java.nio.LongBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The TLBs that translated code looks addresses up in: tables of three columns, numbered as those of {@link TranslatingVcpu#table}. */
final class SoftTlb {
    /**
     * Entries of a table: three columns of this many quadwords, one behind the other. As many as keep the pages of a large process
     * from having the same, since a miss costs as much as a hundred hits.
     */
    static final int ENTRIES = 32768;

    /** Offset of the column for writes; that for reads is at 0. Entries are tags, see {@link #BIAS}. */
    static final int WRITES = 8 * ENTRIES;

    /** Offset of the column of what must be added to a guest address to have the host's. */
    static final int HOST = 2 * 8 * ENTRIES;

    private static final int TABLE_LONGS = 3 * ENTRIES;

    private static final long TABLE_BYTES = 8L * TABLE_LONGS;

    private static final int PAGE_SHIFT = 12;

    /** An entry's tag is this, minus the guest page's address: the sum with an address in the page has 1 as its page number. */
    static final long BIAS = 1L << PAGE_SHIFT;

    private final MemorySegment memory;

    private final LongBuffer longs;

    /** By table; made when it is used. */
    private final @Nullable UsedSlots[] used = new UsedSlots[TranslatingVcpu.TABLES];

    private final byte[][] flags = new byte[TranslatingVcpu.TABLES][];

    /** Creates empty tables. */
    SoftTlb() {
        // Zero already, which is what most empty entries hold, and memory of the host only where it is used.
        memory = HostMemory.mapData(TranslatingVcpu.TABLES * TABLE_BYTES);
        longs = HostMemory.buffer(memory).asLongBuffer();
        emptyAlways();
    }

    /** Forgets all, and gives the memory back to the host. */
    void giveBack() {
        clear(false);
        Arrays.fill(used, null);
        Arrays.fill(flags, null);
        HostMemory.empty(memory);
        emptyAlways();
    }

    void close() {
        HostMemory.unmap(memory);
    }

    /**
     * {@return what an empty entry holds: the tag of a page whose addresses never lead to this slot} For 0, that is page 1, and page
     * 0 at its end, behind which an access may go on.
     */
    private static long none(int slot) {
        return slot == 0 || slot == 1 ? -((long) ENTRIES / 2 << PAGE_SHIFT) : 0;
    }

    private void emptyAlways() {
        for (int table = 0; table < TranslatingVcpu.TABLES; table++) {
            empty(table, 0);
            empty(table, 1);
        }
    }

    static int slot(long address) {
        return (int) (address >>> PAGE_SHIFT) & ENTRIES - 1;
    }

    private static int index(int table, int slot) {
        return table * TABLE_LONGS + slot;
    }

    /** {@return the address of a table} */
    long address(int table) {
        return memory.address() + table * TABLE_BYTES;
    }

    /** Enters a page into a table. */
    void enter(int table, long address, long hostPage, TranslatingVcpu.DataPage page) {
        int slot = slot(address);
        int at = index(table, slot);
        long minusPage = -(address & -1L << PAGE_SHIFT);
        long tag = minusPage + BIAS;
        use(table, slot, page.flags);
        longs.put(at, page.readable ? tag : none(slot));
        longs.put(at + ENTRIES, page.writable ? tag : none(slot));
        longs.put(at + 2 * ENTRIES, hostPage + minusPage);
    }

    private void use(int table, int slot, int pageFlags) {
        UsedSlots slots = used[table];
        if (slots == null) {
            slots = new UsedSlots(ENTRIES);
            used[table] = slots;
            flags[table] = new byte[ENTRIES];
        }
        slots.add(slot, TranslatingVcpu.global(pageFlags));
        flags[table][slot] = (byte) pageFlags;
    }

    /** {@return the number of the entry at an address: for the methods below} */
    int entryAt(long address) {
        return (int) (address - memory.address() >>> 3);
    }

    /** {@return the number of the table that an entry is in} */
    static int tableOf(int entry) {
        return entry / TABLE_LONGS;
    }

    private static int slotOf(int entry) {
        // A column is as long as there are slots.
        return entry & ENTRIES - 1;
    }

    /** Takes note of a page that {@link PageWalk} has entered, of which another page may have taken the place since. */
    void noteEntered(int entry, int pageFlags) {
        use(tableOf(entry), slotOf(entry), pageFlags);
    }

    /** {@return the linear address of the page in an entry, which is not empty} */
    long pageOf(int entry) {
        return BIAS - longs.get(entry);
    }

    /** {@return the address of the host page that an entry lets be written, or -1} */
    long writablePageOf(int entry) {
        long tag = longs.get(entry + ENTRIES);
        return tag == longs.get(entry) ? longs.get(entry + 2 * ENTRIES) - tag + BIAS : -1;
    }

    private void empty(int table, int slot) {
        int at = index(table, slot);
        longs.put(at, none(slot));
        longs.put(at + ENTRIES, none(slot));
    }

    /** Drops everything, or all but global pages. */
    void clear(boolean keepGlobal) {
        for (int table = 0; table < used.length; table++) {
            clear(table, keepGlobal);
        }
    }

    /** Drops everything of a table, or all but global pages. */
    void clear(int table, boolean keepGlobal) {
        UsedSlots slots = used[table];
        if (slots == null) {
            return;
        }
        for (int i = 0; i < (keepGlobal ? slots.localCount() : slots.count()); i++) {
            int slot = slots.get(i);
            if (!keepGlobal || !TranslatingVcpu.global(flags[table][slot])) {
                empty(table, slot);
            }
        }
        slots.clear(!keepGlobal);
    }

    /**
     * Drops one page from all tables.
     *
     * @param address linear address
     * @param shift log2 of the size of the largest page that it may be in, all of which is dropped
     */
    void drop(long address, int shift) {
        long pages = 1L << shift - PAGE_SHIFT;
        for (int table = 0; table < used.length; table++) {
            UsedSlots slots = used[table];
            if (slots == null) {
                continue;
            }
            if (pages == 1) {
                empty(table, slot(address));
            } else if (pages < slots.count()) {
                int first = slot(address & -1L << shift);
                for (int slot = first; slot < first + pages; slot++) {
                    dropPiece(table, slot, address);
                }
            } else {
                for (int i = 0; i < slots.count(); i++) {
                    dropPiece(table, slots.get(i), address);
                }
            }
        }
    }

    private void dropPiece(int table, int slot, long address) {
        long page = page(table, slot);
        if (page >>> PAGE_SHIFT == address >>> PAGE_SHIFT
                || TranslatingVcpu.sameLargePage(page, flags[table][slot], address)) {
            empty(table, slot);
        }
    }

    /** {@return the linear address of the page in a slot; of none if it is empty} */
    private long page(int table, int slot) {
        int at = index(table, slot);
        long read = longs.get(at);
        return BIAS - (read != none(slot) ? read : longs.get(at + ENTRIES));
    }

    /**
     * Makes writes to a host page miss.
     *
     * @param hostPage its address
     * @param writers which tables may have it, see {@link TranslatingVcpu#mayHaveWritable}
     * @param address see {@link TranslatingVcpu#writesTrapped}
     */
    void trapWrites(long hostPage, int writers, long address) {
        for (int table = 0; table < used.length; table++) {
            UsedSlots slots = used[table];
            if (slots == null || !TranslatingVcpu.mayHaveWritable(table, writers)) {
                continue;
            }
            if (address != Writers.ANYBODY) {
                trapWrites(table, slot(address), hostPage);
                continue;
            }
            for (int i = 0; i < slots.count(); i++) {
                trapWrites(table, slots.get(i), hostPage);
            }
        }
    }

    private void trapWrites(int table, int slot, long hostPage) {
        if (mayWrite(table, slot, hostPage)) {
            longs.put(index(table, slot) + ENTRIES, none(slot));
        }
    }

    private boolean mayWrite(int table, int slot, long hostPage) {
        int at = index(table, slot);
        return longs.get(at + 2 * ENTRIES) - longs.get(at + ENTRIES) + BIAS == hostPage;
    }

    /**
     * {@return whether a host page can be written by a table's entry for an address}
     *
     * @param hostPage its address
     * @param address see {@link TranslatingVcpu#mayWrite}
     */
    boolean mayWrite(long hostPage, long address) {
        for (int table = 0; table < used.length; table++) {
            if (used[table] != null && mayWrite(table, slot(address), hostPage)) {
                return true;
            }
        }
        return false;
    }
}
