package dev.kagami.zstd;

import java.util.Arrays;
import java.util.zip.ZipException;

/** A table of finite-state entropy codes (RFC 8878, 4.1). */
final class ZstdFse {
    private static final int MIN_ACCURACY_LOG = 5;

    final int accuracyLog;
    /** What each state stands for, how many bits lead out of it, and to what they are added. */
    final byte[] symbols;

    final byte[] bitCounts;
    final short[] baselines;

    private ZstdFse(int accuracyLog) {
        this.accuracyLog = accuracyLog;
        int size = 1 << accuracyLog;
        this.symbols = new byte[size];
        this.bitCounts = new byte[size];
        this.baselines = new short[size];
    }

    /** Makes a table with one state, which leads to itself. */
    static ZstdFse single(int symbol) {
        ZstdFse table = new ZstdFse(0);
        table.symbols[0] = (byte) symbol;
        return table;
    }

    /**
     * Makes a table from probabilities.
     *
     * @param probabilities share of each symbol in {@code 1 << accuracyLog}; -1 for less than one
     * @param count number of symbols
     * @param accuracyLog log2 of the number of states
     */
    static ZstdFse of(int[] probabilities, int count, int accuracyLog) {
        ZstdFse table = new ZstdFse(accuracyLog);
        int size = 1 << accuracyLog;
        int high = size;
        int[] next = new int[count];
        for (int symbol = 0; symbol < count; symbol++) {
            if (probabilities[symbol] == -1) {
                table.symbols[--high] = (byte) symbol;
                next[symbol] = 1;
            }
        }
        int step = (size >> 1) + (size >> 3) + 3;
        int position = 0;
        for (int symbol = 0; symbol < count; symbol++) {
            if (probabilities[symbol] <= 0) {
                continue;
            }
            next[symbol] = probabilities[symbol];
            for (int i = 0; i < probabilities[symbol]; i++) {
                table.symbols[position] = (byte) symbol;
                do {
                    position = position + step & size - 1;
                } while (position >= high);
            }
        }
        for (int state = 0; state < size; state++) {
            int value = next[table.symbols[state] & 0xFF]++;
            int bits = accuracyLog - (Integer.SIZE - 1 - Integer.numberOfLeadingZeros(value));
            table.bitCounts[state] = (byte) bits;
            table.baselines[state] = (short) ((value << bits) - size);
        }
        return table;
    }

    /** A table, and where its description ended. */
    record Parsed(ZstdFse table, int end) {}

    /**
     * Reads a table's description (RFC 8878, 4.1.1).
     *
     * @param bytes holds the description
     * @param start index of its first byte
     * @param end index behind the last byte that may belong to it
     * @param maxAccuracyLog largest accuracy log allowed
     * @param maxSymbols most symbols allowed
     */
    static Parsed parse(byte[] bytes, int start, int end, int maxAccuracyLog, int maxSymbols) throws ZipException {
        int bit = 0;
        int accuracyLog = bits(bytes, start, end, bit, 4) + MIN_ACCURACY_LOG;
        bit += 4;
        if (accuracyLog > maxAccuracyLog) {
            throw new ZipException("zstd table of 2^%d states".formatted(accuracyLog));
        }
        int[] probabilities = new int[maxSymbols];
        int symbol = 0;
        int remaining = 1 << accuracyLog;
        while (remaining > 0) {
            if (symbol >= maxSymbols) {
                throw new ZipException("zstd table has too many symbols");
            }
            // Values 0 to remaining + 1; the smaller ones take one bit less.
            int count = Integer.SIZE - Integer.numberOfLeadingZeros(remaining + 1);
            int value = bits(bytes, start, end, bit, count);
            int lowMask = (1 << count - 1) - 1;
            int threshold = (1 << count) - 1 - (remaining + 1);
            if ((value & lowMask) < threshold) {
                value &= lowMask;
                bit += count - 1;
            } else {
                if (value > lowMask) {
                    value -= threshold;
                }
                bit += count;
            }
            int probability = value - 1;
            remaining -= Math.abs(probability);
            probabilities[symbol++] = probability;
            if (probability == 0) {
                int zeros;
                do {
                    zeros = bits(bytes, start, end, bit, 2);
                    bit += 2;
                    symbol += zeros;
                } while (zeros == 3);
            }
        }
        if (remaining < 0 || symbol > maxSymbols) {
            throw new ZipException("zstd table's probabilities don't add up");
        }
        int used = bit + Byte.SIZE - 1 >> 3;
        if (used > end - start) {
            throw new ZipException("zstd table ends early");
        }
        return new Parsed(of(Arrays.copyOf(probabilities, symbol), symbol, accuracyLog), start + used);
    }

    /** Reads bits forwards; those behind the end are 0. */
    private static int bits(byte[] bytes, int start, int end, int bit, int count) throws ZipException {
        if (start + (bit >> 3) >= end) {
            throw new ZipException("zstd table ends early");
        }
        int value = 0;
        for (int i = 0; i < 4 && start + (bit >> 3) + i < end; i++) {
            value |= (bytes[start + (bit >> 3) + i] & 0xFF) << 8 * i;
        }
        return value >>> (bit & 7) & (1 << count) - 1;
    }
}
