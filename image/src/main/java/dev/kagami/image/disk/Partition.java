package dev.kagami.image.disk;

/**
 * A partition.
 *
 * @param table the kind of table it stands in, which is also how boot loaders call it
 * @param number as Linux counts: from 1; logical partitions of an MBR from 5; 0 for a disk without a table
 * @param type what the table says lies on it: a GUID in lower case, or two hexadecimal digits for an MBR
 * @param uuid as {@code PARTUUID=} has it, in lower case; empty if it has none
 * @param name its name in a GPT; else empty
 * @param start its first byte on the disk
 * @param content its bytes
 */
public record Partition(Table table, int number, String type, String uuid, String name, long start, Disk content) {

    /** Kinds of partition tables. */
    public enum Table {
        /** GUID partition table. */
        GPT("gpt"),
        /** The PC's first kind of table, in the master boot record. */
        MBR("msdos"),
        /** There is none: a file system fills the disk. */
        NONE("");

        private final String grubName;

        Table(String grubName) {
            this.grubName = grubName;
        }

        /** Returns what GRUB calls it in a device name: {@code msdos} in {@code (hd0,msdos1)}. */
        public String grubName() {
            return grubName;
        }
    }

    @Override
    public String toString() {
        return table == Table.NONE ? "the whole disk" : "partition " + number;
    }
}
