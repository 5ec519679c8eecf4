package dev.kagami.boot;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.ZipException;

/**
 * Decodes the LZ4 legacy frame, the format of LZ4-compressed kernels: a magic number, then blocks that each hold 8 MiB of
 * data (the last one less) and are independent of each other (LZ4 frame format description, "Legacy frame"; LZ4 block
 * format description).
 */
final class Lz4LegacyDecoder {
    /** First four bytes, little-endian. */
    static final int MAGIC = 0x184C2102;

    private static final int BLOCK_SIZE = 8 << 20;
    /** What incompressible data grows to (LZ4 block format, worst case). */
    private static final int MAX_COMPRESSED_BLOCK = BLOCK_SIZE + BLOCK_SIZE / 255 + 16;

    private static final int MIN_MATCH = 4;
    private static final int LONG_LENGTH = 15;
    private static final int MATCH_LENGTH_MASK = 15;
    private static final int LITERAL_LENGTH_SHIFT = 4;
    private static final int LENGTH_CONTINUES = 255;

    private Lz4LegacyDecoder() {}

    /**
     * Decodes a frame.
     *
     * @param in the frame, from its magic number on; what comes behind {@code size} bytes of output is not read
     * @param size bytes of output that the frame must have
     * @param out takes the output
     * @throws IOException when the data is not such a frame or has less output
     */
    static void decode(InputStream in, long size, ByteSink out) throws IOException {
        if (readInt(in) != MAGIC) {
            throw new ZipException("no LZ4 legacy magic number");
        }
        byte[] block = new byte[(int) Math.min(size, BLOCK_SIZE)];
        byte[] compressed = new byte[0];
        long left = size;
        while (left > 0) {
            int length = readInt(in);
            if (length == MAGIC) {
                continue; // Frames may be concatenated.
            }
            if (length <= 0 || length > MAX_COMPRESSED_BLOCK) {
                throw new ZipException("LZ4 block of 0x%x bytes".formatted(length));
            }
            if (length > compressed.length) {
                compressed = new byte[length];
            }
            if (in.readNBytes(compressed, 0, length) < length) {
                throw new EOFException("LZ4 block ends early");
            }
            int decoded;
            try {
                decoded = decodeBlock(compressed, length, block);
            } catch (IndexOutOfBoundsException e) {
                throw new ZipException("LZ4 block has a length or a distance outside of its data");
            }
            if (decoded == 0 || decoded > left) {
                throw new ZipException("LZ4 data is longer than declared");
            }
            out.accept(block, 0, decoded);
            left -= decoded;
        }
    }

    /** Decodes one block; lets array bounds checks find what is out of range. */
    private static int decodeBlock(byte[] in, int inEnd, byte[] out) throws IOException {
        int position = 0;
        int written = 0;
        while (position < inEnd) {
            int token = in[position++] & 0xFF;
            int literals = token >>> LITERAL_LENGTH_SHIFT;
            if (literals == LONG_LENGTH) {
                int more;
                do {
                    more = in[position++] & 0xFF;
                    literals += more;
                } while (more == LENGTH_CONTINUES);
            }
            if (literals > inEnd - position) {
                throw new ZipException("LZ4 literals reach behind their block");
            }
            copyLiterals(in, position, out, written, literals);
            position += literals;
            written += literals;
            if (position == inEnd) {
                break; // The last sequence has literals only.
            }
            int distance = (in[position] & 0xFF) | (in[position + 1] & 0xFF) << 8;
            position += 2;
            int match = token & MATCH_LENGTH_MASK;
            if (match == LONG_LENGTH) {
                int more;
                do {
                    more = in[position++] & 0xFF;
                    match += more;
                } while (more == LENGTH_CONTINUES);
            }
            match += MIN_MATCH;
            if (distance == 0 || distance > written || match > out.length - written) {
                throw new ZipException("LZ4 match reaches outside of its block");
            }
            copyMatch(out, written, distance, match);
            written += match;
        }
        return written;
    }

    private static void copyLiterals(byte[] in, int from, byte[] out, int to, int length) {
        System.arraycopy(in, from, out, to, length);
    }

    private static void copyMatch(byte[] out, int to, int distance, int length) {
        if (distance >= length) {
            System.arraycopy(out, to - distance, out, to, length);
        } else {
            // Overlapping: the bytes just written repeat.
            for (int i = to; i < to + length; i++) {
                out[i] = out[i - distance];
            }
        }
    }

    private static int readInt(InputStream in) throws IOException {
        byte[] bytes = in.readNBytes(Integer.BYTES);
        if (bytes.length < Integer.BYTES) {
            throw new EOFException("LZ4 frame ends early");
        }
        return bytes[0] & 0xFF | (bytes[1] & 0xFF) << 8 | (bytes[2] & 0xFF) << 16 | bytes[3] << 24;
    }
}
