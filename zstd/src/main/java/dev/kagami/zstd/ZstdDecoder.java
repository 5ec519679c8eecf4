package dev.kagami.zstd;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.zip.ZipException;

/**
 * Decodes Zstandard frames (RFC 8878) without dictionaries; content checksums are not checked. Keeps the window only, and
 * never more than the declared size of the output.
 */
public final class ZstdDecoder {
    /** Takes the output in order, piece by piece, so that nobody needs to hold the whole of it. */
    @FunctionalInterface
    public interface Output {
        /**
         * Takes the next bytes. The array belongs to the decoder again on return.
         *
         * @param bytes holds the piece
         * @param offset index of its first byte
         * @param length bytes, may be 0
         */
        void accept(byte[] bytes, int offset, int length);
    }

    private static final int MAGIC = 0xFD2FB528;
    private static final int SKIPPABLE_MAGIC = 0x184D2A50;
    private static final int SKIPPABLE_MASK = 0xFFFF_FFF0;
    private static final int MAX_BLOCK = 128 << 10;
    private static final int FIRST_BUFFER = 1 << 20;
    private static final int MIN_WINDOW_LOG = 10;

    private static final int BLOCK_RAW = 0;
    private static final int BLOCK_RLE = 1;
    private static final int BLOCK_COMPRESSED = 2;

    private final InputStream in;
    private final long size;
    private final long memoryLimit;
    private final Output out;

    /** The window, and behind it what is being decoded. */
    private byte[] buffer = new byte[0];

    private int end;
    private long window;
    private long produced;
    private final byte[] block = new byte[MAX_BLOCK + ZstdBits.PADDING];

    private ZstdDecoder(InputStream in, long size, long memoryLimit, Output out) {
        this.in = in;
        this.size = size;
        this.memoryLimit = memoryLimit;
        this.out = out;
    }

    /**
     * Decodes frames until there is as much output as declared.
     *
     * @param in the first frame, from its magic number on
     * @param size bytes of output
     * @param memoryLimit most bytes for the window
     * @param out takes the output
     * @throws WindowTooLargeException when the window is larger; there was no output then
     * @throws IOException when the data is damaged or has less or more output
     */
    public static void decode(InputStream in, long size, long memoryLimit, Output out) throws IOException {
        ZstdDecoder decoder = new ZstdDecoder(in, size, memoryLimit, out);
        while (decoder.produced < size) {
            decoder.frame();
        }
    }

    private void frame() throws IOException {
        int magic = (int) read(Integer.BYTES);
        if ((magic & SKIPPABLE_MASK) == SKIPPABLE_MAGIC) {
            in.skipNBytes(read(Integer.BYTES));
            return;
        }
        if (magic != MAGIC) {
            throw new ZipException("no zstd magic number");
        }
        // Frame header: RFC 8878, 3.1.1.1.
        int descriptor = (int) read(1);
        boolean singleSegment = (descriptor & 0x20) != 0;
        boolean checksum = (descriptor & 4) != 0;
        if ((descriptor & 8) != 0) {
            throw new ZipException("zstd frame header has a reserved bit set");
        }
        if (!singleSegment) {
            int windowDescriptor = (int) read(1);
            long base = 1L << MIN_WINDOW_LOG + (windowDescriptor >> 3);
            window = base + (base >> 3) * (windowDescriptor & 7);
        }
        long dictionary = read(new int[] {0, 1, 2, 4}[descriptor & 3]);
        if (dictionary != 0) {
            throw new ZipException("zstd frame needs a dictionary");
        }
        int contentSizeFlag = descriptor >> 6;
        long contentSize = read(contentSizeFlag == 0 ? singleSegment ? 1 : 0 : 1 << contentSizeFlag);
        if (contentSizeFlag == 1) {
            contentSize += 256;
        }
        if (singleSegment) {
            window = contentSize;
        }
        // Nothing refers to what was never produced, whatever the header says.
        window = window < 0 ? size : Math.min(window, size);
        if (capacity() > memoryLimit) {
            throw new WindowTooLargeException(capacity(), memoryLimit);
        }
        end = 0;
        ZstdBlock entropy = new ZstdBlock();
        boolean last;
        do {
            int header = (int) read(3);
            last = (header & 1) != 0;
            block(entropy, header >> 1 & 3, header >> 3);
        } while (!last);
        if (checksum) {
            read(Integer.BYTES);
        }
    }

    private void block(ZstdBlock entropy, int type, int length) throws IOException {
        if (length > MAX_BLOCK) {
            throw new ZipException("zstd block of %d bytes".formatted(length));
        }
        makeRoom();
        int start = end;
        switch (type) {
            case BLOCK_RAW -> {
                readFully(buffer, end, length);
                end += length;
            }
            case BLOCK_RLE -> {
                Arrays.fill(buffer, end, end + length, (byte) read(1));
                end += length;
            }
            case BLOCK_COMPRESSED -> {
                readFully(block, 0, length);
                try {
                    end = entropy.decode(block, length, buffer, 0, end, end + MAX_BLOCK);
                } catch (IndexOutOfBoundsException e) {
                    throw new ZipException("zstd block has a length or an offset outside of its data");
                }
            }
            default -> throw new ZipException("zstd block has the reserved type");
        }
        produced += end - start;
        if (produced > size) {
            throw new ZipException("zstd data unpacks to more than the declared %d bytes".formatted(size));
        }
        out.accept(buffer, start, end - start);
    }

    /** Bytes that the buffer grows to: as much again as the window, so that moving it down is rare. */
    private long capacity() {
        return Math.min(size, window + Math.max(window, FIRST_BUFFER)) + MAX_BLOCK;
    }

    private void makeRoom() {
        if (end + MAX_BLOCK <= buffer.length) {
            return;
        }
        int capacity = (int) capacity();
        if (buffer.length < capacity) {
            // Grows with what was produced, not with what a header promises.
            int grown = (int) Math.min(Math.max(FIRST_BUFFER, 2L * buffer.length), capacity);
            buffer = Arrays.copyOf(buffer, grown);
            if (end + MAX_BLOCK <= buffer.length) {
                return;
            }
        }
        int keep = (int) Math.min(window, end);
        System.arraycopy(buffer, end - keep, buffer, 0, keep);
        end = keep;
    }

    private void readFully(byte[] target, int offset, int length) throws IOException {
        if (in.readNBytes(target, offset, length) < length) {
            throw new EOFException("zstd data ends early");
        }
    }

    /** Reads a little-endian value of 0 to 8 bytes. */
    private long read(int bytes) throws IOException {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            int next = in.read();
            if (next < 0) {
                throw new EOFException("zstd data ends early");
            }
            value |= (long) next << 8 * i;
        }
        return value;
    }
}
