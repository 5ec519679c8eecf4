package dev.kagami.image.loader;

import dev.kagami.image.disk.FileSystem;
import dev.kagami.image.disk.Partition;

/** A partition with a file system that can be read. */
public record Volume(Partition partition, FileSystem files) {

    /** Returns what GRUB calls it, without parentheses: {@code hd0,gpt1}. */
    String grubName() {
        return partition.table() == Partition.Table.NONE
                ? "hd0"
                : "hd0," + partition.table().grubName() + partition.number();
    }

    @Override
    public String toString() {
        String label = files.label().isEmpty() ? "" : ", label " + files.label();
        return partition + " (" + files.type() + label + ")";
    }
}
