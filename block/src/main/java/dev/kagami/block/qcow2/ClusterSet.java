package dev.kagami.block.qcow2;

import java.util.Arrays;

/** A set of cluster numbers, 0 and up. Takes memory by how many there are, not by how large. */
final class ClusterSet {
    private static final int FIRST_CAPACITY = 64;
    private static final long MULTIPLIER = 0x9E37_79B9_7F4A_7C15L;

    /** Numbers plus 1; 0 for a free place. Linear probing, at most half full. */
    private long[] places = new long[FIRST_CAPACITY];

    private int count;

    private static int start(long cluster, int capacity) {
        return (int) ((cluster * MULTIPLIER) >>> Long.numberOfLeadingZeros(capacity) + 1);
    }

    boolean contains(long cluster) {
        return places[find(cluster)] != 0;
    }

    private int find(long cluster) {
        int mask = places.length - 1;
        int at = start(cluster, places.length);
        while (places[at] != 0 && places[at] != cluster + 1) {
            at = at + 1 & mask;
        }
        return at;
    }

    /** Adds a number; returns whether it is new. */
    boolean add(long cluster) {
        int at = find(cluster);
        if (places[at] != 0) {
            return false;
        }
        places[at] = cluster + 1;
        if (++count > places.length / 2) {
            long[] old = places;
            places = new long[2 * old.length];
            for (long place : old) {
                if (place != 0) {
                    places[find(place - 1)] = place;
                }
            }
        }
        return true;
    }

    /** Removes a number if it is there. */
    void remove(long cluster) {
        int mask = places.length - 1;
        int hole = find(cluster);
        if (places[hole] == 0) {
            return;
        }
        count--;
        places[hole] = 0;
        // Moves back what was probed past the hole.
        for (int at = hole + 1 & mask; places[at] != 0; at = at + 1 & mask) {
            long moved = places[at];
            places[at] = 0;
            places[find(moved - 1)] = moved;
        }
    }

    void clear() {
        Arrays.fill(places, 0);
        count = 0;
    }

    int count() {
        return count;
    }
}
