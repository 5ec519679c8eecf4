package dev.kagami.zstd;

import java.util.Arrays;

/** Writes bits, those of a byte from its lowest on, as {@link ZstdBits} reads them from the end. */
final class ZstdBitWriter {
    private byte[] bytes = new byte[1024];
    private int size;
    private long pending;
    private int pendingBits;

    /** Adds the lowest bits of a value, at most 32. */
    void write(int value, int count) {
        pending |= (value & (1L << count) - 1) << pendingBits;
        pendingBits += count;
        if (pendingBits >= Integer.SIZE) {
            if (size > bytes.length - Integer.BYTES) {
                bytes = Arrays.copyOf(bytes, 2 * bytes.length);
            }
            LittleEndian.putInt(bytes, size, (int) pending);
            size += Integer.BYTES;
            pending >>>= Integer.SIZE;
            pendingBits -= Integer.SIZE;
        }
    }

    /** Ends a stream that is read from its end: a 1 bit, and zeros to the end of its byte. */
    byte[] finishBackward() {
        write(1, 1);
        return finishForward();
    }

    /** Ends a stream with zeros to the end of its byte. */
    byte[] finishForward() {
        byte[] result = Arrays.copyOf(bytes, size + (pendingBits + 7 >> 3));
        for (int i = size; i < result.length; i++) {
            result[i] = (byte) (pending >>> 8 * (i - size));
        }
        return result;
    }
}
