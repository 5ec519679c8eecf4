package dev.kagami.cpu.x86.nativecode;

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
    private final MemorySegment none;
    private final int views;
    private boolean empty;

    JumpCache(Arena arena, int views) {
        this.views = views;
        memory = arena.allocate(views * VIEW_BYTES, 64);
        none = arena.allocate(VIEW_BYTES, 64);
        for (int i = 0; i < ENTRIES; i++) {
            // An address that never leads to this entry.
            none.set(LONG, 16L * i, -((long) (i ^ ENTRIES / 2) << 1));
        }
        clear();
    }

    /** {@return the address of a view's table} */
    long address(int view) {
        return memory.address() + view * VIEW_BYTES;
    }

    /** Enters a block. */
    void enter(int view, long guest, long host) {
        long at = view * VIEW_BYTES + 16L * ((int) (guest >>> 1) & ENTRIES - 1);
        memory.set(LONG, at, -guest);
        memory.set(LONG, at + 8, host);
        empty = false;
    }

    void clear() {
        if (!empty) {
            for (int i = 0; i < views; i++) {
                MemorySegment.copy(none, 0, memory, i * VIEW_BYTES, VIEW_BYTES);
            }
            empty = true;
        }
    }
}
