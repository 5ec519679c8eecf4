package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.interpreter.UsedSlots;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Where translated code looks for the target of a branch: tables of pairs, minus a guest address and the host address of its
 * block. There is one table a view, so that none finds another's blocks.
 */
final class JumpCache {
    private static final int ENTRIES = 4096;
    private static final long VIEW_BYTES = 16L * ENTRIES;

    /** Bits of an address that select an entry; instructions are rarely two bytes apart. */
    static final long INDEX_MASK = (long) (ENTRIES - 1) << 1;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final MemorySegment memory;
    private final UsedSlots[] used;
    private final boolean[][] globals;

    JumpCache(Arena arena, int views) {
        memory = arena.allocate(views * VIEW_BYTES, 64);
        used = new UsedSlots[views];
        globals = new boolean[views][ENTRIES];
        for (int view = 0; view < views; view++) {
            used[view] = new UsedSlots(ENTRIES);
            for (int i = 0; i < ENTRIES; i++) {
                empty(view, i);
            }
        }
    }

    /** {@return the address of a view's table} */
    long address(int view) {
        return memory.address() + view * VIEW_BYTES;
    }

    /** Enters a block; {@code global} if it is in a global page. */
    void enter(int view, long guest, long host, boolean global) {
        int i = index(guest);
        used[view].add(i, global);
        globals[view][i] = global;
        long at = view * VIEW_BYTES + 16L * i;
        memory.set(LONG, at, -guest);
        memory.set(LONG, at + 8, host);
    }

    private static int index(long guest) {
        return (int) (guest >>> 1) & ENTRIES - 1;
    }

    /** Forgets the block at one address. */
    void forget(long guest) {
        for (int view = 0; view < used.length; view++) {
            if (memory.get(LONG, view * VIEW_BYTES + 16L * index(guest)) == -guest) {
                empty(view, index(guest));
            }
        }
    }

    /** Makes an entry hold an address that never leads to it. */
    private void empty(int view, int i) {
        memory.set(LONG, view * VIEW_BYTES + 16L * i, -((long) (i ^ ENTRIES / 2) << 1));
    }

    /** Forgets all, or all but what is in global pages. */
    void clear(boolean keepGlobal) {
        for (int view = 0; view < used.length; view++) {
            UsedSlots slots = used[view];
            for (int j = 0; j < (keepGlobal ? slots.localCount() : slots.count()); j++) {
                int i = slots.get(j);
                if (!keepGlobal || !globals[view][i]) {
                    empty(view, i);
                }
            }
            slots.clear(!keepGlobal);
        }
    }

    /** Forgets what is in the aligned piece of 2 to the {@code shift} bytes that an address is in. */
    void drop(long address, int shift) {
        for (int view = 0; view < used.length; view++) {
            for (int j = 0; j < used[view].count(); j++) {
                int i = used[view].get(j);
                long guest = -memory.get(LONG, view * VIEW_BYTES + 16L * i);
                if ((guest ^ address) >>> shift == 0) {
                    empty(view, i);
                }
            }
        }
    }
}
