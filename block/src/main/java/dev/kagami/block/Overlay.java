package dev.kagami.block;

import dev.kagami.block.qcow2.Qcow2Header;
import dev.kagami.block.qcow2.Qcow2Image;
import dev.kagami.block.storage.FileStorage;
import dev.kagami.block.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Copy-on-write over an image that stays as it is: what is written goes to a qcow2 file of its own, and shows in place of
 * what the base has. Many overlays may have one base at the same time.
 */
public final class Overlay {
    private Overlay() {}

    /**
     * Creates an overlay that lasts, as large as its base.
     *
     * @param file where there is no file yet. The base's path is stored in there: relative if both are in one directory, so
     *     that the directory can be moved, and absolute otherwise
     * @param base any image; must not change as long as it has overlays
     * @param baseFormat its format, or null to look
     * @param size bytes of the disk, or null for as many as the base has. More read as zeros
     */
    public static void create(Path file, Path base, @Nullable ImageFormat baseFormat, @Nullable Long size) {
        ImageFormat format;
        long baseSize;
        try (BlockImage image = DiskImages.open(base, OpenOptions.readOnly().withFormat(baseFormat))) {
            format = image.format();
            baseSize = image.size();
        }
        long diskSize = size == null ? baseSize : size;
        if (diskSize < baseSize) {
            throw RawImage.shrink(base, baseSize, diskSize);
        }
        Path absolute = base.toAbsolutePath().normalize();
        boolean neighbour = Objects.equals(
                absolute.getParent(), file.toAbsolutePath().normalize().getParent());
        Path name = neighbour ? Objects.requireNonNull(absolute.getFileName()) : absolute;
        DiskImages.create(file, diskSize, ImageOptions.qcow2(), backingName(name.toString()), format);
    }

    /** A name with a colon would be taken for a protocol. */
    private static String backingName(String name) {
        return name.indexOf(':') < 0 || Path.of(name).isAbsolute() ? name : "./" + name;
    }

    /**
     * Opens an overlay that is thrown away when it is closed, or with this process. It never waits for the host's disk:
     * a flush does nothing.
     *
     * @param base any image; opened read-only, and closed with the overlay
     * @param options its format and what to do about its backing files; it is never opened writable
     * @param directory where the overlay takes its space
     */
    public static BlockImage temporary(Path base, OpenOptions options, Path directory) {
        BlockImage image = DiskImages.open(base, new OpenOptions(options.format(), false, options.backing()));
        try {
            return temporary(image, directory);
        } catch (RuntimeException e) {
            image.close();
            throw e;
        }
    }

    /**
     * Opens an overlay that is thrown away when it is closed, or with this process.
     *
     * @param base what shows where nothing was written; closed with the overlay, but not if this fails. Wrap it in
     *     {@link #shared} when there are more overlays over it
     * @param directory where the overlay takes its space
     * @throws IllegalArgumentException when the base could be written
     */
    public static BlockImage temporary(BlockImage base, Path directory) {
        if (!base.readOnly()) {
            throw new IllegalArgumentException("the base of an overlay must be read-only");
        }
        DiskImages.checkSize(base.file(), base.size(), ImageOptions.qcow2());
        Storage storage = FileStorage.temporary(directory);
        try {
            DiskImages.initialize(storage, base.size(), ImageOptions.qcow2(), null, null);
            return Qcow2Image.open(storage, Qcow2Header.read(storage), base);
        } catch (RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    /** {@return a view of an image whose {@code close} leaves the image open} */
    public static BlockImage shared(BlockImage image) {
        return new SharedImage(image, image.readOnly());
    }

    /** {@return a view of an image that nobody writes any more, as the base of overlays; its {@code close} leaves it open} */
    public static BlockImage frozen(BlockImage image) {
        return new SharedImage(image, true);
    }

    /**
     * Copies what an image holds to one that is thrown away when it is closed, or with this process.
     *
     * @param image any image, which nobody writes meanwhile; stays open
     * @param directory where the copy takes its space
     * @return the copy
     */
    public static BlockImage copy(BlockImage image, Path directory) {
        Storage storage = FileStorage.temporary(directory);
        try {
            DiskImages.initialize(storage, image.size(), ImageOptions.qcow2(), null, null);
            BlockImage copy = Qcow2Image.open(storage, Qcow2Header.read(storage), null);
            Converter.copy(image, copy);
            return copy;
        } catch (RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    /**
     * Makes an overlay that lasts of one that was {@linkplain #temporary(Path, OpenOptions, Path) temporary}, and of those that
     * it is based on: they need not exist any longer than this process does.
     *
     * @param overlay the overlay, which nobody writes meanwhile; stays open
     * @param file where there is no file yet
     * @param passing what it may be based on, one on the other, that the new file must not need. If nothing else is below,
     *     the new file is based on nothing
     */
    public static void keep(BlockImage overlay, Path file, Collection<? extends BlockImage> passing) {
        List<Qcow2Image> layers = new ArrayList<>();
        BlockImage base = unwrap(overlay);
        do {
            if (!(base instanceof Qcow2Image layer)) {
                throw new IllegalArgumentException("no overlay: " + base.file());
            }
            layers.add(layer);
            BlockImage below = layer.backing();
            base = below == null ? null : unwrap(below);
        } while (base != null && passing.contains(base));
        if (base == null) {
            DiskImages.create(file, overlay.size(), ImageOptions.qcow2());
        } else {
            create(file, base.file(), base.format(), overlay.size());
        }
        try (BlockImage target = DiskImages.open(file, OpenOptions.readWrite())) {
            Converter.copyRanges(overlay, target, offset -> {
                long nearest = Long.MAX_VALUE;
                for (Qcow2Image layer : layers) {
                    long own = layer.ownExtent(offset);
                    if (own > 0) {
                        return own;
                    }
                    nearest = Math.min(nearest, -own);
                }
                return -nearest;
            });
        }
    }

    private static BlockImage unwrap(BlockImage image) {
        return image instanceof SharedImage view ? unwrap(view.image()) : image;
    }
}
