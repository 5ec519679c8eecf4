package dev.kagami.image.disk;

import dev.kagami.image.ext4.Ext4FileSystem;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Tells which file system lies on a partition, and opens it if it can be read. */
public final class FileSystems {

    /** What is known by its first bytes, but not read. The order matters: file systems keep what lay there before. */
    private static final List<Signature> UNSUPPORTED = List.of(
            new Signature("LUKS (encrypted)", 0, "LUKS\u00BA\u00BE"),
            new Signature("XFS", 0, "XFSB"),
            new Signature("btrfs", 0x10040, "_BHRfS_M"),
            new Signature("LVM", 512, "LABELONE"),
            new Signature("LVM", 0, "LABELONE"),
            new Signature("bcachefs", 4096 + 24, "\u00C6\u0085\u0073\u00F6"),
            new Signature("squashfs", 0, "hsqs"),
            new Signature("EROFS", 1024, "\u00E2\u00E1\u00F5\u00E0"),
            new Signature("F2FS", 1024, "\u0010\u0020\u00F5\u00F2"),
            new Signature("JFS", 0x8000, "JFS1"),
            new Signature("ReiserFS", 0x10034, "ReIsEr"),
            new Signature("ISO 9660", 0x8001, "CD001"),
            new Signature("NTFS", 3, "NTFS    "),
            new Signature("swap", 4086, "SWAPSPACE2"));

    private FileSystems() {}

    private record Signature(String name, int offset, String bytes) {
        boolean isOn(Disk disk) {
            return disk.size() >= offset + bytes.length()
                    && Bytes.startsWith(disk.read(offset, bytes.length()), 0, bytes);
        }
    }

    /**
     * Opens the file system on a disk or partition.
     *
     * @param disk where it may lie
     * @return the file system; empty if there is none that can be read, which {@link #describe} tells more about
     * @throws dev.kagami.image.ImageException if there is one, but it is damaged or has unsupported features
     */
    public static Optional<FileSystem> open(Disk disk) {
        Optional<Function<Disk, FileSystem>> reader = reader(disk);
        return reader.map(open -> open.apply(disk));
    }

    private static Optional<Function<Disk, FileSystem>> reader(Disk disk) {
        if (UNSUPPORTED.stream().anyMatch(signature -> signature.isOn(disk))) {
            return Optional.empty();
        }
        return Ext4FileSystem.isOn(disk) ? Optional.of(Ext4FileSystem::new) : Optional.empty();
    }

    /** Returns what lies on a disk that {@link #open} returned nothing for, in a word or two. */
    public static String describe(Disk disk) {
        return UNSUPPORTED.stream()
                .filter(signature -> signature.isOn(disk))
                .findFirst()
                .map(Signature::name)
                .orElse("nothing that is known here");
    }
}
