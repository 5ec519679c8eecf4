package dev.kagami.cpu.x86.nativecode;

import org.jspecify.annotations.Nullable;

/** Finds translated blocks by linear address, page of RAM and mode: an open hash table without boxing. */
final class BlockTable {
    private static final int INITIAL = 1 << 14;

    private @Nullable NativeBlock[] table = new NativeBlock[INITIAL];
    private int count;

    private static int hash(long linear, int page) {
        long h = linear * 0x9E37_79B9_7F4A_7C15L ^ page * 0xC2B2_AE3DL;
        return (int) (h >>> 32);
    }

    @Nullable
    NativeBlock find(long linear, int page, int mode) {
        int mask = table.length - 1;
        for (int i = hash(linear, page) & mask; ; i = i + 1 & mask) {
            NativeBlock block = table[i];
            if (block == null || block.linear == linear && block.page == page && block.mode == mode) {
                return block;
            }
        }
    }

    void add(NativeBlock block) {
        if (4 * count >= 3 * table.length) {
            grow();
        }
        insert(block);
        count++;
    }

    private void insert(NativeBlock block) {
        int mask = table.length - 1;
        int i = hash(block.linear, block.page) & mask;
        while (table[i] != null) {
            i = i + 1 & mask;
        }
        table[i] = block;
    }

    private void grow() {
        @Nullable NativeBlock[] old = table;
        table = new NativeBlock[2 * old.length];
        for (NativeBlock block : old) {
            if (block != null) {
                insert(block);
            }
        }
    }

    boolean contains(NativeBlock block) {
        return find(block.linear, block.page, block.mode) == block;
    }

    int count() {
        return count;
    }

    void clear() {
        table = new NativeBlock[INITIAL];
        count = 0;
    }
}
