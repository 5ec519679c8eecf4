package dev.kagami.block.iso;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.MemoryImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A CD image with files in its root directory: ISO 9660 (ECMA-119), with the names as they are in Rock Ridge (IEEE P1282)
 * and Joliet. The same files give the same bytes, always.
 *
 * <p>Thread-safe, as it never changes.
 */
public final class IsoImage {
    /** The volume identifier by which cloud-init knows its seed. */
    public static final String CLOUD_INIT_SEED = "cidata";

    private static final int MAX_VOLUME_ID = 16;
    private static final int MAX_NAME = 64;
    private static final int MAX_FILES = 1000;
    private static final long MAX_BYTES = 64L << 20;

    private final byte[] bytes;

    private IsoImage(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * Makes an image.
     *
     * @param volumeId the volume identifier, 1 to 16 printable ASCII characters
     * @param files contents by name, at most 1000 and 64 MiB together. A name has 1 to 64 characters, none of which is a
     *     control character or one of {@code * / : ; ? \}
     * @throws BlockException {@code OUT_OF_RANGE} when something isn't so
     */
    public static IsoImage of(String volumeId, Map<String, byte[]> files) {
        if (volumeId.isEmpty()
                || volumeId.length() > MAX_VOLUME_ID
                || !volumeId.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            throw refused("The volume identifier '%s'".formatted(volumeId), "Use 1 to 16 printable ASCII characters.");
        }
        if (files.size() > MAX_FILES) {
            throw refused("%d files".formatted(files.size()), "Use at most %d.".formatted(MAX_FILES));
        }
        long total = 0;
        List<IsoFile> entries = new ArrayList<>();
        // In order of the names, whatever the map's order is.
        for (Map.Entry<String, byte[]> file : new TreeMap<>(files).entrySet()) {
            checkName(file.getKey());
            total += file.getValue().length;
            entries.add(new IsoFile(file.getKey(), file.getValue()));
        }
        if (total > MAX_BYTES) {
            throw refused("Files of %d bytes".formatted(total), "Use at most %d.".formatted(MAX_BYTES));
        }
        return new IsoImage(new IsoLayout(volumeId, entries).write());
    }

    private static void checkName(String name) {
        boolean sound = !name.isEmpty()
                && name.length() <= MAX_NAME
                && name.getBytes(StandardCharsets.UTF_8).length <= IsoLayout.MAX_NAME_BYTES
                && !name.equals(".")
                && !name.equals("..")
                && name.chars().noneMatch(c -> c < ' ' || c == 0x7F || "*/:;?\\".indexOf(c) >= 0)
                && StandardCharsets.UTF_8.newEncoder().canEncode(name);
        if (!sound) {
            throw refused(
                    "The file name '%s'".formatted(name.replaceAll("\\p{Cntrl}", "?")),
                    "Use 1 to 64 characters, without * / : ; ? and \\.");
        }
    }

    private static BlockException refused(String what, String hint) {
        return new BlockException(BlockException.Code.OUT_OF_RANGE, what + " can't be in a CD image", hint);
    }

    /** {@return a copy of the image} */
    public byte[] toBytes() {
        return bytes.clone();
    }

    /** {@return the image as a read-only disk in memory} */
    public BlockImage toBlockImage() {
        return MemoryImage.readOnly("cd.iso", bytes);
    }

    /**
     * Writes the image to a file.
     *
     * @param file where there is no file yet
     * @throws BlockException when it can't be written
     */
    public void write(Path file) {
        try {
            Files.write(file, bytes, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw BlockException.of("create", file, e);
        }
    }
}
