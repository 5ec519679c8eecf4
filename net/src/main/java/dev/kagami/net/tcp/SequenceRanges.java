package dev.kagami.net.tcp;

/** A few disjoint ranges of sequence numbers, in order. */
final class SequenceRanges {
    private final long[] starts;
    private final long[] ends;
    private int count;

    SequenceRanges(int capacity) {
        starts = new long[capacity];
        ends = new long[capacity];
    }

    int count() {
        return count;
    }

    long start(int index) {
        return starts[index];
    }

    long end(int index) {
        return ends[index];
    }

    void clear() {
        count = 0;
    }

    /** Adds a range, joined with those that it touches; false if there is no place for it. */
    boolean add(long from, long to) {
        int first = 0;
        while (first < count && ends[first] < from) {
            first++;
        }
        int after = first;
        long start = from;
        long end = to;
        while (after < count && starts[after] <= to) {
            start = Math.min(start, starts[after]);
            end = Math.max(end, ends[after]);
            after++;
        }
        int joined = after - first;
        if (joined == 0 && count == starts.length) {
            return false;
        }
        System.arraycopy(starts, after, starts, first + 1, count - after);
        System.arraycopy(ends, after, ends, first + 1, count - after);
        starts[first] = start;
        ends[first] = end;
        count += 1 - joined;
        return true;
    }

    /** Removes everything below a number. */
    void removeBelow(long limit) {
        int gone = 0;
        while (gone < count && ends[gone] <= limit) {
            gone++;
        }
        count -= gone;
        System.arraycopy(starts, gone, starts, 0, count);
        System.arraycopy(ends, gone, ends, 0, count);
        if (count > 0 && starts[0] < limit) {
            starts[0] = limit;
        }
    }

    /** {@return the index of the range that a number is in; -1 if it is in none} */
    int find(long number) {
        for (int i = 0; i < count; i++) {
            if (starts[i] <= number && number < ends[i]) {
                return i;
            }
        }
        return -1;
    }

    /** {@return how many numbers are in the ranges} */
    long size() {
        long size = 0;
        for (int i = 0; i < count; i++) {
            size += ends[i] - starts[i];
        }
        return size;
    }
}
