package dev.kagami.vm;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Tells initial RAM file systems, which more files can be added to, from whatever else a kernel is handed. */
final class Initramfs {
    /**
     * How a cpio archive begins, plain ("070701", "070702") or compressed with what Linux knows: gzip, bzip2, LZMA, xz, LZO,
     * LZ4, zstd (Linux, lib/decompress.c).
     */
    private static final List<String> BEGINNINGS = List.of(
            "07070",
            "\u001F\u008B",
            "BZh",
            "\u005D\0\0",
            "\u00FD7zXZ",
            "\u0089LZ",
            "\u0002\u0021\u004C\u0018",
            "\u0028\u00B5\u002F\u00FD");

    private Initramfs() {}

    /**
     * Looks at the first bytes of a file.
     *
     * @param file the initial RAM disk
     * @return whether it is an archive
     * @throws IOException when it can't be read
     */
    static boolean is(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            String start = new String(in.readNBytes(8), StandardCharsets.ISO_8859_1);
            return BEGINNINGS.stream().anyMatch(start::startsWith);
        }
    }
}
