package dev.kagami.cpu.x86.interpreter;

import java.util.Arrays;

/**
 * The slots in use of a table that holds what is known of pages: those of global pages apart from the others, so that a
 * flush looks at nothing that it keeps. A slot may be in both lists. Belongs to one thread.
 */
public final class UsedSlots {
    private static final int FEW = 64;

    /** A bit for each slot: whether it is in the list. */
    private final long[] inLocals;

    private final long[] inGlobals;

    private int[] locals = new int[FEW];
    private int[] globals = new int[FEW];
    private int localCount;
    private int globalCount;

    /**
     * Creates empty lists.
     *
     * @param slots size of the table
     */
    public UsedSlots(int slots) {
        inLocals = new long[(slots + Long.SIZE - 1) / Long.SIZE];
        inGlobals = new long[inLocals.length];
    }

    /**
     * Notes that a slot is in use from now on.
     *
     * @param slot its number
     * @param global whether by a global page
     */
    public void add(int slot, boolean global) {
        long[] in = global ? inGlobals : inLocals;
        if ((in[slot / Long.SIZE] & 1L << slot) != 0) {
            return;
        }
        in[slot / Long.SIZE] |= 1L << slot;
        if (global) {
            if (globalCount == globals.length) {
                globals = Arrays.copyOf(globals, 2 * globalCount);
            }
            globals[globalCount++] = slot;
        } else {
            if (localCount == locals.length) {
                locals = Arrays.copyOf(locals, 2 * localCount);
            }
            locals[localCount++] = slot;
        }
    }

    /** Takes no more memory than what is in the lists needs. */
    public void trim() {
        locals = Arrays.copyOf(locals, Math.max(FEW, localCount));
        globals = Arrays.copyOf(globals, Math.max(FEW, globalCount));
    }

    /** {@return how many slots there are in the lists} */
    public int count() {
        return localCount + globalCount;
    }

    /** {@return how many slots pages that are not global have used; they come first} */
    public int localCount() {
        return localCount;
    }

    /**
     * {@return the number of a used slot}
     *
     * @param i from 0 to {@link #count} minus 1
     */
    public int get(int i) {
        return i < localCount ? locals[i] : globals[i - localCount];
    }

    /** Empties the list of what pages that are not global have used, and the other one too if {@code all}. */
    public void clear(boolean all) {
        for (int i = 0; i < localCount; i++) {
            inLocals[locals[i] / Long.SIZE] = 0;
        }
        localCount = 0;
        if (all) {
            for (int i = 0; i < globalCount; i++) {
                inGlobals[globals[i] / Long.SIZE] = 0;
            }
            globalCount = 0;
        }
    }
}
