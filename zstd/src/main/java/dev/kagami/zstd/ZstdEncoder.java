package dev.kagami.zstd;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Packs pieces of memory into Zstandard frames: greedy matches by a hash chain, Huffman codes for literals, and the
 * predefined codes for sequences, which leave little to be gained in pieces as small as a cluster.
 */
public final class ZstdEncoder {
    private static final int MAX_HASH_BITS = 15;
    private static final int HASH_MULTIPLIER = 0x9E37_79B1;
    private static final int CHAIN_DEPTH = 24;
    private static final int MIN_MATCH = 4;
    private static final int GOOD_MATCH = 128;
    private static final int MIN_HUFFMAN_LITERALS = 32;
    private static final int ONE_STREAM_LITERALS = 256;

    private static final int SINGLE_SEGMENT = 0x20;
    private static final int CONTENT_SIZE_4 = 0x80;

    private static final ZstdFseEncoder LITERAL_CODES =
            new ZstdFseEncoder(ZstdBlock.DEFAULT_LITERALS, ZstdBlock.LITERAL_BASE.length);
    private static final ZstdFseEncoder OFFSET_CODES =
            new ZstdFseEncoder(ZstdBlock.DEFAULT_OFFSETS, ZstdBlock.OFFSET_CODES);
    private static final ZstdFseEncoder MATCH_CODES =
            new ZstdFseEncoder(ZstdBlock.DEFAULT_MATCHES, ZstdBlock.MATCH_BASE.length);

    private final byte[] in;
    private final int size;
    private final int hashBits;
    private final int[] heads;
    private final int[] chain;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private final byte[] literals;
    private int literalCount;
    /** Literal length, offset value and match length of each sequence. */
    private int[] sequences = new int[3 * 1024];

    private int sequenceCount;
    private int repeat1 = 1;
    private int repeat2 = 4;
    private int repeat3 = 8;

    private ZstdEncoder(byte[] in) {
        this.in = in;
        this.size = in.length;
        this.hashBits = Math.min(MAX_HASH_BITS, Integer.SIZE - Integer.numberOfLeadingZeros(size));
        this.heads = new int[1 << hashBits];
        this.chain = new int[size];
        this.literals = new byte[Math.min(size, Zstd.MAX_BLOCK)];
    }

    /** {@return a frame that unpacks to the bytes; not always shorter than they are} */
    public static byte[] compress(byte[] bytes) {
        ZstdEncoder encoder = new ZstdEncoder(bytes);
        encoder.frame();
        return encoder.out.toByteArray();
    }

    private void write(long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            out.write((int) (value >>> 8 * i));
        }
    }

    private void frame() {
        write(Zstd.MAGIC, Integer.BYTES);
        write(CONTENT_SIZE_4 | SINGLE_SEGMENT, 1);
        write(size, Integer.BYTES);
        Arrays.fill(heads, -1);
        int start = 0;
        do {
            int end = Math.min(size, start + Zstd.MAX_BLOCK);
            block(start, end);
            start = end;
        } while (start < size);
    }

    private void block(int start, int end) {
        int last = end == size ? 1 : 0;
        int length = end - start;
        int same = start + 1;
        while (same < end && in[same] == in[start]) {
            same++;
        }
        if (length > 1 && same == end) {
            write(last | Zstd.BLOCK_RLE << 1 | (long) length << 3, 3);
            out.write(in[start]);
            return;
        }
        int before1 = repeat1;
        int before2 = repeat2;
        int before3 = repeat3;
        findSequences(start, end);
        byte[] packed = pack();
        if (packed.length < length) {
            write(last | Zstd.BLOCK_COMPRESSED << 1 | (long) packed.length << 3, 3);
            out.writeBytes(packed);
        } else {
            repeat1 = before1;
            repeat2 = before2;
            repeat3 = before3;
            write(last | Zstd.BLOCK_RAW << 1 | (long) length << 3, 3);
            out.write(in, start, length);
        }
    }

    private int hash(int at) {
        return LittleEndian.getInt(in, at) * HASH_MULTIPLIER >>> Integer.SIZE - hashBits;
    }

    private void insert(int at) {
        int hash = hash(at);
        chain[at] = heads[hash];
        heads[hash] = at;
    }

    private void findSequences(int start, int end) {
        literalCount = 0;
        sequenceCount = 0;
        int literalStart = start;
        int at = start;
        // A match must not reach into the next block, and a hash looks at four bytes.
        int limit = end - MIN_MATCH;
        while (at <= limit) {
            int bestLength = MIN_MATCH - 1;
            int bestDistance = 0;
            if (at >= repeat1) {
                int length = matchLength(at - repeat1, at, end);
                if (length > bestLength) {
                    bestLength = length;
                    bestDistance = repeat1;
                }
            }
            int candidate = heads[hash(at)];
            for (int depth = CHAIN_DEPTH; candidate >= 0 && depth > 0 && bestLength < GOOD_MATCH; depth--) {
                int length = matchLength(candidate, at, end);
                // A repeated distance costs next to nothing, a new one about two bytes.
                if (length > bestLength + (bestDistance == repeat1 ? 1 : 0)) {
                    bestLength = length;
                    bestDistance = at - candidate;
                }
                candidate = chain[candidate];
            }
            insert(at);
            if (bestDistance == 0) {
                // Where nothing repeats, look less often.
                at += 1 + (at - literalStart >> 8);
                continue;
            }
            addSequence(literalStart, at - literalStart, bestDistance, bestLength);
            for (int i = at + 1; i < Math.min(at + bestLength, limit); i++) {
                insert(i);
            }
            at += bestLength;
            literalStart = at;
        }
        addLiterals(literalStart, end - literalStart);
    }

    private int matchLength(int one, int other, int end) {
        int most = end - other;
        int mismatch = Arrays.mismatch(in, one, one + most, in, other, end);
        return mismatch < 0 ? most : mismatch;
    }

    private void addLiterals(int from, int count) {
        System.arraycopy(in, from, literals, literalCount, count);
        literalCount += count;
    }

    private void addSequence(int literalStart, int literalLength, int distance, int matchLength) {
        addLiterals(literalStart, literalLength);
        if (3 * sequenceCount == sequences.length) {
            sequences = Arrays.copyOf(sequences, 2 * sequences.length);
        }
        sequences[3 * sequenceCount] = literalLength;
        sequences[3 * sequenceCount + 1] = offsetValue(distance, literalLength);
        sequences[3 * sequenceCount + 2] = matchLength;
        sequenceCount++;
    }

    /** RFC 8878, 3.1.1.5: the last distances have short names, which mean others when there are no literals. */
    private int offsetValue(int distance, int literalLength) {
        int shift = literalLength == 0 ? 0 : 1;
        if (shift == 1 && distance == repeat1) {
            return 1;
        }
        int value;
        if (distance == repeat2) {
            value = 1 + shift;
        } else if (distance == repeat3) {
            value = 2 + shift;
            repeat3 = repeat2;
        } else {
            value = shift == 0 && distance == repeat1 - 1 ? 3 : distance + 3;
            repeat3 = repeat2;
        }
        repeat2 = repeat1;
        repeat1 = distance;
        return value;
    }

    private byte[] pack() {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        packLiterals(packed);
        if (sequenceCount < 128) {
            packed.write(sequenceCount);
        } else if (sequenceCount < 0x7F00) {
            packed.write((sequenceCount >> 8) + 128);
            packed.write(sequenceCount);
        } else {
            packed.write(255);
            packed.write(sequenceCount - 0x7F00);
            packed.write(sequenceCount - 0x7F00 >> 8);
        }
        if (sequenceCount > 0) {
            // All three codes are the predefined ones.
            packed.write(0);
            packed.writeBytes(packSequences());
        }
        return packed.toByteArray();
    }

    private static void write(ByteArrayOutputStream to, long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            to.write((int) (value >>> 8 * i));
        }
    }

    /** RFC 8878, 3.1.1.3.1. */
    private void packLiterals(ByteArrayOutputStream packed) {
        int[] counts = new int[256];
        for (int i = 0; i < literalCount; i++) {
            counts[literals[i] & 0xFF]++;
        }
        boolean single = literalCount > 0 && counts[literals[0] & 0xFF] == literalCount;
        byte[] coded = single || literalCount < MIN_HUFFMAN_LITERALS ? null : huffman(counts);
        if (coded != null) {
            packed.writeBytes(coded);
            return;
        }
        int type = single ? 1 : 0;
        if (literalCount < 32) {
            write(packed, type | literalCount << 3, 1);
        } else if (literalCount < 4096) {
            write(packed, type | 1 << 2 | literalCount << 4, 2);
        } else {
            write(packed, type | 3 << 2 | literalCount << 4, 3);
        }
        packed.write(literals, 0, single ? 1 : literalCount);
    }

    private byte @Nullable [] huffman(int[] counts) {
        ZstdHuffmanEncoder encoder = ZstdHuffmanEncoder.of(counts);
        if (encoder == null) {
            return null;
        }
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.writeBytes(encoder.description());
        boolean oneStream = literalCount < ONE_STREAM_LITERALS;
        if (oneStream) {
            body.writeBytes(encoder.encode(literals, 0, literalCount));
        } else {
            int each = (literalCount + 3) / 4;
            byte[][] streams = new byte[4][];
            for (int i = 0; i < 4; i++) {
                streams[i] = encoder.encode(literals, each * i, i == 3 ? literalCount : each * (i + 1));
                if (i < 3) {
                    write(body, streams[i].length, 2);
                }
            }
            for (byte[] stream : streams) {
                body.writeBytes(stream);
            }
        }
        int length = body.size();
        if (length >= literalCount) {
            return null;
        }
        int format = oneStream ? 0 : literalCount < 1024 ? 1 : literalCount < 16384 ? 2 : 3;
        int bits = format < 2 ? 10 : format == 2 ? 14 : 18;
        ByteArrayOutputStream section = new ByteArrayOutputStream();
        write(section, 2 | format << 2 | (long) literalCount << 4 | (long) length << 4 + bits, (4 + 2 * bits) / 8);
        section.writeBytes(body.toByteArray());
        return section.toByteArray();
    }

    /** RFC 8878, 3.1.1.3.2.1: written from the last sequence to the first, in the reverse of how it is read. */
    private byte[] packSequences() {
        ZstdBitWriter bits = new ZstdBitWriter();
        int literalState = 0;
        int offsetState = 0;
        int matchState = 0;
        for (int i = sequenceCount - 1; i >= 0; i--) {
            int literalLength = sequences[3 * i];
            int offset = sequences[3 * i + 1];
            int matchLength = sequences[3 * i + 2];
            int literalCode = code(ZstdBlock.LITERAL_BASE, literalLength);
            int offsetCode = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(offset);
            int matchCode = code(ZstdBlock.MATCH_BASE, matchLength);
            if (i == sequenceCount - 1) {
                literalState = LITERAL_CODES.last(literalCode);
                offsetState = OFFSET_CODES.last(offsetCode);
                matchState = MATCH_CODES.last(matchCode);
            } else {
                offsetState = OFFSET_CODES.step(offsetCode, offsetState, bits);
                matchState = MATCH_CODES.step(matchCode, matchState, bits);
                literalState = LITERAL_CODES.step(literalCode, literalState, bits);
            }
            bits.write(literalLength - ZstdBlock.LITERAL_BASE[literalCode], ZstdBlock.LITERAL_BITS[literalCode]);
            bits.write(matchLength - ZstdBlock.MATCH_BASE[matchCode], ZstdBlock.MATCH_BITS[matchCode]);
            bits.write(offset - (1 << offsetCode), offsetCode);
        }
        MATCH_CODES.writeState(matchState, bits);
        OFFSET_CODES.writeState(offsetState, bits);
        LITERAL_CODES.writeState(literalState, bits);
        return bits.finishBackward();
    }

    /** {@return the last code whose base isn't above a length} */
    private static int code(int[] bases, int length) {
        int found = Arrays.binarySearch(bases, length);
        return found >= 0 ? found : -found - 2;
    }
}
