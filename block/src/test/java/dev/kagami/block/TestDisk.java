package dev.kagami.block;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** Contents of disks, and comparisons of them. */
public final class TestDisk {
    private TestDisk() {}

    /** Contents with runs of zeros, of text-like bytes and of noise. */
    public static byte[] contents(long seed, int size) {
        Random random = new Random(seed);
        byte[] bytes = new byte[size];
        int at = 0;
        while (at < size) {
            int length = Math.min(size - at, 1 + random.nextInt(1 << random.nextInt(19)));
            int kind = random.nextInt(3);
            for (int i = at; kind > 0 && i < at + length; i++) {
                bytes[i] = kind == 1 ? (byte) (' ' + (i * 31 >> 5 & 7)) : (byte) random.nextInt();
            }
            at += length;
        }
        return bytes;
    }

    /** Reads all of an image. */
    public static byte[] read(BlockImage image) {
        byte[] bytes = new byte[Math.toIntExact(image.size())];
        image.read(0, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** Reads all of an image with a format to be found out. */
    public static byte[] read(Path file) {
        try (BlockImage image = DiskImages.open(file, OpenOptions.readOnly())) {
            return read(image);
        }
    }

    /** Demands contents, and tells the first difference rather than all. */
    public static void same(byte[] found, byte[] wanted, String context) {
        int difference = java.util.Arrays.mismatch(found, wanted);
        assertThat(difference)
                .as("%s: first difference (%d and %d bytes)", context, found.length, wanted.length)
                .isEqualTo(-1);
    }

    /** Writes a file with contents. */
    public static Path raw(Path file, byte[] contents) {
        try {
            return Files.write(file, contents);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
