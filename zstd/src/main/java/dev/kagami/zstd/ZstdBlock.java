package dev.kagami.zstd;

import java.util.Arrays;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/** Decodes the compressed blocks of one zstd frame (RFC 8878, 3.1.1.3) and keeps what later blocks may refer to. */
final class ZstdBlock {
    private static final int MAX_LITERALS = 128 << 10;

    private static final int LITERALS_RAW = 0;
    private static final int LITERALS_RLE = 1;
    private static final int LITERALS_TREELESS = 3;

    private static final int MODE_PREDEFINED = 0;
    private static final int MODE_RLE = 1;
    private static final int MODE_COMPRESSED = 2;

    /** Literal lengths, offsets, match lengths: RFC 8878, 3.1.1.3.2.1.1. */
    static final int[] LITERAL_BASE = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512,
        1024, 2048, 4096, 8192, 16384, 32768, 65536
    };

    static final int[] LITERAL_BITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        16
    };
    static final int[] MATCH_BASE = {
        3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
        33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539
    };
    static final int[] MATCH_BITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2,
        2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    };
    static final int OFFSET_CODES = 32;
    private static final int MAX_LITERAL_LOG = 9;
    private static final int MAX_OFFSET_LOG = 8;
    private static final int MAX_MATCH_LOG = 9;

    /** Default distributions: RFC 8878, 3.1.1.3.2.2. */
    static final ZstdFse DEFAULT_LITERALS = ZstdFse.of(
            new int[] {
                4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1,
                -1, -1
            },
            36,
            6);

    static final ZstdFse DEFAULT_OFFSETS = ZstdFse.of(
            new int[] {1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1},
            29,
            5);

    static final ZstdFse DEFAULT_MATCHES = ZstdFse.of(
            new int[] {
                1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1
            },
            53,
            6);

    private @Nullable ZstdHuffman huffman;
    private @Nullable ZstdFse literalLengths;
    private @Nullable ZstdFse offsets;
    private @Nullable ZstdFse matchLengths;
    private int repeat1 = 1;
    private int repeat2 = 4;
    private int repeat3 = 8;

    private final byte[] literals = new byte[MAX_LITERALS];
    private int literalCount;
    /** Where parsing goes on in the block. */
    private int position;

    /**
     * Decodes a block.
     *
     * @param in the block, and {@link ZstdBits#PADDING} bytes more
     * @param inEnd the block's size
     * @param out takes the output
     * @param windowStart first index in there that a match may refer to
     * @param start first index of the output
     * @param limit index that the output must not pass
     * @return index behind the output
     * @throws ZipException when the block is damaged
     * @throws IndexOutOfBoundsException when the block is damaged
     */
    int decode(byte[] in, int inEnd, byte[] out, int windowStart, int start, int limit) throws ZipException {
        position = 0;
        literals(in, inEnd);
        return sequences(in, inEnd, out, windowStart, start, limit);
    }

    private void literals(byte[] in, int inEnd) throws ZipException {
        if (inEnd == 0) {
            throw new ZipException("zstd block is empty");
        }
        int type = in[0] & 3;
        int format = in[0] >> 2 & 3;
        long header = LittleEndian.getLong(in, 0);
        if (type == LITERALS_RAW || type == LITERALS_RLE) {
            int bytes = (format & 1) == 0 ? 1 : format == 1 ? 2 : 3;
            literalCount = (int) (header >> ((format & 1) == 0 ? 3 : 4)) & (1 << new int[] {0, 5, 12, 20}[bytes]) - 1;
            position = bytes;
            checkLiterals(type == LITERALS_RLE ? 1 : literalCount, inEnd);
            if (type == LITERALS_RAW) {
                System.arraycopy(in, position, literals, 0, literalCount);
                position += literalCount;
            } else {
                Arrays.fill(literals, 0, literalCount, in[position++]);
            }
            return;
        }
        int bits = new int[] {10, 10, 14, 18}[format];
        long mask = (1L << bits) - 1;
        literalCount = (int) (header >> 4 & mask);
        int compressed = (int) (header >> 4 + bits & mask);
        position = new int[] {3, 3, 4, 5}[format];
        checkLiterals(compressed, inEnd);
        int end = position + compressed;
        ZstdHuffman table = huffman;
        if (type != LITERALS_TREELESS) {
            table = ZstdHuffman.parse(in, position, end);
            huffman = table;
            position = table.end();
        }
        if (table == null) {
            throw new ZipException("zstd block refers to a Huffman table before there is one");
        }
        if (format == 0) {
            table.decode(in, position, end, literals, 0, literalCount);
        } else {
            fourStreams(table, in, end);
        }
        position = end;
    }

    private void checkLiterals(int bytes, int inEnd) throws ZipException {
        if (literalCount > MAX_LITERALS || bytes > inEnd - position) {
            throw new ZipException("zstd literals are longer than their block");
        }
    }

    /** RFC 8878, 3.1.1.3.1.6: three sizes, then four streams. */
    private void fourStreams(ZstdHuffman table, byte[] in, int end) throws ZipException {
        int start = position + 6;
        int each = (literalCount + 3) / 4;
        for (int i = 0; i < 4; i++) {
            int streamEnd = i == 3 ? end : start + LittleEndian.getShort(in, position + 2 * i);
            int to = i == 3 ? literalCount : each * (i + 1);
            if (streamEnd > end || to > literalCount) {
                throw new ZipException("zstd literals are longer than their block");
            }
            table.decode(in, start, streamEnd, literals, each * i, to);
            start = streamEnd;
        }
    }

    private int sequences(byte[] in, int inEnd, byte[] out, int windowStart, int start, int limit) throws ZipException {
        int count = sequenceCount(in, inEnd);
        if (count == 0) {
            if (position != inEnd) {
                throw new ZipException("zstd block has bytes behind its end");
            }
            return copyLiterals(out, start, limit, 0, literalCount);
        }
        int modes = in[position++];
        if ((modes & 3) != 0) {
            throw new ZipException("zstd block has reserved bits set");
        }
        ZstdFse literalTable = table(
                modes >> 6 & 3, in, inEnd, DEFAULT_LITERALS, literalLengths, MAX_LITERAL_LOG, LITERAL_BASE.length);
        ZstdFse offsetTable = table(modes >> 4 & 3, in, inEnd, DEFAULT_OFFSETS, offsets, MAX_OFFSET_LOG, OFFSET_CODES);
        ZstdFse matchTable =
                table(modes >> 2 & 3, in, inEnd, DEFAULT_MATCHES, matchLengths, MAX_MATCH_LOG, MATCH_BASE.length);
        literalLengths = literalTable;
        offsets = offsetTable;
        matchLengths = matchTable;

        ZstdBits bits = new ZstdBits(in, position, inEnd);
        int literalState = bits.read(literalTable.accuracyLog);
        int offsetState = bits.read(offsetTable.accuracyLog);
        int matchState = bits.read(matchTable.accuracyLog);
        int to = start;
        int literal = 0;
        for (int i = 0; i < count; i++) {
            int literalCode = literalTable.symbols[literalState];
            int offsetCode = offsetTable.symbols[offsetState];
            int matchCode = matchTable.symbols[matchState];
            // At most 31 + 16 + 16 bits, each read on its own.
            long offsetValue = (1L << offsetCode) + (bits.read(offsetCode) & 0xFFFF_FFFFL);
            int matchLength = MATCH_BASE[matchCode] + bits.read(MATCH_BITS[matchCode]);
            int literalLength = LITERAL_BASE[literalCode] + bits.read(LITERAL_BITS[literalCode]);
            if (i < count - 1) {
                literalState = literalTable.baselines[literalState] + bits.read(literalTable.bitCounts[literalState]);
                matchState = matchTable.baselines[matchState] + bits.read(matchTable.bitCounts[matchState]);
                offsetState = offsetTable.baselines[offsetState] + bits.read(offsetTable.bitCounts[offsetState]);
            }
            if (bits.left() < 0) {
                throw new ZipException("zstd sequences end early");
            }
            to = copyLiterals(out, to, limit, literal, literalLength);
            literal += literalLength;
            int distance = distance(offsetValue, literalLength);
            if (distance <= 0 || distance > to - windowStart || matchLength > limit - to) {
                throw new ZipException("zstd match reaches outside of its window");
            }
            copyMatch(out, to, distance, matchLength);
            to += matchLength;
        }
        if (bits.left() != 0) {
            throw new ZipException("zstd sequences have the wrong length");
        }
        return copyLiterals(out, to, limit, literal, literalCount - literal);
    }

    private int sequenceCount(byte[] in, int inEnd) throws ZipException {
        if (position >= inEnd) {
            throw new ZipException("zstd block has no sequences");
        }
        int first = in[position++] & 0xFF;
        if (first < 128) {
            return first;
        }
        if (first < 255) {
            return (first - 128 << 8) + (in[position++] & 0xFF);
        }
        position += 2;
        return LittleEndian.getShort(in, position - 2) + 0x7F00;
    }

    private ZstdFse table(
            int mode, byte[] in, int inEnd, ZstdFse predefined, @Nullable ZstdFse previous, int maxLog, int symbols)
            throws ZipException {
        switch (mode) {
            case MODE_PREDEFINED -> {
                return predefined;
            }
            case MODE_RLE -> {
                int symbol = in[position++] & 0xFF;
                if (symbol >= symbols) {
                    throw new ZipException("zstd code %d is out of range".formatted(symbol));
                }
                return ZstdFse.single(symbol);
            }
            case MODE_COMPRESSED -> {
                ZstdFse.Parsed parsed = ZstdFse.parse(in, position, inEnd, maxLog, symbols);
                position = parsed.end();
                return parsed.table();
            }
            default -> {
                if (previous == null) {
                    throw new ZipException("zstd block refers to a table before there is one");
                }
                return previous;
            }
        }
    }

    /** Resolves an offset value, which may stand for one of the last three distances (RFC 8878, 3.1.1.5). */
    private int distance(long value, int literalLength) {
        if (value > 3) {
            repeat3 = repeat2;
            repeat2 = repeat1;
            // A larger one is refused by the caller.
            repeat1 = (int) Math.min(value - 3, Integer.MAX_VALUE);
            return repeat1;
        }
        int index = (int) value - (literalLength == 0 ? 0 : 1);
        int distance = switch (index) {
            case 0 -> repeat1;
            case 1 -> repeat2;
            case 2 -> repeat3;
            default -> repeat1 - 1;
        };
        if (index > 1) {
            repeat3 = repeat2;
        }
        if (index > 0) {
            repeat2 = repeat1;
            repeat1 = distance;
        }
        return distance;
    }

    private int copyLiterals(byte[] out, int to, int limit, int from, int length) throws ZipException {
        if (length < 0 || length > literalCount - from || length > limit - to) {
            throw new ZipException("zstd sequences use more literals than there are");
        }
        System.arraycopy(literals, from, out, to, length);
        return to + length;
    }

    private static void copyMatch(byte[] out, int to, int distance, int length) {
        if (distance >= length) {
            System.arraycopy(out, to - distance, out, to, length);
        } else {
            for (int i = to; i < to + length; i++) {
                out[i] = out[i - distance];
            }
        }
    }
}
