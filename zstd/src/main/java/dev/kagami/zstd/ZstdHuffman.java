package dev.kagami.zstd;

import java.util.Arrays;
import java.util.zip.ZipException;

/** A table of Huffman codes for literals (RFC 8878, 4.2). */
final class ZstdHuffman {
    private static final int MAX_BITS = 11;
    private static final int MAX_WEIGHTS = 255;
    private static final int MAX_WEIGHT_ACCURACY_LOG = 6;
    private static final int DIRECT = 128;

    private final int maxBits;
    /** Symbol and length of the code that starts with these bits. */
    private final byte[] symbols;

    private final byte[] lengths;

    /** Where the description of the last parsed table ended. */
    private final int end;

    private ZstdHuffman(int[] weights, int count, int end) throws ZipException {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            if (weights[i] > MAX_BITS) {
                throw new ZipException("zstd Huffman weight %d".formatted(weights[i]));
            }
            sum += weights[i] == 0 ? 0 : 1 << weights[i] - 1;
        }
        if (sum == 0) {
            throw new ZipException("zstd Huffman table is empty");
        }
        // The last symbol's weight is what is missing to a power of two.
        this.maxBits = Integer.SIZE - Integer.numberOfLeadingZeros(sum);
        int missing = (1 << maxBits) - sum;
        if (maxBits > MAX_BITS || Integer.bitCount(missing) != 1) {
            throw new ZipException("zstd Huffman weights don't add up");
        }
        weights[count] = Integer.numberOfTrailingZeros(missing) + 1;
        this.end = end;
        this.symbols = new byte[1 << maxBits];
        this.lengths = new byte[1 << maxBits];
        int position = 0;
        for (int weight = 1; weight <= maxBits; weight++) {
            for (int symbol = 0; symbol <= count; symbol++) {
                if (weights[symbol] == weight) {
                    int entries = 1 << weight - 1;
                    Arrays.fill(symbols, position, position + entries, (byte) symbol);
                    Arrays.fill(lengths, position, position + entries, (byte) (maxBits + 1 - weight));
                    position += entries;
                }
            }
        }
    }

    /** {@return the index behind the table's description} */
    int end() {
        return end;
    }

    /**
     * Reads a table's description (RFC 8878, 4.2.1).
     *
     * @param bytes holds the description, and {@link ZstdBits#PADDING} bytes more
     * @param start index of its first byte
     * @param limit index behind the last byte that may belong to it
     */
    static ZstdHuffman parse(byte[] bytes, int start, int limit) throws ZipException {
        int[] weights = new int[MAX_WEIGHTS + 1];
        int header = bytes[start] & 0xFF;
        int at = start + 1;
        if (header >= DIRECT) {
            int count = header - DIRECT + 1;
            int end = at + (count + 1) / 2;
            if (end > limit) {
                throw new ZipException("zstd Huffman table ends early");
            }
            for (int i = 0; i < count; i++) {
                int pair = bytes[at + i / 2] & 0xFF;
                weights[i] = (i & 1) == 0 ? pair >> 4 : pair & 15;
            }
            return new ZstdHuffman(weights, count, end);
        }
        int end = at + header;
        if (end > limit) {
            throw new ZipException("zstd Huffman table ends early");
        }
        ZstdFse.Parsed parsed = ZstdFse.parse(bytes, at, end, MAX_WEIGHT_ACCURACY_LOG, MAX_BITS + 2);
        return new ZstdHuffman(weights, weights(parsed.table(), new ZstdBits(bytes, parsed.end(), end), weights), end);
    }

    /** Decodes weights with two states in turn until the bits run out; returns their number. */
    private static int weights(ZstdFse table, ZstdBits bits, int[] weights) throws ZipException {
        int even = bits.read(table.accuracyLog);
        int odd = bits.read(table.accuracyLog);
        int count = 0;
        while (true) {
            if (count > MAX_WEIGHTS - 2) {
                throw new ZipException("zstd Huffman table has too many weights");
            }
            weights[count++] = table.symbols[even];
            if (bits.left() < table.bitCounts[even]) {
                weights[count++] = table.symbols[odd];
                return count;
            }
            even = table.baselines[even] + bits.read(table.bitCounts[even]);
            int swap = even;
            even = odd;
            odd = swap;
        }
    }

    /**
     * Decodes one stream.
     *
     * @param in holds the stream, and {@link ZstdBits#PADDING} bytes more
     * @param start index of its first byte
     * @param streamEnd index behind its last byte
     * @param out takes the literals
     * @param from first index in {@code out}
     * @param to index behind the last literal
     */
    void decode(byte[] in, int start, int streamEnd, byte[] out, int from, int to) throws ZipException {
        ZstdBits bits = new ZstdBits(in, start, streamEnd);
        for (int i = from; i < to; i++) {
            int code = bits.peek(maxBits);
            out[i] = symbols[code];
            bits.skip(lengths[code]);
        }
        if (bits.left() != 0) {
            throw new ZipException("zstd literals have the wrong length");
        }
    }
}
