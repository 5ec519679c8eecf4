package dev.kagami.net.packet;

import java.nio.ByteBuffer;

/** The Internet checksum (RFC 1071): the one's complement sum of 16-bit words. Buffers are big-endian. */
public final class Checksum {
    private static final long LOW_WORD = 0xFFFF_FFFFL;

    private Checksum() {}

    /** {@return the unfolded sum of a range of a buffer and an earlier unfolded sum} */
    public static long add(long sum, ByteBuffer buffer, int offset, int length) {
        int position = offset;
        int end = offset + length;
        // 2^16 is 1 modulo 2^16-1, so words of any multiple of 16 bits may be added (RFC 1071 2).
        long first = 0;
        long second = 0;
        for (; position + 16 <= end; position += 16) {
            long a = buffer.getLong(position);
            long b = buffer.getLong(position + 8);
            first += (a >>> 32) + (a & LOW_WORD);
            second += (b >>> 32) + (b & LOW_WORD);
        }
        long total = sum + fold(first) + fold(second);
        for (; position + 2 <= end; position += 2) {
            total += buffer.getShort(position) & 0xFFFF;
        }
        if (position < end) {
            total += (buffer.get(position) & 0xFF) << 8;
        }
        return total;
    }

    /** {@return the unfolded sum of a 64-bit value} */
    public static long words(long value) {
        return (value >>> 32) + (value & LOW_WORD);
    }

    /** {@return the sum in 16 bits, with the carries added} */
    public static int fold(long sum) {
        long folded = (sum >>> 32) + (sum & LOW_WORD);
        folded = (folded >>> 16) + (folded & 0xFFFF);
        folded = (folded >>> 16) + (folded & 0xFFFF);
        folded = (folded >>> 16) + (folded & 0xFFFF);
        return (int) folded;
    }

    /** {@return the checksum to store: the complement of the folded sum} */
    public static int finish(long sum) {
        return ~fold(sum) & 0xFFFF;
    }

    /** {@return the checksum of a range} */
    public static int of(ByteBuffer buffer, int offset, int length) {
        return finish(add(0, buffer, offset, length));
    }
}
