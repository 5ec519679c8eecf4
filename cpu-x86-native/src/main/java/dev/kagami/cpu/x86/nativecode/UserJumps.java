package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.interpreter.TranslatingVcpu;
import dev.kagami.cpu.x86.interpreter.UsedSlots;
import java.lang.foreign.MemorySegment;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Where translated user code looks for the target of a branch, in two steps: from the linear page to the page of RAM that is
 * mapped there, and from the offset in that to the block. Only the first step depends on the address space, so that a process
 * finds what others have translated of the same files, wherever it has mapped them.
 *
 * <p>The first step is a table for each address space and way of using vector registers; its columns are tags, the addresses of the
 * pages' own tables, the linear pages, and the numbers of the pages of RAM. The second is a table for each page of RAM and mode,
 * of a block's position in the code memory for each offset, or 0, where there is code that leaves. Belongs to the vCPU's
 * thread.
 */
final class UserJumps {
    private static final int PAGES = 4096;

    /** Bytes of a column of the first table; a table has four. */
    private static final int COLUMN_BYTES = Long.BYTES * PAGES;

    // Offsets of the columns behind that of tags.
    private static final int TABLE = COLUMN_BYTES;
    private static final int LINEAR_PAGE = 2 * COLUMN_BYTES;
    static final int RAM_PAGE = 3 * COLUMN_BYTES;
    private static final long VIEW_BYTES = 4L * COLUMN_BYTES;
    private static final int VIEW_LONGS = 4 * PAGES;
    private static final int PAGE_SHIFT = 12;
    private static final int PAGE_SIZE = 1 << PAGE_SHIFT;
    private static final int TABLE_BYTES = Integer.BYTES * PAGE_SIZE;

    /** A tag is this, minus the linear page: the sum with an address in the page has 1 as its page number. */
    static final int BIAS = PAGE_SIZE;

    /** Most pages that have a table at a time; a compiler is 6000. */
    private static final int MAX_TABLES = 8192;

    /** Mask that selects an index of the first table from an address. */
    static final long INDEX_MASK = (long) (PAGES - 1) << PAGE_SHIFT;

    private static final int FEW_KEYS = 256;

    /** A key that no page has. */
    private static final long NO_KEY = -1;

    private final MemorySegment first;
    private final LongBuffer firstLongs;
    private final int views;

    /** By table of the first step; made when it is used. */
    private final @Nullable UsedSlots[] used;

    private int space;
    private final MemorySegment tables;
    private final IntBuffer tableInts;

    /** Open addressing; at least twice as large as needed, so that there is always an end of a search. */
    private long[] keys = new long[FEW_KEYS];

    private int[] numbers = new int[FEW_KEYS];
    private int count;

    /**
     * Creates empty tables.
     *
     * @param views ways of using vector registers
     */
    UserJumps(int views) {
        this.views = views;
        used = new UsedSlots[TranslatingVcpu.ADDRESS_SPACES * views];
        // Zero already, which is what most empty entries hold, and memory of the host only where it is used.
        first = HostMemory.mapData(used.length * VIEW_BYTES);
        firstLongs = HostMemory.buffer(first).asLongBuffer();
        for (int number = 0; number < used.length; number++) {
            empty(number, 1);
        }
        tables = HostMemory.mapData((long) MAX_TABLES * TABLE_BYTES);
        tableInts = HostMemory.buffer(tables).asIntBuffer();
        Arrays.fill(keys, NO_KEY);
    }

    /** Makes an address space the current one. */
    void select(int addressSpace) {
        space = addressSpace;
    }

    void close() {
        HostMemory.unmap(first);
        HostMemory.unmap(tables);
    }

    /** {@return the address of a view's table of the first step in the current address space} */
    long address(int view) {
        return first.address() + number(view) * VIEW_BYTES;
    }

    private int number(int view) {
        return space * views + view;
    }

    private static int slot(long linear) {
        return (int) (linear >>> PAGE_SHIFT) & PAGES - 1;
    }

    /** Makes an entry hold the tag of a page that never leads to it. */
    private void empty(int number, int slot) {
        firstLongs.put(at(number, slot), slot == 1 ? -((long) PAGES / 2 << PAGE_SHIFT) : 0);
    }

    private static int at(int number, int slot) {
        return number * VIEW_LONGS + slot;
    }

    /** Makes branches find the code of a page of RAM at a linear address, for as long as it is mapped there. */
    void enter(int view, long linear, int page, int mode) {
        int table = table(page, mode);
        int number = number(view);
        int slot = slot(linear);
        long linearPage = linear & -PAGE_SIZE;
        int at = at(number, slot);
        UsedSlots slots = used[number];
        if (slots == null) {
            slots = new UsedSlots(PAGES);
            used[number] = slots;
        }
        slots.add(slot, false);
        firstLongs.put(at, BIAS - linearPage);
        firstLongs.put(at + TABLE / Long.BYTES, tables.address() + (long) table * TABLE_BYTES - Integer.BYTES * BIAS);
        firstLongs.put(at + LINEAR_PAGE / Long.BYTES, linearPage);
        firstLongs.put(at + RAM_PAGE / Long.BYTES, page);
    }

    /** Forgets where all pages are mapped. */
    void clear() {
        for (int addressSpace = 0; addressSpace < TranslatingVcpu.ADDRESS_SPACES; addressSpace++) {
            clear(addressSpace);
        }
    }

    /** Forgets where the pages of an address space are mapped. */
    void clear(int addressSpace) {
        for (int number = addressSpace * views; number < (addressSpace + 1) * views; number++) {
            UsedSlots slots = used[number];
            if (slots == null) {
                continue;
            }
            for (int i = 0; i < slots.count(); i++) {
                empty(number, slots.get(i));
            }
            slots.clear(true);
        }
    }

    /** Forgets what is mapped in the aligned piece of 2 to the {@code shift} bytes that an address is in. */
    void drop(long address, int shift) {
        for (int number = 0; number < used.length; number++) {
            UsedSlots slots = used[number];
            if (slots == null) {
                continue;
            }
            if (shift == PAGE_SHIFT) {
                empty(number, slot(address));
                continue;
            }
            for (int i = 0; i < slots.count(); i++) {
                int slot = slots.get(i);
                if ((BIAS - firstLongs.get(at(number, slot)) ^ address) >>> shift == 0) {
                    empty(number, slot);
                }
            }
        }
    }

    // ---------------------------------------------------------------- emitted code

    /** Emits what leaves the address of the entry of {@link Registers#ADDRESS} in {@link Registers#VALUE}. */
    static void emitPlace(Assembler asm) {
        asm.extractByState(Registers.POINTER, Registers.ADDRESS, StateBlock.PAGE_INDEX_MASK);
        asm.loadState(Registers.VALUE, StateBlock.JUMPS);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.POINTER, 3, 0);
    }

    /**
     * Emits what looks up the address in {@link Registers#ADDRESS}, which is 1 then if that was found; {@link #emitGo} must
     * follow where it was, and {@link #emitAddress} where not.
     */
    static void emitLookup(Assembler asm) {
        emitPlace(asm);
        asm.load(Registers.POINTER, Registers.VALUE, 0);
        asm.lea(Registers.POINTER, Registers.POINTER, Registers.ADDRESS, 0, 0);
        asm.extractByState(Registers.ADDRESS, Registers.POINTER, StateBlock.PAGE_MASK);
    }

    /** Emits what leaves the address in {@link Registers#ADDRESS} again that {@link #emitLookup} hasn't found. */
    static void emitAddress(Assembler asm) {
        asm.load(Registers.ADDRESS, Registers.VALUE, 0);
        asm.difference(Registers.ADDRESS, Registers.POINTER, Registers.ADDRESS);
    }

    /**
     * Emits what leaves the address in {@link Registers#ADDRESS} again at whose offset {@link #emitGo} has found no block, so that it has
     * gone to position 0.
     */
    static void emitAddressOfMiss(Assembler asm) {
        asm.loadState(Registers.ADDRESS, StateBlock.PAGE);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER, 0, -BIAS);
    }

    /** Emits the jump to what {@link #emitLookup} has found. */
    static void emitGo(Assembler asm) {
        asm.load(Registers.ADDRESS, Registers.VALUE, LINEAR_PAGE);
        asm.storeState(Registers.ADDRESS, StateBlock.PAGE);
        asm.load(Registers.VALUE, Registers.VALUE, TABLE);
        asm.load32(Registers.ADDRESS, Registers.VALUE, Registers.POINTER, 2);
        asm.loadState(Registers.VALUE, StateBlock.CODE_BASE);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.VALUE, 0, 0);
        asm.jumpRegister(Registers.ADDRESS);
    }

    // ---------------------------------------------------------------- blocks

    /** Makes branches find a block. */
    void set(NativeBlock block) {
        tableInts.put(index(table(block.page, block.mode()), block), block.entry);
    }

    /** Makes branches leave instead of going to a block. */
    void remove(NativeBlock block) {
        int slot = find(block.page, block.mode());
        if (keys[slot] != NO_KEY) {
            tableInts.put(index(numbers[slot], block), 0);
        }
    }

    private static int index(int number, NativeBlock block) {
        return number * PAGE_SIZE + ((int) block.linear & PAGE_SIZE - 1);
    }

    private static long key(int page, int mode) {
        return (long) page << 32 | mode;
    }

    private int find(int page, int mode) {
        long key = key(page, mode);
        int slot = (int) (key * 0x9E37_79B9_7F4A_7C15L >>> 32) & keys.length - 1;
        while (keys[slot] != key && keys[slot] != NO_KEY) {
            slot = slot + 1 & keys.length - 1;
        }
        return slot;
    }

    private int table(int page, int mode) {
        int slot = find(page, mode);
        if (keys[slot] != NO_KEY) {
            return numbers[slot];
        }
        if (count == MAX_TABLES) {
            forgetAll();
            slot = find(page, mode);
        } else if (2 * count == keys.length) {
            grow();
            slot = find(page, mode);
        }
        keys[slot] = key(page, mode);
        numbers[slot] = count;
        return count++;
    }

    private void grow() {
        long[] oldKeys = keys;
        int[] oldNumbers = numbers;
        keys = new long[2 * oldKeys.length];
        numbers = new int[keys.length];
        Arrays.fill(keys, NO_KEY);
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldKeys[i] != NO_KEY) {
                int slot = find((int) (oldKeys[i] >> 32), (int) oldKeys[i]);
                keys[slot] = oldKeys[i];
                numbers[slot] = oldNumbers[i];
            }
        }
    }

    /** Begins anew, for example when all tables are taken; blocks are entered again when they are looked for. */
    void forgetAll() {
        clear();
        keys = new long[FEW_KEYS];
        numbers = new int[FEW_KEYS];
        Arrays.fill(keys, NO_KEY);
        count = 0;
        HostMemory.empty(tables);
    }
}
