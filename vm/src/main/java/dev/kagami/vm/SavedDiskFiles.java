package dev.kagami.vm;

import dev.kagami.block.BlockException;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.OpenOptions;
import dev.kagami.vm.snapshot.SavedDisks;
import dev.kagami.vm.snapshot.Sections;
import dev.kagami.vm.snapshot.SnapshotException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a snapshot file has of disks. What a guest wrote to a temporary one is in a file of its own beside the snapshot, named
 * after it and a random number; others are their images, which must be as they were.
 */
final class SavedDiskFiles {
    private static final String SECTION = "disks";

    private SavedDiskFiles() {}

    /** Writes what is needed of disks. {@return the files that were made} */
    static List<Path> save(Path snapshot, Sections sections, List<Disk> described, List<DiskStack> disks)
            throws IOException {
        List<SavedDisks.Disk> saved = new ArrayList<>();
        List<Path> made = new ArrayList<>();
        String run = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        try {
            for (int i = 0; i < disks.size(); i++) {
                DiskStack disk = disks.get(i);
                disk.flush();
                if (disk.mode() == Disk.Mode.TEMPORARY) {
                    Path file = snapshot.resolveSibling("%s.%s.disk%d".formatted(snapshot.getFileName(), run, i + 1));
                    made.add(file);
                    disk.keep(file);
                    saved.add(new SavedDisks.Disk(true, file.getFileName().toString(), 0, 0));
                } else {
                    Path overlay = described.get(i).overlay();
                    Path file = (overlay == null ? described.get(i).image() : overlay).toAbsolutePath();
                    saved.add(new SavedDisks.Disk(false, file.toString(), Files.size(file), modified(file)));
                }
            }
        } catch (BlockException e) {
            delete(made);
            throw new IOException(e.getMessage(), e);
        } catch (Throwable e) {
            delete(made);
            throw e;
        }
        sections.put(SECTION, new SavedDisks(saved));
        return made;
    }

    private static long modified(Path file) throws IOException {
        return Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS);
    }

    static void delete(List<Path> files) {
        for (Path file : files) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                System.getLogger(SavedDiskFiles.class.getName())
                        .log(System.Logger.Level.WARNING, "deleting " + file, e);
            }
        }
    }

    /** Deletes what other saves to the same file have left, but for the newest. */
    static void deleteOthers(Path snapshot, List<Path> current) {
        Path absolute = snapshot.toAbsolutePath();
        String prefix = absolute.getFileName() + ".";
        try (Stream<Path> files = Files.list(absolute.getParent())) {
            delete(files.filter(file -> file.getFileName().toString().startsWith(prefix)
                            && file.getFileName()
                                    .toString()
                                    .substring(prefix.length())
                                    .matches("[0-9a-f]{16}\\.disk\\d+")
                            && !current.contains(file))
                    .toList());
        } catch (IOException e) {
            System.getLogger(SavedDiskFiles.class.getName())
                    .log(System.Logger.Level.WARNING, "listing the directory of " + snapshot, e);
        }
    }

    /** {@return what to base the disks on, by number; null for those that are their images, which have been checked} */
    static List<@Nullable SharedDisk> open(Path snapshot, Sections sections) throws SnapshotException {
        List<@Nullable SharedDisk> bases = new ArrayList<>();
        if (!sections.names().contains(SECTION)) {
            return bases;
        }
        try {
            for (SavedDisks.Disk disk : sections.get(SECTION, SavedDisks.class).disks()) {
                if (disk.temporary()) {
                    // Only names beside the snapshot: it must not make us open anything else.
                    Path name = Path.of(disk.file()).getFileName();
                    bases.add(new SharedDisk(
                            DiskImages.open(
                                    snapshot.resolveSibling(name),
                                    OpenOptions.readOnly().withFormat(ImageFormat.QCOW2)),
                            null));
                } else {
                    check(snapshot, disk);
                    bases.add(null);
                }
            }
            return bases;
        } catch (BlockException e) {
            release(bases);
            throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        } catch (Throwable e) {
            release(bases);
            throw e;
        }
    }

    private static void release(List<@Nullable SharedDisk> bases) {
        for (SharedDisk base : bases) {
            if (base != null) {
                base.release();
            }
        }
    }

    private static void check(Path snapshot, SavedDisks.Disk disk) {
        Path file = Path.of(disk.file());
        try {
            if (Files.size(file) == disk.size() && modified(file) == disk.modified()) {
                return;
            }
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.DISK_UNUSABLE,
                    "cannot find disk %s of snapshot %s: %s".formatted(file, snapshot, e),
                    "put the image back where it was when the machine was saved",
                    e);
        }
        throw new KagamiException(
                ErrorCode.SNAPSHOT_MISMATCH,
                "disk %s has changed since snapshot %s was saved".formatted(file, snapshot),
                "stop a machine that writes to its images after saving it, or give it temporary disks");
    }
}
