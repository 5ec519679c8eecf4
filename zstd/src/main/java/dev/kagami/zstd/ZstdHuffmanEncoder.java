package dev.kagami.zstd;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Huffman codes for literals (RFC 8878, 4.2), made for their frequencies. */
final class ZstdHuffmanEncoder {
    private static final int SYMBOLS = 256;
    private static final int MAX_BITS = 11;
    private static final int MAX_DIRECT_WEIGHTS = 128;
    private static final int WEIGHT_SYMBOLS = MAX_BITS + 1;
    private static final int WEIGHT_ACCURACY_LOG = 6;
    private static final int FSE_DESCRIPTION_LIMIT = 127;

    private final int[] codes = new int[SYMBOLS];
    private final int[] lengths;
    private final byte[] description;

    private ZstdHuffmanEncoder(int[] lengths, byte[] description) {
        this.lengths = lengths;
        this.description = description;
    }

    /**
     * Makes codes.
     *
     * @param counts how often each byte occurs; at least two do
     * @return the codes, or null when they can't be described
     */
    static @Nullable ZstdHuffmanEncoder of(int[] counts) {
        int[] lengths = lengths(counts);
        int maxBits = Arrays.stream(lengths).max().orElse(0);
        int lastSymbol = SYMBOLS - 1;
        while (lengths[lastSymbol] == 0) {
            lastSymbol--;
        }
        int[] weights = new int[lastSymbol + 1];
        for (int i = 0; i <= lastSymbol; i++) {
            weights[i] = lengths[i] == 0 ? 0 : maxBits + 1 - lengths[i];
        }
        byte[] description = describe(weights, lastSymbol);
        if (description == null) {
            return null;
        }
        ZstdHuffmanEncoder encoder = new ZstdHuffmanEncoder(lengths, description);
        int position = 0;
        for (int weight = 1; weight <= maxBits; weight++) {
            for (int symbol = 0; symbol <= lastSymbol; symbol++) {
                if (weights[symbol] == weight) {
                    encoder.codes[symbol] = position >> weight - 1;
                    position += 1 << weight - 1;
                }
            }
        }
        return encoder;
    }

    /** Finds code lengths of at most 11 bits. */
    private static int[] lengths(int[] counts) {
        int[] scaled = counts.clone();
        while (true) {
            int[] lengths = treeDepths(scaled);
            if (Arrays.stream(lengths).max().orElse(0) <= MAX_BITS) {
                return lengths;
            }
            // Rare bytes are made less rare until the tree is flat enough.
            for (int i = 0; i < SYMBOLS; i++) {
                scaled[i] = scaled[i] == 0 ? 0 : (scaled[i] >> 1) + 1;
            }
        }
    }

    /** Huffman's algorithm, with two queues: leaves by frequency, and inner nodes in the order they are made. */
    private static int[] treeDepths(int[] counts) {
        int[] leaves = java.util.stream.IntStream.range(0, SYMBOLS)
                .filter(i -> counts[i] > 0)
                .boxed()
                .sorted((one, other) -> Integer.compare(counts[one], counts[other]))
                .mapToInt(Integer::intValue)
                .toArray();
        int count = leaves.length;
        long[] weight = new long[2 * count - 1];
        int[] parent = new int[2 * count - 1];
        for (int i = 0; i < count; i++) {
            weight[i] = counts[leaves[i]];
        }
        int leaf = 0;
        int inner = count;
        for (int node = count; node < 2 * count - 1; node++) {
            for (int side = 0; side < 2; side++) {
                int child = leaf < count && (inner == node || weight[leaf] <= weight[inner]) ? leaf++ : inner++;
                weight[node] += weight[child];
                parent[child] = node;
            }
        }
        int[] depths = new int[2 * count - 1];
        int[] lengths = new int[SYMBOLS];
        for (int node = 2 * count - 3; node >= 0; node--) {
            depths[node] = depths[parent[node]] + 1;
            if (node < count) {
                lengths[leaves[node]] = depths[node];
            }
        }
        return lengths;
    }

    /** RFC 8878, 4.2.1: all weights but the last, which is what is missing. */
    private static byte @Nullable [] describe(int[] weights, int count) {
        byte[] compressed = describeCompressed(weights, count);
        if (count <= MAX_DIRECT_WEIGHTS && (compressed == null || compressed.length > 1 + (count + 1) / 2)) {
            byte[] direct = new byte[1 + (count + 1) / 2];
            direct[0] = (byte) (MAX_DIRECT_WEIGHTS - 1 + count);
            for (int i = 0; i < count; i++) {
                direct[1 + i / 2] |= (byte) (weights[i] << ((i & 1) == 0 ? 4 : 0));
            }
            return direct;
        }
        return compressed;
    }

    private static byte @Nullable [] describeCompressed(int[] weights, int count) {
        int[] counts = new int[WEIGHT_SYMBOLS];
        for (int i = 0; i < count; i++) {
            counts[weights[i]]++;
        }
        if (count < 2 || Arrays.stream(counts).filter(each -> each > 0).count() < 2) {
            return null;
        }
        int[] probabilities = normalize(counts, count);
        byte[] header = describe(probabilities);
        ZstdFseEncoder encoder =
                new ZstdFseEncoder(ZstdFse.of(probabilities, WEIGHT_SYMBOLS, WEIGHT_ACCURACY_LOG), WEIGHT_SYMBOLS);
        // Two states take turns; the last two weights need no more bits.
        ZstdBitWriter bits = new ZstdBitWriter();
        int[] states = new int[2];
        for (int i = count - 1; i >= 0; i--) {
            states[i & 1] = i >= count - 2 ? encoder.last(weights[i]) : encoder.step(weights[i], states[i & 1], bits);
        }
        encoder.writeState(states[1], bits);
        encoder.writeState(states[0], bits);
        byte[] stream = bits.finishBackward();
        int length = header.length + stream.length;
        if (length > FSE_DESCRIPTION_LIMIT) {
            return null;
        }
        byte[] description = new byte[1 + length];
        description[0] = (byte) length;
        System.arraycopy(header, 0, description, 1, header.length);
        System.arraycopy(stream, 0, description, 1 + header.length, stream.length);
        return description;
    }

    /** Scales counts so that they add up to the number of states, and none that occurs gets nothing. */
    private static int[] normalize(int[] counts, int total) {
        int states = 1 << WEIGHT_ACCURACY_LOG;
        int[] probabilities = new int[counts.length];
        int left = states;
        int most = 0;
        for (int i = 0; i < counts.length; i++) {
            if (counts[i] > 0) {
                probabilities[i] = Math.max(1, counts[i] * states / total);
                left -= probabilities[i];
            }
            if (counts[i] > counts[most]) {
                most = i;
            }
        }
        probabilities[most] += left;
        return probabilities;
    }

    /** RFC 8878, 4.1.1. */
    private static byte[] describe(int[] probabilities) {
        ZstdBitWriter bits = new ZstdBitWriter();
        bits.write(WEIGHT_ACCURACY_LOG - 5, 4);
        int remaining = 1 << WEIGHT_ACCURACY_LOG;
        int symbol = 0;
        while (remaining > 0) {
            int value = probabilities[symbol] + 1;
            int count = Integer.SIZE - Integer.numberOfLeadingZeros(remaining + 1);
            int threshold = (1 << count) - 1 - (remaining + 1);
            int half = 1 << count - 1;
            if (value < threshold) {
                bits.write(value, count - 1);
            } else {
                bits.write(value < half ? value : value + threshold, count);
            }
            remaining -= probabilities[symbol];
            if (probabilities[symbol++] == 0) {
                int zeros = 0;
                while (probabilities[symbol + zeros] == 0) {
                    zeros++;
                }
                symbol += zeros;
                for (; zeros >= 3; zeros -= 3) {
                    bits.write(3, 2);
                }
                bits.write(zeros, 2);
            }
        }
        return bits.finishForward();
    }

    /** {@return the table as it is written} */
    byte[] description() {
        return description;
    }

    /** {@return a stream of literals} */
    byte[] encode(byte[] literals, int from, int to) {
        ZstdBitWriter bits = new ZstdBitWriter();
        for (int i = to - 1; i >= from; i--) {
            int symbol = literals[i] & 0xFF;
            bits.write(codes[symbol], lengths[symbol]);
        }
        return bits.finishBackward();
    }
}
