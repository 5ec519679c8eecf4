package dev.kagami.image.loader;

import dev.kagami.image.disk.GuestFile;
import java.util.List;
import java.util.Optional;

/** The file systems of a disk, as a boot loader looks for them. */
final class Volumes {

    private final List<Volume> all;

    Volumes(List<Volume> all) {
        this.all = List.copyOf(all);
    }

    Optional<Volume> byUuid(String uuid) {
        return all.stream()
                .filter(volume -> !uuid.isEmpty() && volume.files().uuid().equalsIgnoreCase(uuid))
                .findFirst();
    }

    Optional<Volume> byPartitionUuid(String uuid) {
        return all.stream()
                .filter(volume -> !uuid.isEmpty() && volume.partition().uuid().equalsIgnoreCase(uuid))
                .findFirst();
    }

    Optional<Volume> byLabel(String label) {
        return all.stream()
                .filter(volume -> !label.isEmpty() && volume.files().label().equals(label))
                .findFirst();
    }

    Optional<Volume> withFile(String path) {
        return all.stream()
                .filter(volume -> volume.files().open(path).isPresent())
                .findFirst();
    }

    /**
     * Returns the volume that GRUB calls a device, such as {@code hd0,gpt1}, {@code (hd0,msdos2)} or {@code hd0,1}. All
     * disks are this disk: an image doesn't know how many others its machine had.
     */
    Optional<Volume> byGrubName(String device) {
        String name =
                device.startsWith("(") && device.endsWith(")") ? device.substring(1, device.length() - 1) : device;
        int comma = name.indexOf(',');
        if (comma < 0) {
            return all.stream()
                    .filter(volume -> volume.grubName().equals("hd0") && !name.isEmpty())
                    .findFirst();
        }
        String partition = name.substring(comma + 1);
        return all.stream()
                .filter(volume -> partition.equals(volume.partition().table().grubName()
                                + volume.partition().number())
                        || partition.equals(Integer.toString(volume.partition().number())))
                .findFirst();
    }

    /**
     * Opens a file by a path as GRUB has it: on a device in parentheses, or on the device that is its root.
     *
     * @param root the device that paths without one are on
     * @param path the path
     */
    Optional<GuestFile> open(String root, String path) {
        return volumeOf(root, path).flatMap(volume -> volume.files().open(withoutDevice(path)));
    }

    /** Lists a directory by a path as in {@link #open}. */
    List<String> list(String root, String path) {
        return volumeOf(root, path)
                .map(volume -> volume.files().list(withoutDevice(path)))
                .orElse(List.of());
    }

    private Optional<Volume> volumeOf(String root, String path) {
        int end = path.indexOf(')');
        return byGrubName(path.startsWith("(") && end > 0 ? path.substring(1, end) : root);
    }

    private static String withoutDevice(String path) {
        int end = path.indexOf(')');
        return path.startsWith("(") && end > 0 ? path.substring(end + 1) : path;
    }
}
