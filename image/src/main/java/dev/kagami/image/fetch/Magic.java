package dev.kagami.image.fetch;

import dev.kagami.image.ImageException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Tells files by how they begin. */
public final class Magic {

    static final int LONGEST = 68;

    private static final int SECTOR = 512;
    private static final int SHOWN = 20;

    /** What disks and archives come as too, but can't be used here. */
    private static final List<Known> UNSUPPORTED = List.of(
            new Known("a VMware disk", 0, "KDMV"),
            new Known("a VMware disk", 0, "# Disk DescriptorFile"),
            new Known("a VirtualBox disk", 64, "\u007F\u0010\u00DA\u00BE"),
            new Known("a Hyper-V disk", 0, "vhdxfile"),
            new Known("a Hyper-V disk", 0, "conectix"),
            new Known("an old qcow image", 0, "QFI\u00FB\u0000\u0000\u0000\u0001"),
            new Known("a zip archive", 0, "PK\u0003\u0004"),
            new Known("a bzip2 archive", 0, "BZh"),
            new Known("a zstd archive", 0, "\u0028\u00B5\u002F\u00FD"),
            new Known("a 7z archive", 0, "7z\u00BC\u00AF"),
            new Known("a web page", 0, "<"),
            new Known("a signed or encrypted text", 0, "-----BEGIN"));

    private Magic() {}

    private record Known(String name, int offset, String bytes) {
        boolean matches(byte[] start) {
            byte[] magic = bytes.getBytes(StandardCharsets.ISO_8859_1);
            return start.length >= offset + magic.length
                    && Arrays.equals(start, offset, offset + magic.length, magic, 0, magic.length);
        }
    }

    static byte[] start(Path file, int length) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(length);
        }
    }

    static boolean begins(byte[] start, int... magic) {
        if (start.length < magic.length) {
            return false;
        }
        for (int i = 0; i < magic.length; i++) {
            if ((start[i] & 0xFF) != magic[i]) {
                return false;
            }
        }
        return true;
    }

    /**
     * Makes sure that a file can be a raw or qcow2 image: everything can be a raw one, but a web page that says "not found"
     * isn't meant to be.
     *
     * @param file the file
     * @param name what to call it in messages
     * @throws ImageException if it can't be
     * @throws IOException if it can't be read
     */
    public static void checkImage(Path file, String name) throws IOException {
        byte[] start = start(file, LONGEST);
        for (Known known : UNSUPPORTED) {
            if (known.matches(start)) {
                throw notAnImage("%s is %s".formatted(name, known.name()));
            }
        }
        long size = Files.size(file);
        boolean qcow2 = begins(start, 'Q', 'F', 'I', 0xFB);
        if (size == 0 || (!qcow2 && size % SECTOR != 0)) {
            String text = new String(start, 0, Math.min(SHOWN, start.length), StandardCharsets.ISO_8859_1);
            throw notAnImage("%s is no disk image: it has %d bytes and begins with \"%s\""
                    .formatted(name, size, text.replaceAll("[^\\x20-\\x7E]", "?")));
        }
    }

    private static ImageException notAnImage(String message) {
        return new ImageException(
                ImageException.Code.ARCHIVE_INVALID,
                message,
                "Name a raw or qcow2 image, also packed with gzip or xz, perhaps in a tar archive; qemu-img converts others.",
                null);
    }
}
