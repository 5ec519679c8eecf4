package dev.kagami.image;

import dev.kagami.block.BlockImage;
import dev.kagami.image.disk.Disk;
import dev.kagami.image.disk.GuestFile;
import dev.kagami.image.loader.BootEntry;
import dev.kagami.image.loader.BootLoaders;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * What a disk image boots: the kernel, initramfs and command line that its own boot loader would choose, read from its
 * file systems without firmware and without mounting anything.
 *
 * <p>Partition tables: GPT and MBR, or none. File systems: ext2, ext3 and ext4; also such that weren't unmounted, whose
 * journal is then taken into account. Boot loaders: GRUB, entries of the Boot Loader Specification, extlinux; where there is
 * none, the newest kernel in {@code /boot}.
 *
 * <p>Nothing on the disk is trusted; whatever lies there, the calls end soon, in a result or an {@link ImageException}. The
 * disk must not be written while it is read: look before the guest starts. Not thread-safe.
 */
public final class DiskBoot {

    /** Kernels with everything built in have some 30 MB. */
    private static final long MAX_KERNEL_SIZE = 256L << 20;

    /** Debian's full one has 40 MB, Ubuntu's up to 150 MB. */
    private static final long MAX_INITRD_SIZE = 1L << 30;

    /** The longest command line that Linux takes is 2 KiB (COMMAND_LINE_SIZE); the boot protocol may refuse more. */
    private static final int MAX_COMMAND_LINE = 16 << 10;

    /** Parts of a concatenated initramfs begin at multiples of this (initramfs buffer format). */
    private static final int INITRD_ALIGNMENT = 4;

    private final BootLoaders.Found found;

    private DiskBoot(BootLoaders.Found found) {
        this.found = found;
    }

    /**
     * Finds out what a disk boots.
     *
     * @param image the disk; stays open, and must be open when {@link #extract} is called
     * @return what it boots
     * @throws ImageException if there is nothing to boot, with all that was looked at in its message, or the image can't be
     *     read
     */
    public static DiskBoot locate(BlockImage image) {
        return locate(Disk.of(image));
    }

    static DiskBoot locate(Disk disk) {
        BootLoaders.Found found = BootLoaders.find(disk);
        if (found.entry().commandLine().length() > MAX_COMMAND_LINE) {
            throw ImageException.invalidDisk("The command line in the boot loader's configuration is too long");
        }
        return new DiskBoot(found);
    }

    /** Returns the title of the boot loader's entry, such as {@code Debian GNU/Linux}. */
    public String title() {
        return found.entry().title();
    }

    /** Returns the kernel's path on its file system. */
    public String kernel() {
        return found.entry().kernel().path();
    }

    /** Returns the paths of the files that, one after the other, are the initramfs; empty if there is none. */
    public List<String> initrds() {
        return found.entry().initrds().stream().map(GuestFile::path).toList();
    }

    /** Returns the kernel's command line as the entry has it. */
    public String commandLine() {
        return found.entry().commandLine();
    }

    /** Returns a line for people that says what was found where. */
    public String description() {
        String initrd = initrds().isEmpty() ? "" : " with " + initrds().stream().collect(Collectors.joining(" and "));
        return "%s: \"%s\", %s%s, from %s".formatted(found.loader(), title(), kernel(), initrd, found.where());
    }

    /**
     * Files to boot from.
     *
     * @param kernel the kernel
     * @param initrd the initramfs, if there is one
     * @param commandLine the kernel's command line
     */
    public record Extracted(Path kernel, Optional<Path> initrd, String commandLine) {}

    /**
     * Copies kernel and initramfs out of the disk, into files {@code kernel} and {@code initrd}.
     *
     * @param directory where to; is made if need be; files of these names there are replaced
     * @return the files
     * @throws ImageException if the disk is damaged, or the directory can't be written
     */
    public Extracted extract(Path directory) {
        BootEntry entry = found.entry();
        try {
            Files.createDirectories(directory);
            Path kernel = write(directory, "kernel", List.of(entry.kernel()), MAX_KERNEL_SIZE);
            Optional<Path> initrd = entry.initrds().isEmpty()
                    ? Optional.empty()
                    : Optional.of(write(directory, "initrd", entry.initrds(), MAX_INITRD_SIZE));
            return new Extracted(kernel, initrd, entry.commandLine());
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't copy the guest's kernel to " + directory + ": " + e, e);
        }
    }

    private static Path write(Path directory, String name, List<GuestFile> parts, long maxSize) throws IOException {
        Path temporary = Files.createTempFile(directory, name, ".tmp");
        try {
            long left = maxSize;
            try (OutputStream out = Files.newOutputStream(temporary)) {
                for (GuestFile part : parts) {
                    part.copyTo(out, left);
                    left -= part.size();
                    out.write(new byte[(int) (-part.size() & INITRD_ALIGNMENT - 1)]);
                }
            }
            return Files.move(
                    temporary,
                    directory.resolve(name),
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }
}
