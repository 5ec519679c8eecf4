package dev.kagami.block;

import dev.kagami.block.qcow2.Qcow2Header;
import dev.kagami.block.qcow2.Qcow2Image;
import dev.kagami.block.storage.FileStorage;
import dev.kagami.block.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Opens an image and the chain of its backing files. */
final class ImageOpener {
    /** Longer chains are a mistake, and slow. */
    private static final int MAX_DEPTH = 64;

    /** A protocol such as "nbd:" or "json:", but not the drive of a Windows path. */
    private static final Pattern PROTOCOL = Pattern.compile("^[A-Za-z][A-Za-z0-9+.-]+:.*", Pattern.DOTALL);

    private static final String FILE_PROTOCOL = "file:";

    private final BackingPolicy policy;
    private final List<Path> chain = new ArrayList<>();

    private ImageOpener(BackingPolicy policy) {
        this.policy = policy;
    }

    static BlockImage open(Path file, OpenOptions options) {
        return new ImageOpener(options.backing()).openLink(file, options.format(), options.writable());
    }

    /** Finds out what a file is. */
    static ImageFormat probe(Storage storage) {
        return Qcow2Header.matches(storage) ? ImageFormat.QCOW2 : ImageFormat.RAW;
    }

    private BlockImage openLink(Path file, @Nullable ImageFormat known, boolean writable) {
        chain.add(file);
        Storage storage = FileStorage.open(file, writable);
        BlockImage backing = null;
        try {
            ImageFormat format = known != null ? known : probe(storage);
            switch (format) {
                case RAW -> {
                    return RawImage.open(storage, known == null);
                }
                case QCOW2 -> {
                    Qcow2Header header = Qcow2Header.read(storage);
                    backing = openBacking(file, header);
                    return Qcow2Image.open(storage, header, backing);
                }
            }
            throw new IllegalStateException(format.toString());
        } catch (RuntimeException | OutOfMemoryError e) {
            storage.close();
            if (backing != null) {
                backing.close();
            }
            throw e;
        }
    }

    private @Nullable BlockImage openBacking(Path file, Qcow2Header header) {
        if (header.backingFile() == null) {
            return null;
        }
        Path path = resolve(file, header.backingFile());
        if (policy == BackingPolicy.REFUSE) {
            throw new BlockException(
                    BlockException.Code.BACKING_FILE,
                    "%s wants to show the contents of another file, %s".formatted(file, path),
                    "Only use it if you trust where it comes from; flatten it with `kagami image convert` then.");
        }
        if (chain.size() >= MAX_DEPTH) {
            throw new BlockException(
                    BlockException.Code.BACKING_FILE,
                    "%s has a chain of more than %d backing files".formatted(chain.getFirst(), MAX_DEPTH),
                    "Flatten the chain with `kagami image convert`.");
        }
        for (Path link : chain) {
            if (same(link, path)) {
                throw new BlockException(
                        BlockException.Code.BACKING_FILE,
                        "%s is its own backing file, by way of %s".formatted(link, file),
                        "One of the images was renamed or copied over; restore it.");
            }
        }
        try {
            return openLink(path, format(file, header.backingFormat()), false);
        } catch (BlockException e) {
            if (e.code() == BlockException.Code.BACKING_FILE) {
                throw e;
            }
            throw new BlockException(
                    e.code() == BlockException.Code.NOT_FOUND ? BlockException.Code.BACKING_FILE : e.code(),
                    "%s needs its backing file: %s".formatted(file, e.getMessage()),
                    e.code() == BlockException.Code.NOT_FOUND ? "Put the backing file back where it was." : e.hint(),
                    e);
        }
    }

    private static boolean same(Path one, Path other) {
        try {
            return Files.isSameFile(one, other);
        } catch (IOException e) {
            // Opening it will tell what is wrong.
            return false;
        }
    }

    /** {@return the path of a backing file: relative to the image that names it, unless absolute} */
    static Path resolve(Path file, String name) {
        String plain = name.startsWith(FILE_PROTOCOL) ? name.substring(FILE_PROTOCOL.length()) : name;
        if (PROTOCOL.matcher(plain).matches()) {
            throw new BlockException(
                    BlockException.Code.UNSUPPORTED,
                    "%s has the backing file %s, which is not a local file".formatted(file, printable(name)),
                    "Flatten it where it was made: qemu-img convert -O qcow2 OLD NEW.");
        }
        try {
            Path directory = Objects.requireNonNull(file.toAbsolutePath().getParent());
            return directory.resolve(plain).normalize();
        } catch (InvalidPathException e) {
            throw new BlockException(
                    BlockException.Code.BACKING_FILE,
                    "%s has a backing file with an impossible name, %s".formatted(file, printable(name)),
                    "Check that the image was copied or downloaded completely.",
                    e);
        }
    }

    static String printable(String name) {
        return name.replaceAll("\\p{Cntrl}", "?");
    }

    private static @Nullable ImageFormat format(Path file, @Nullable String name) {
        if (name == null) {
            return null;
        }
        for (ImageFormat format : ImageFormat.values()) {
            if (format.id().equals(name)) {
                return format;
            }
        }
        throw new BlockException(
                BlockException.Code.UNSUPPORTED,
                "%s has a backing file of format %s".formatted(file, printable(name)),
                "Backing files can be raw or qcow2; convert it where it was made.");
    }
}
