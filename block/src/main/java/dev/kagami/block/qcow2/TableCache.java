package dev.kagami.block.qcow2;

import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Tables in memory, by their index in the table of tables. Guarded by the image's lock; {@link #get} needs it shared only.
 */
final class TableCache {
    private @Nullable CachedTable[] slots;
    private final int capacity;
    /** Which slots are taken, in no order. */
    private int[] taken = new int[16];

    private int count;
    private int hand;

    TableCache(int slotCount, int capacity) {
        this.slots = new CachedTable[slotCount];
        this.capacity = capacity;
    }

    /** Returns a table if it is in memory. */
    @Nullable
    CachedTable get(int slot) {
        CachedTable table = slots[slot];
        if (table != null) {
            table.used = true;
        }
        return table;
    }

    /** Makes room for more slots. */
    void resize(int slotCount) {
        slots = Arrays.copyOf(slots, slotCount);
    }

    /** Puts a table in, and throws others out when there are too many that need not be written. */
    void put(int slot, CachedTable table) {
        if (slots[slot] == null) {
            // The hand goes round twice at most: the first time tables lose their mark.
            for (int looks = 2 * count; count >= capacity && looks > 0; looks--) {
                hand = hand + 1 < count ? hand + 1 : 0;
                CachedTable candidate = slots[taken[hand]];
                if (candidate == null || candidate.isDirty() || candidate.sealed) {
                    continue;
                }
                if (candidate.used) {
                    candidate.used = false;
                } else {
                    slots[taken[hand]] = null;
                    taken[hand] = taken[--count];
                }
            }
            if (count == taken.length) {
                taken = Arrays.copyOf(taken, 2 * count);
            }
            taken[count++] = slot;
        }
        slots[slot] = table;
    }

    void forEach(Consumer<CachedTable> action) {
        for (int i = 0; i < count; i++) {
            CachedTable table = slots[taken[i]];
            if (table != null) {
                action.accept(table);
            }
        }
    }

    int count() {
        return count;
    }

    int capacity() {
        return capacity;
    }
}
