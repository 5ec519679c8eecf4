package dev.kagami.cpu.x86.interpreter;

import java.util.Arrays;

/**
 * Whose translations are kept: those of the address spaces used last, by process-context identifier (SDM 3A 4.10.1). Without
 * such identifiers all have the same, 0. Belongs to the CPU's thread.
 */
final class AddressSpaces {
    /** Most that are kept: Linux uses six identifiers, and 0 while it starts. */
    static final int COUNT = 7;

    private static final int NONE = -1;

    private final int[] identifiers = new int[COUNT];
    private final long[] lastUse = new long[COUNT];
    private long uses;

    AddressSpaces() {
        reset(0);
    }

    /** Forgets all but one, which is number 0 from now on. */
    void reset(int identifier) {
        Arrays.fill(identifiers, NONE);
        identifiers[0] = identifier;
    }

    /** Forgets all but one, which keeps its number. */
    void keepOnly(int space) {
        for (int i = 0; i < COUNT; i++) {
            if (i != space) {
                identifiers[i] = NONE;
            }
        }
    }

    /** {@return the number of the address space with an identifier, or a negative number when nothing is kept of it} */
    int find(int identifier) {
        for (int i = 0; i < COUNT; i++) {
            if (identifiers[i] == identifier) {
                return i;
            }
        }
        return NONE;
    }

    /** {@return the number that an identifier has from now on, which is that of the one not used for the longest time} */
    int take(int identifier) {
        int oldest = 0;
        for (int i = 1; i < COUNT; i++) {
            if (lastUse[i] < lastUse[oldest]) {
                oldest = i;
            }
        }
        identifiers[oldest] = identifier;
        return oldest;
    }

    /** Notes that an address space is used. */
    void use(int space) {
        lastUse[space] = ++uses;
    }
}
