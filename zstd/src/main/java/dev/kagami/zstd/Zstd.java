package dev.kagami.zstd;

import java.util.Arrays;
import java.util.zip.ZipException;

/** Unpacks Zstandard frames without dictionaries. Content checksums are not checked. */
public final class Zstd {
    /** Bytes that must follow packed data in its array, because it is read 8 bytes at a time. */
    public static final int PADDING = ZstdBits.PADDING;

    static final int MAGIC = 0xFD2FB528;
    private static final int SKIPPABLE_MAGIC = 0x184D2A50;
    private static final int SKIPPABLE_MASK = 0xFFFF_FFF0;
    static final int MAX_BLOCK = 128 << 10;

    static final int BLOCK_RAW = 0;
    static final int BLOCK_RLE = 1;
    static final int BLOCK_COMPRESSED = 2;

    private final byte[] in;
    private final int end;
    private final byte[] out;
    private int position;
    private int produced;

    private Zstd(byte[] in, int end, byte[] out) {
        this.in = in;
        this.end = end;
        this.out = out;
    }

    /**
     * Unpacks frames until an array is full. What comes behind is ignored.
     *
     * @param packed the frames, and {@link #PADDING} bytes more
     * @param length bytes that may belong to frames
     * @param unpacked to be filled
     * @throws ZipException when the data is damaged, or is less or more than fits
     */
    public static void decompress(byte[] packed, int length, byte[] unpacked) throws ZipException {
        Zstd decoder = new Zstd(packed, length, unpacked);
        try {
            while (decoder.produced < unpacked.length) {
                decoder.frame();
            }
        } catch (IndexOutOfBoundsException e) {
            throw damaged("a length or an offset outside of the data");
        }
    }

    private static ZipException damaged(String what) {
        return new ZipException("zstd: " + what);
    }

    private void frame() throws ZipException {
        int magic = (int) take(Integer.BYTES);
        if ((magic & SKIPPABLE_MASK) == SKIPPABLE_MAGIC) {
            skip(take(Integer.BYTES));
            return;
        }
        if (magic != MAGIC) {
            throw damaged("no magic number");
        }
        // RFC 8878, 3.1.1.1. The window doesn't matter: all of the output is there to refer to.
        int descriptor = (int) take(1);
        boolean singleSegment = (descriptor & 0x20) != 0;
        boolean checksum = (descriptor & 4) != 0;
        if ((descriptor & 8) != 0) {
            throw damaged("a reserved bit is set");
        }
        if (!singleSegment) {
            take(1);
        }
        int dictionaryBytes = 1 << (descriptor & 3) >> 1;
        if ((descriptor & 3) != 0 && take(dictionaryBytes) != 0) {
            throw damaged("a dictionary is needed");
        }
        int contentSizeFlag = descriptor >> 6;
        take(contentSizeFlag == 0 ? singleSegment ? 1 : 0 : 1 << contentSizeFlag);
        ZstdBlock entropy = new ZstdBlock();
        int frameStart = produced;
        boolean last;
        do {
            int header = (int) take(3);
            last = (header & 1) != 0;
            block(entropy, frameStart, header >> 1 & 3, header >> 3);
        } while (!last && produced < out.length);
        if (checksum && last) {
            take(Integer.BYTES);
        }
    }

    private void block(ZstdBlock entropy, int frameStart, int type, int length) throws ZipException {
        if (length > MAX_BLOCK || type != BLOCK_COMPRESSED && length > out.length - produced) {
            throw damaged("a block of %d bytes".formatted(length));
        }
        switch (type) {
            case BLOCK_RAW -> {
                int from = skip(length);
                System.arraycopy(in, from, out, produced, length);
                produced += length;
            }
            case BLOCK_RLE -> {
                Arrays.fill(out, produced, produced + length, (byte) take(1));
                produced += length;
            }
            case BLOCK_COMPRESSED -> {
                int from = skip(length);
                byte[] block = Arrays.copyOfRange(in, from, from + length + PADDING);
                produced = entropy.decode(
                        block, length, out, frameStart, produced, Math.min(out.length, produced + MAX_BLOCK));
            }
            default -> throw damaged("a block of the reserved type");
        }
    }

    private int skip(long count) throws ZipException {
        if (count < 0 || count > end - position) {
            throw damaged("the data ends early");
        }
        position += (int) count;
        return position - (int) count;
    }

    /** Takes a little-endian value of 0 to 8 bytes; those longer than 4 bytes are of no interest. */
    private long take(int bytes) throws ZipException {
        int from = skip(bytes);
        return bytes == 0 ? 0 : LittleEndian.getLong(in, from) & -1L >>> Long.SIZE - Byte.SIZE * bytes;
    }
}
