package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.interpreter.PageFilter;
import dev.kagami.cpu.x86.interpreter.UsedSlots;
import java.lang.foreign.MemorySegment;
import java.nio.LongBuffer;
import java.util.BitSet;

/**
 * Where translated code of the kernel looks for the target of a branch: tables of pairs, minus a guest address and the host address of its
 * block. There is one table a view, so that none finds another's blocks. An address has a place of its own, and when
 * others have that, too, it may be anywhere in the aligned group of places around it, where common code looks.
 */
final class JumpCache {
    /** A kernel has tens of thousands of targets. */
    private static final int ENTRIES = 65536;

    static final int ENTRY_BYTES = 16;
    private static final long VIEW_BYTES = (long) ENTRY_BYTES * ENTRIES;

    /** Minus an address in another group than address 0. */
    private static final long OTHER = -0x1000;

    /** Places in a group. */
    private static final int GROUP = 8;

    /** Bytes of a group's entries. */
    static final int GROUP_BYTES = GROUP * ENTRY_BYTES;

    /** How far an address is rotated to be added to itself: functions lie at all distances from each other. */
    private static final int ROTATION = 13;

    /** Bits of that sum that select an entry; instructions are rarely two bytes apart. */
    static final long INDEX_MASK = (long) (ENTRIES - 1) << 1;

    private static final int PAGE_SHIFT = 12;

    /** log2 of the size of a piece of the address space of which it is noted that there is something. */
    private static final int PIECE_SHIFT = 22;

    /** Indexes that the addresses in a page have. */
    private static final int PAGE_INDEXES = 1 << PAGE_SHIFT - 1;

    private static final int ENTRY_LONGS = ENTRY_BYTES / Long.BYTES;

    private final MemorySegment memory;
    private final LongBuffer longs;
    private final UsedSlots[] used;
    private int victim;
    private final BitSet[] globals;

    private final PageFilter pages = new PageFilter(PAGE_SHIFT);
    private final PageFilter pieces = new PageFilter(PIECE_SHIFT);

    JumpCache(int views) {
        // Zero already, which is what most empty entries hold, and memory of the host only where it is used.
        memory = HostMemory.mapData(views * VIEW_BYTES);
        longs = HostMemory.buffer(memory).asLongBuffer();
        used = new UsedSlots[views];
        globals = new BitSet[views];
        for (int view = 0; view < views; view++) {
            used[view] = new UsedSlots(ENTRIES);
            globals[view] = new BitSet();
        }
        emptyFirst();
    }

    /** Makes the entries empty that are not when they are zero. */
    private void emptyFirst() {
        for (int view = 0; view < used.length; view++) {
            for (int i = 0; i < GROUP; i++) {
                empty(view, (index(0) & -GROUP) + i);
            }
        }
    }

    /** Forgets all, and gives the memory back to the host. */
    void giveBack() {
        clear(false);
        for (UsedSlots slots : used) {
            slots.trim();
        }
        HostMemory.empty(memory);
        emptyFirst();
    }

    void close() {
        HostMemory.unmap(memory);
    }

    /** {@return the address of a view's table} */
    long address(int view) {
        return memory.address() + view * VIEW_BYTES;
    }

    /** Enters a block; {@code global} if it is in a global page. */
    void enter(int view, long guest, long host, boolean global) {
        int i = index(guest);
        if (longs.get(at(view, i)) != -guest) {
            makeRoom(view, i, guest);
        }
        put(view, i, -guest, host, global);
        note(guest);
        note(guest + Instruction.MAX_LENGTH - 1);
    }

    /** Moves what is in a place to another of its group: to where the one that comes is now, or an empty one, or any. */
    private void makeRoom(int view, int i, long guest) {
        int group = i & -GROUP;
        int to = group | (victim = victim + 1 & GROUP - 1);
        for (int j = group; j < group + GROUP; j++) {
            long tag = longs.get(at(view, j));
            if (tag == -guest) {
                to = j;
                break;
            }
            if (tag == none(j)) {
                to = j;
            }
        }
        put(view, to, longs.get(at(view, i)), longs.get(at(view, i) + 1), globals[view].get(i));
    }

    private void put(int view, int i, long minusGuest, long host, boolean global) {
        used[view].add(i, global);
        globals[view].set(i, global);
        longs.put(at(view, i), minusGuest);
        longs.put(at(view, i) + 1, host);
    }

    private static int at(int view, int index) {
        return (view * ENTRIES + index) * ENTRY_LONGS;
    }

    /** Emits what leaves the address of the place of {@link Registers#ADDRESS} in {@link Registers#VALUE}: as {@link #index}. */
    static void emitPlace(Assembler asm) {
        asm.rotateRight(Registers.POINTER, Registers.ADDRESS, JumpCache.ROTATION);
        asm.lea(Registers.POINTER, Registers.POINTER, Registers.ADDRESS, 0, 0);
        asm.extractByState(Registers.POINTER, Registers.POINTER, StateBlock.JUMP_INDEX_MASK);
        asm.loadState(Registers.VALUE, StateBlock.JUMPS);
        asm.lea(Registers.POINTER, Registers.POINTER, Registers.POINTER, 0, 0);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.POINTER, 3, 0);
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
            int group = index(guest) & -GROUP;
            for (int i = group; i < group + GROUP; i++) {
                if (longs.get(at(view, i)) == -guest) {
                    empty(view, i);
                }
            }
        }
    }

    /** {@return what an empty entry holds: minus an address that never leads to it} */
    private static long none(int i) {
        return (i & -GROUP) == (index(0) & -GROUP) ? OTHER : 0;
    }

    private void empty(int view, int i) {
        longs.put(at(view, i), none(i));
    }

    private void note(long address) {
        pages.add(address);
        pieces.add(address);
    }

    /** Forgets all, or all but what is in global pages. */
    void clear(boolean keepGlobal) {
        if (!keepGlobal) {
            pages.clear();
            pieces.clear();
        }
        for (int view = 0; view < used.length; view++) {
            UsedSlots slots = used[view];
            for (int j = 0; j < (keepGlobal ? slots.localCount() : slots.count()); j++) {
                int i = slots.get(j);
                if (!keepGlobal || !globals[view].get(i)) {
                    empty(view, i);
                }
            }
            slots.clear(!keepGlobal);
        }
    }

    /**
     * Forgets what is, in part at least, in the page that an address is in.
     *
     * @param shift log2 of the size of the page
     */
    void drop(long address, int shift) {
        if (shift == PAGE_SHIFT && !pages.mayHave(address) || shift == PIECE_SHIFT && !pieces.mayHave(address)) {
            return;
        }
        long page = address & -1L << shift;
        for (int view = 0; view < used.length; view++) {
            if (shift == PAGE_SHIFT && PAGE_INDEXES < used[view].count()) {
                drop(view, page - Instruction.MAX_LENGTH + 1, Instruction.MAX_LENGTH / 2, address, shift);
                drop(view, page, PAGE_INDEXES, address, shift);
                continue;
            }
            for (int j = 0; j < used[view].count(); j++) {
                drop(view, used[view].get(j), address, shift);
            }
        }
    }

    /** Looks at the groups of as many indexes as there are from that of an address on: that of what is behind it, if in one page. */
    private void drop(int view, long first, int indexes, long address, int shift) {
        int from = index(first);
        for (int i = from & -GROUP; i <= (from + indexes | GROUP - 1); i++) {
            drop(view, i & ENTRIES - 1, address, shift);
        }
    }

    private void drop(int view, int i, long address, int shift) {
        long guest = -longs.get(at(view, i));
        long last = guest + Instruction.MAX_LENGTH - 1;
        if ((guest ^ address) >>> shift == 0 || (last ^ address) >>> shift == 0) {
            empty(view, i);
        }
    }
}
