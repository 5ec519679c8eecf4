package dev.kagami.vm.snapshot;

import java.util.List;

/**
 * The disks of a saved machine, whose contents are not in the snapshot.
 *
 * @param disks the disks, in their order
 */
public record SavedDisks(List<Disk> disks) {
    /** Copies the list. */
    public SavedDisks {
        disks = List.copyOf(disks);
    }

    /**
     * A disk.
     *
     * @param temporary whether what the guest wrote is in a file beside the snapshot
     * @param file name of that file; otherwise absolute path of the image
     * @param size bytes of the image file
     * @param modified when the image file was last modified, in nanoseconds since 1970
     */
    public record Disk(boolean temporary, String file, long size, long modified) {}
}
