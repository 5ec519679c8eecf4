package dev.kagami.image.disk;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.zip.GZIPInputStream;

/** The disks in {@code src/test/resources}, in memory. */
public final class TestDisks {

    private TestDisks() {}

    /** Returns the bytes of a disk. */
    public static byte[] load(String name) {
        String resource = "/dev/kagami/image/disks/" + name + ".img.gz";
        try (InputStream in =
                new GZIPInputStream(Objects.requireNonNull(TestDisks.class.getResourceAsStream(resource), resource))) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns a disk with bytes. */
    public static Disk of(byte[] bytes) {
        MemorySegment all = MemorySegment.ofArray(bytes);
        return Disk.of((offset, target) -> MemorySegment.copy(all, offset, target, 0, target.byteSize()), bytes.length);
    }

    /** Returns a disk with a file system on the partitions of another disk, one after the other. */
    public static byte[] withPartitions(String table, String... fileSystems) {
        byte[][] contents = Arrays.stream(fileSystems)
                .map(name -> name.isEmpty() ? new byte[0] : load(name))
                .toArray(byte[][]::new);
        int start = 1 << 20;
        int size = start + (1 << 20);
        for (byte[] content : contents) {
            size += content.length;
        }
        byte[] disk = new byte[size];
        int[] starts = new int[contents.length];
        int at = start;
        for (int i = 0; i < contents.length; i++) {
            starts[i] = at;
            System.arraycopy(contents[i], 0, disk, at, contents[i].length);
            at += contents[i].length;
        }
        switch (table) {
            case "gpt" -> TestTables.gpt(disk, starts, contents);
            case "mbr" -> TestTables.mbr(disk, starts, contents);
            default -> throw new IllegalArgumentException(table);
        }
        return disk;
    }
}
