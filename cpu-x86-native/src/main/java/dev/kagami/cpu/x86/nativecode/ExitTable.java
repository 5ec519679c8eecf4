package dev.kagami.cpu.x86.nativecode;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The exits of all code in the code memory, by number; numbers are used again. */
final class ExitTable {
    private @Nullable Exit[] exits = new Exit[1024];
    private int[] free = new int[1024];
    private int freeCount;
    private int used;

    /** Numbers given since {@link #begin}. */
    private int[] recent = new int[64];

    private int recentCount;

    int add(Exit exit) {
        int number = freeCount > 0 ? free[--freeCount] : used++;
        if (number == exits.length) {
            exits = Arrays.copyOf(exits, 2 * number);
        }
        exits[number] = exit;
        exit.number = number;
        if (recentCount == recent.length) {
            recent = Arrays.copyOf(recent, 2 * recentCount);
        }
        recent[recentCount++] = number;
        return number;
    }

    Exit get(int number) {
        Exit exit = exits[number];
        if (exit == null) {
            throw new IllegalStateException("no exit " + number);
        }
        return exit;
    }

    /** Forgets an exit whose code is gone. */
    void remove(int number) {
        get(number).number = Exit.GONE;
        exits[number] = null;
        if (freeCount == free.length) {
            free = Arrays.copyOf(free, 2 * freeCount);
        }
        free[freeCount++] = number;
    }

    /** Begins to note which numbers are given. */
    void begin() {
        recentCount = 0;
    }

    int recentCount() {
        return recentCount;
    }

    int recent(int i) {
        return recent[i];
    }
}
