package dev.kagami.zstd;

import java.util.zip.ZipException;

/**
 * Reads a zstd bitstream backwards (RFC 8878, 4.1: FSE and Huffman streams are written forwards and read from the end).
 */
final class ZstdBits {
    /** Bytes that must follow the data in its array, because it is read 8 bytes at a time. */
    static final int PADDING = 8;

    private static final int START_SEARCH = Byte.SIZE - 1;

    private final byte[] bytes;
    private final int start;
    /** Unread bits; they are the lowest of the stream. Negative when more was read than there is. */
    private int left;

    /**
     * Starts at the end of a stream.
     *
     * @param bytes holds the stream, and {@link #PADDING} bytes more
     * @param start index of its first byte
     * @param end index behind its last byte, in which the highest 1 bit ends the stream
     */
    ZstdBits(byte[] bytes, int start, int end) throws ZipException {
        if (end <= start || bytes[end - 1] == 0) {
            throw new ZipException("zstd bitstream has no end mark");
        }
        this.bytes = bytes;
        this.start = start;
        int last = bytes[end - 1] & 0xFF;
        int markBit = START_SEARCH - (Integer.numberOfLeadingZeros(last) - (Integer.SIZE - Byte.SIZE));
        this.left = (end - 1 - start) * Byte.SIZE + markBit;
    }

    /** {@return how many bits are left; negative when the stream was too short for what was read} */
    int left() {
        return left;
    }

    /** Takes bits back that {@link #read} got too many of. */
    void skip(int count) {
        left -= count;
    }

    /** Reads 0 to 31 bits; those before the stream's start are 0. */
    int read(int count) {
        int value = peek(count);
        left -= count;
        return value;
    }

    /** Like {@link #read}, but leaves them. */
    int peek(int count) {
        int from = left - count;
        long mask = (1L << count) - 1;
        if (from >= 0) {
            return (int) (LittleEndian.getLong(bytes, start + (from >> 3)) >>> (from & 7) & mask);
        }
        if (left <= 0) {
            return 0;
        }
        // Less is left than wanted, so what is left fits a load from the start.
        return (int) ((LittleEndian.getLong(bytes, start) & (1L << left) - 1) << -from & mask);
    }
}
