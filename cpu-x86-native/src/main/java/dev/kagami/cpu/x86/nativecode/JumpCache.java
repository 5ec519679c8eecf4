package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.interpreter.UsedSlots;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Where translated code looks for the target of a branch: tables of pairs, minus a guest address and the host address of its
 * block. There is one table a view, so that none finds another's blocks.
 */
final class JumpCache {
    private static final int ENTRIES = 8192;
    private static final int ENTRY_BYTES = 16;
    private static final long VIEW_BYTES = (long) ENTRY_BYTES * ENTRIES;

    /** An address whose entry is not that of address 0. */
    private static final long OTHER = 2;

    /** How far an address is rotated to be added to itself: functions lie at all distances from each other. */
    static final int ROTATION = 13;

    /** Bits of that sum that select an entry; instructions are rarely two bytes apart. */
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
        long at = at(view, i);
        memory.set(LONG, at, -guest);
        memory.set(LONG, at + 8, host);
    }

    private static long at(int view, int index) {
        return view * VIEW_BYTES + (long) ENTRY_BYTES * index;
    }

    private static int index(long guest) {
        return (int) (guest + Long.rotateRight(guest, ROTATION) >>> 1) & ENTRIES - 1;
    }

    /** {@return the offset of the entry of an address in a view's table} */
    static int offset(long guest) {
        return index(guest) * ENTRY_BYTES;
    }

    /** Forgets the block at one address. */
    void forget(long guest) {
        for (int view = 0; view < used.length; view++) {
            if (memory.get(LONG, at(view, index(guest))) == -guest) {
                empty(view, index(guest));
            }
        }
    }

    /** Makes an entry hold an address that never leads to it. */
    private void empty(int view, int i) {
        memory.set(LONG, at(view, i), i == index(0) ? -OTHER : 0);
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

    /** Forgets what is, in part at least, in the aligned piece of 2 to the {@code shift} bytes that an address is in. */
    void drop(long address, int shift) {
        for (int view = 0; view < used.length; view++) {
            for (int j = 0; j < used[view].count(); j++) {
                int i = used[view].get(j);
                long guest = -memory.get(LONG, at(view, i));
                long last = guest + Instruction.MAX_LENGTH - 1;
                if ((guest ^ address) >>> shift == 0 || (last ^ address) >>> shift == 0) {
                    empty(view, i);
                }
            }
        }
    }
}
