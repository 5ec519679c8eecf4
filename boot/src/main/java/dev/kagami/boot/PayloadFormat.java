package dev.kagami.boot;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** How the kernel inside a bzImage is compressed; told by its first bytes. */
enum PayloadFormat {
    GZIP("gzip", new byte[] {0x1F, (byte) 0x8B}),
    XZ("xz", new byte[] {(byte) 0xFD, '7', 'z', 'X', 'Z', 0}),
    /** The properties byte that xz writes for kernels (lc=3, lp=0, pb=2), and the low byte of the dictionary's size. */
    LZMA("LZMA", new byte[] {0x5D, 0, 0}),
    LZ4("LZ4", new byte[] {0x02, 0x21, 0x4C, 0x18}),
    ZSTD("zstd", new byte[] {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD});

    /** Bytes that {@link #detect} wants to see. */
    static final int MAGIC_SIZE = 6;

    private final String title;
    private final byte[] magic;

    PayloadFormat(String title, byte[] magic) {
        this.title = title;
        this.magic = magic;
    }

    String title() {
        return title;
    }

    /** {@return the format, or null when it is none that the host unpacks (bzip2, LZO)} */
    static @Nullable PayloadFormat detect(byte[] start) {
        for (PayloadFormat format : values()) {
            int length = format.magic.length;
            if (start.length >= length && Arrays.equals(start, 0, length, format.magic, 0, length)) {
                return format;
            }
        }
        return null;
    }
}
