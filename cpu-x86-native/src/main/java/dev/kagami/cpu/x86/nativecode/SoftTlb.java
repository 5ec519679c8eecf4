package dev.kagami.cpu.x86.nativecode;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The TLB that translated code looks addresses up in: one table of three columns a view. */
final class SoftTlb {
    /** Entries of the TLB: three columns of this many quadwords, one behind the other. */
    static final int ENTRIES = 4096;

    /** Offset of the column for writes; that for reads is at 0. Entries are minus the guest page's address. */
    static final int WRITES = 8 * ENTRIES;

    /** Offset of the column of host page addresses. */
    static final int HOST = 2 * 8 * ENTRIES;

    /** Bytes of one view's table. */
    static final long VIEW_BYTES = 3L * 8 * ENTRIES;

    private static final int PAGE_SHIFT = 12;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final MemorySegment memory;
    private final int[][] used;
    private final int[] usedCount;

    SoftTlb(MemorySegment memory, int views) {
        this.memory = memory;
        used = new int[views][ENTRIES];
        usedCount = new int[views];
        for (int view = 0; view < views; view++) {
            for (int slot = 0; slot < ENTRIES; slot++) {
                long at = view * VIEW_BYTES + 8L * slot;
                memory.set(LONG, at, none(slot));
                memory.set(LONG, at + WRITES, none(slot));
            }
        }
    }

    /** {@return what an empty entry holds: minus a page whose addresses never lead to this slot} */
    private static long none(int slot) {
        return -((long) (slot ^ ENTRIES / 2) << PAGE_SHIFT);
    }

    static int slot(long address) {
        return (int) (address >>> PAGE_SHIFT) & ENTRIES - 1;
    }

    /** {@return the address of a view's table} */
    long address(int view) {
        return memory.address() + view * VIEW_BYTES;
    }

    /** Enters a page into a view. */
    void enter(int view, long address, long hostPage, boolean readable, boolean writable) {
        int slot = slot(address);
        long at = view * VIEW_BYTES + 8L * slot;
        long minusPage = -(address & -1L << PAGE_SHIFT);
        if (memory.get(LONG, at) == none(slot) && memory.get(LONG, at + WRITES) == none(slot)) {
            if (usedCount[view] == ENTRIES) {
                clear(view);
            }
            used[view][usedCount[view]++] = slot;
        }
        memory.set(LONG, at, readable ? minusPage : none(slot));
        memory.set(LONG, at + WRITES, writable ? minusPage : none(slot));
        memory.set(LONG, at + HOST, hostPage);
    }

    private void clear(int view) {
        long start = view * VIEW_BYTES;
        for (int i = 0; i < usedCount[view]; i++) {
            int slot = used[view][i];
            memory.set(LONG, start + 8L * slot, none(slot));
            memory.set(LONG, start + 8L * slot + WRITES, none(slot));
        }
        usedCount[view] = 0;
    }

    void clear() {
        for (int view = 0; view < used.length; view++) {
            clear(view);
        }
    }

    /** Drops one page from all views. */
    void drop(long address) {
        int slot = slot(address);
        for (int view = 0; view < used.length; view++) {
            long at = view * VIEW_BYTES + 8L * slot;
            memory.set(LONG, at, none(slot));
            memory.set(LONG, at + WRITES, none(slot));
        }
    }

    /** Makes writes to a host page miss. */
    void trapWrites(long hostPage) {
        for (int view = 0; view < used.length; view++) {
            for (int i = 0; i < usedCount[view]; i++) {
                long at = view * VIEW_BYTES + 8L * used[view][i];
                if (memory.get(LONG, at + HOST) == hostPage) {
                    memory.set(LONG, at + WRITES, none(used[view][i]));
                }
            }
        }
    }
}
