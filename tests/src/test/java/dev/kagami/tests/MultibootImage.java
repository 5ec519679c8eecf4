package dev.kagami.tests;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * The smallest multiboot 1 kernels: a header with addresses (specification 0.6.96, 3.1) and code, entered in 32-bit
 * protected mode without paging.
 */
final class MultibootImage {
    /** Where the image is loaded. */
    static final int ADDRESS = 0x10_0000;

    /** Where the code begins. */
    static final int ENTRY = ADDRESS + 32;

    private static final int MAGIC = 0x1BAD_B002;
    private static final int HAS_ADDRESSES = 1 << 16;

    private MultibootImage() {}

    /** {@return an image with code in hexadecimal, blanks anywhere} */
    static byte[] of(String code) {
        byte[] bytes = HexFormat.of().parseHex(code.replaceAll("\\s", ""));
        int end = ENTRY + bytes.length;
        ByteBuffer image = ByteBuffer.allocate(end - ADDRESS).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(MAGIC).putInt(HAS_ADDRESSES).putInt(-(MAGIC + HAS_ADDRESSES));
        image.putInt(ADDRESS).putInt(ADDRESS).putInt(end).putInt(end).putInt(ENTRY);
        return image.put(bytes).array();
    }

    /** Writes an image with code in hexadecimal. */
    static Path write(Path file, String code) throws IOException {
        return Files.write(file, of(code));
    }
}
