package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.interpreter.TranslatingVcpu;
import dev.kagami.cpu.x86.interpreter.UsedSlots;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The TLB that translated code looks addresses up in: one table of three columns a view. */
final class SoftTlb {
    /** Entries of the TLB: three columns of this many quadwords, one behind the other. */
    static final int ENTRIES = 4096;

    /** Offset of the column for writes; that for reads is at 0. Entries are minus the guest page's address. */
    static final int WRITES = 8 * ENTRIES;

    /** Offset of the column of what must be added to a guest address to have the host's. */
    static final int HOST = 2 * 8 * ENTRIES;

    /** Bytes of one view's table. */
    static final long VIEW_BYTES = 3L * 8 * ENTRIES;

    private static final int PAGE_SHIFT = 12;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final MemorySegment memory;
    private final UsedSlots[] used;
    private final byte[][] flags;

    /** Where there are parts of large pages. */
    private final PageFilter largePages = new PageFilter(JumpCache.HUGE_SHIFT);

    SoftTlb(int views) {
        // Zero already, which is what most empty entries hold, and memory of the host only where it is used.
        memory = HostMemory.mapData(views * VIEW_BYTES);
        used = new UsedSlots[views];
        flags = new byte[views][ENTRIES];
        for (int view = 0; view < views; view++) {
            used[view] = new UsedSlots(ENTRIES);
            emptyAlways(view);
        }
    }

    /** Forgets all, and gives the memory back to the host. */
    void giveBack() {
        clear(false);
        HostMemory.empty(memory);
        for (int view = 0; view < used.length; view++) {
            emptyAlways(view);
        }
    }

    void close() {
        HostMemory.unmap(memory);
    }

    /**
     * {@return what an empty entry holds: minus a page whose addresses never lead to this slot} Page 0 is such a page for all but
     * its own slot, and the last one: of an access that wraps around, the end is looked at.
     */
    private static long none(int slot) {
        return slot == 0 || slot == ENTRIES - 1 ? -((long) ENTRIES / 2 << PAGE_SHIFT) : 0;
    }

    private void emptyAlways(int view) {
        empty(view, 0);
        empty(view, ENTRIES - 1);
    }

    static int slot(long address) {
        return (int) (address >>> PAGE_SHIFT) & ENTRIES - 1;
    }

    /** {@return the address of a view's table} */
    long address(int view) {
        return memory.address() + view * VIEW_BYTES;
    }

    /** Enters a page into a view. */
    void enter(int view, long address, long hostPage, TranslatingVcpu.DataPage page) {
        int slot = slot(address);
        long at = view * VIEW_BYTES + 8L * slot;
        long minusPage = -(address & -1L << PAGE_SHIFT);
        used[view].add(slot, TranslatingVcpu.global(page.flags));
        flags[view][slot] = (byte) page.flags;
        if (TranslatingVcpu.sameLargePage(address, page.flags, address)) {
            largePages.add(address);
        }
        memory.set(LONG, at, page.readable ? minusPage : none(slot));
        memory.set(LONG, at + WRITES, page.writable ? minusPage : none(slot));
        memory.set(LONG, at + HOST, hostPage + minusPage);
    }

    private void empty(int view, int slot) {
        long at = view * VIEW_BYTES + 8L * slot;
        memory.set(LONG, at, none(slot));
        memory.set(LONG, at + WRITES, none(slot));
    }

    /** Drops everything, or all but global pages. */
    void clear(boolean keepGlobal) {
        if (!keepGlobal) {
            largePages.clear();
        }
        for (int view = 0; view < used.length; view++) {
            UsedSlots slots = used[view];
            for (int i = 0; i < (keepGlobal ? slots.localCount() : slots.count()); i++) {
                int slot = slots.get(i);
                if (!keepGlobal || !TranslatingVcpu.global(flags[view][slot])) {
                    empty(view, slot);
                }
            }
            slots.clear(!keepGlobal);
        }
    }

    /**
     * Drops one page from all views.
     *
     * @param address linear address
     * @param large whether to drop all of the large page that it may be in
     */
    void drop(long address, boolean large) {
        boolean scan = large && largePages.mayHave(address);
        for (int view = 0; view < used.length; view++) {
            empty(view, slot(address));
            for (int i = 0; scan && i < used[view].count(); i++) {
                int slot = used[view].get(i);
                if (TranslatingVcpu.sameLargePage(page(view, slot), flags[view][slot], address)) {
                    empty(view, slot);
                }
            }
        }
    }

    /** {@return the linear address of the page in a slot; of none if it is empty} */
    private long page(int view, int slot) {
        long at = view * VIEW_BYTES + 8L * slot;
        long read = memory.get(LONG, at);
        return -(read != none(slot) ? read : memory.get(LONG, at + WRITES));
    }

    /** Makes writes to a host page miss. */
    void trapWrites(long hostPage) {
        for (int view = 0; view < used.length; view++) {
            for (int i = 0; i < used[view].count(); i++) {
                int slot = used[view].get(i);
                long at = view * VIEW_BYTES + 8L * slot;
                if (memory.get(LONG, at + HOST) - memory.get(LONG, at + WRITES) == hostPage) {
                    memory.set(LONG, at + WRITES, none(slot));
                }
            }
        }
    }
}
