package dev.kagami.cpu.x86.nativecode;

import org.jspecify.annotations.Nullable;

/** Finds translated blocks by linear address, page of RAM and mode: an open hash table without boxing. */
final class BlockTable {
    private static final int INITIAL = 1 << 10;

    private @Nullable NativeBlock[] table = new NativeBlock[INITIAL];
    private int count;

    private static int hash(long linear, int page) {
        // Of user code, all that differs is the page and the offset there.
        long h = (linear ^ (long) page << 32) * 0x9E37_79B9_7F4A_7C15L;
        return (int) (h >>> 32 ^ h >>> 48);
    }

    @Nullable
    NativeBlock find(long linear, int page, int mode) {
        int mask = table.length - 1;
        for (int i = hash(linear, page) & mask; ; i = i + 1 & mask) {
            NativeBlock block = table[i];
            if (block == null || block.linear == linear && block.page == page && block.mode() == mode) {
                return block;
            }
        }
    }

    void add(NativeBlock block) {
        if (4 * count >= 3 * table.length) {
            grow();
        }
        insert(block);
        block.known = true;
        count++;
    }

    /** Removes a block that is there, and moves those that come after it in its place. */
    void remove(NativeBlock block) {
        int mask = table.length - 1;
        int hole = hash(block.linear, block.page) & mask;
        while (table[hole] != block) {
            hole = hole + 1 & mask;
        }
        for (int i = hole + 1 & mask; ; i = i + 1 & mask) {
            NativeBlock next = table[i];
            if (next == null) {
                break;
            }
            // Whoever looks for it begins at its home, and must not meet the hole on the way.
            int home = hash(next.linear, next.page) & mask;
            if ((i - home & mask) >= (i - hole & mask)) {
                table[hole] = next;
                hole = i;
            }
        }
        table[hole] = null;
        block.known = false;
        count--;
    }

    /** Removes all blocks without host code. */
    void removeCold() {
        @Nullable NativeBlock[] old = table;
        table = new NativeBlock[INITIAL];
        count = 0;
        for (NativeBlock block : old) {
            if (block == null) {
                continue;
            }
            if (!block.translated()) {
                block.known = false;
            } else {
                add(block);
            }
        }
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

    int count() {
        return count;
    }
}
