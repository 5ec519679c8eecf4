package dev.kagami.image.disk;

import static dev.kagami.image.disk.Bytes.u16;
import static dev.kagami.image.disk.Bytes.u32;
import static dev.kagami.image.disk.Bytes.u8;

import dev.kagami.image.ImageException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Reads a disk's partition table, as Linux does: GPT where the master boot record says so, else MBR. */
public final class PartitionTable {

    static final int MBR_SECTOR = 512;

    private static final int SIGNATURE_OFFSET = 510;
    private static final int SIGNATURE = 0xAA55;
    private static final int ENTRIES_OFFSET = 446;
    private static final int ENTRY_SIZE = 16;
    private static final int PRIMARY_ENTRIES = 4;
    private static final int DISK_SIGNATURE_OFFSET = 440;
    private static final int FIRST_LOGICAL = 5;

    /** Linux stops at 256 partitions; so does this. */
    private static final int MAX_LOGICAL = 256;

    private static final int TYPE_EMPTY = 0;
    private static final int TYPE_PROTECTIVE = 0xEE;
    private static final Set<Integer> TYPES_EXTENDED = Set.of(0x05, 0x0F, 0x85);

    private PartitionTable() {}

    /**
     * Returns a disk's partitions in the order of their numbers.
     *
     * @param disk the disk
     * @return the partitions; empty if the disk has no partition table
     * @throws ImageException if it has one, but that is damaged
     */
    public static List<Partition> read(Disk disk) {
        if (disk.size() < MBR_SECTOR) {
            return List.of();
        }
        byte[] mbr = disk.read(0, MBR_SECTOR);
        if (u16(mbr, SIGNATURE_OFFSET) != SIGNATURE) {
            return List.of();
        }
        for (int entry = 0; entry < PRIMARY_ENTRIES; entry++) {
            if (type(mbr, entry) == TYPE_PROTECTIVE) {
                return Gpt.read(disk);
            }
        }
        return looksLikeTable(mbr) ? readMbr(disk, mbr) : List.of();
    }

    /** The signature also ends the first sector of a FAT or NTFS, and there code stands where the table would be. */
    private static boolean looksLikeTable(byte[] mbr) {
        boolean any = false;
        for (int entry = 0; entry < PRIMARY_ENTRIES; entry++) {
            int status = u8(mbr, ENTRIES_OFFSET + entry * ENTRY_SIZE);
            if (status != 0 && status != 0x80) {
                return false;
            }
            any |= type(mbr, entry) != TYPE_EMPTY && sectors(mbr, entry) != 0;
        }
        return any;
    }

    private static List<Partition> readMbr(Disk disk, byte[] mbr) {
        List<Partition> partitions = new ArrayList<>();
        String diskSignature = "%08x".formatted(u32(mbr, DISK_SIGNATURE_OFFSET));
        Optional<Long> extended = Optional.empty();
        for (int entry = 0; entry < PRIMARY_ENTRIES; entry++) {
            long first = firstSector(mbr, entry) * MBR_SECTOR;
            if (TYPES_EXTENDED.contains(type(mbr, entry))) {
                extended = extended.isEmpty() ? Optional.of(first) : extended;
            } else {
                add(partitions, disk, diskSignature, entry + 1, mbr, entry, first);
            }
        }
        if (extended.isPresent()) {
            readLogical(disk, diskSignature, extended.get(), partitions);
        }
        return partitions;
    }

    /**
     * Follows the chain of extended boot records: in each, the first entry is a logical partition, relative to the record,
     * and the second points to the next record, relative to the extended partition.
     */
    private static void readLogical(Disk disk, String diskSignature, long extended, List<Partition> partitions) {
        Set<Long> seen = new HashSet<>();
        long record = extended;
        int number = FIRST_LOGICAL;
        while (seen.add(record) && seen.size() <= MAX_LOGICAL && record <= disk.size() - MBR_SECTOR) {
            byte[] sector = disk.read(record, MBR_SECTOR);
            if (u16(sector, SIGNATURE_OFFSET) != SIGNATURE) {
                return;
            }
            long next = -1;
            for (int entry = 0; entry < PRIMARY_ENTRIES; entry++) {
                long first = firstSector(sector, entry) * MBR_SECTOR;
                if (TYPES_EXTENDED.contains(type(sector, entry))) {
                    next = next < 0 ? extended + first : next;
                } else if (add(partitions, disk, diskSignature, number, sector, entry, record + first)) {
                    number++;
                }
            }
            if (next < 0) {
                return;
            }
            record = next;
        }
    }

    private static boolean add(
            List<Partition> partitions, Disk disk, String signature, int number, byte[] sector, int entry, long start) {
        long length = sectors(sector, entry) * MBR_SECTOR;
        // Linux also leaves out what begins behind the end of the disk.
        if (type(sector, entry) == TYPE_EMPTY || length == 0 || start >= disk.size()) {
            return false;
        }
        partitions.add(new Partition(
                Partition.Table.MBR,
                number,
                "%02x".formatted(type(sector, entry)),
                "%s-%02x".formatted(signature, number),
                "",
                start,
                disk.slice(start, length)));
        return true;
    }

    private static int type(byte[] sector, int entry) {
        return u8(sector, ENTRIES_OFFSET + entry * ENTRY_SIZE + 4);
    }

    private static long firstSector(byte[] sector, int entry) {
        return u32(sector, ENTRIES_OFFSET + entry * ENTRY_SIZE + 8);
    }

    private static long sectors(byte[] sector, int entry) {
        return u32(sector, ENTRIES_OFFSET + entry * ENTRY_SIZE + 12);
    }
}
