package dev.kagami.image.disk;

import static dev.kagami.image.disk.Bytes.guid;
import static dev.kagami.image.disk.Bytes.i64;
import static dev.kagami.image.disk.Bytes.u32;

import dev.kagami.image.ImageException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32;

/** Reads a GUID partition table (UEFI 2.10, 5.3), the first copy or else the one at the disk's end. */
final class Gpt {

    /** Images of disks with 4-KiB sectors have the header elsewhere. */
    private static final int[] SECTOR_SIZES = {512, 4096};

    private static final String SIGNATURE = "EFI PART";
    private static final int HEADER_SIZE = 92;
    private static final int HEADER_SIZE_OFFSET = 12;
    private static final int HEADER_CHECKSUM_OFFSET = 16;
    private static final int MY_SECTOR_OFFSET = 24;
    private static final int ENTRIES_SECTOR_OFFSET = 72;
    private static final int ENTRY_COUNT_OFFSET = 80;
    private static final int ENTRY_SIZE_OFFSET = 84;
    private static final int ENTRIES_CHECKSUM_OFFSET = 88;

    private static final int ENTRY_SIZE = 128;
    private static final int ENTRY_NAME_OFFSET = 56;
    private static final int ENTRY_NAME_SIZE = 72;

    /** 16 KiB is usual; this is what a header may make us read. */
    private static final int MAX_ENTRIES_BYTES = 1 << 20;

    private static final String UNUSED = "00000000-0000-0000-0000-000000000000";

    private Gpt() {}

    static List<Partition> read(Disk disk) {
        for (int sectorSize : SECTOR_SIZES) {
            Optional<List<Partition>> partitions = readCopy(disk, sectorSize, 1);
            if (partitions.isPresent()) {
                return partitions.get();
            }
        }
        for (int sectorSize : SECTOR_SIZES) {
            Optional<List<Partition>> partitions = readCopy(disk, sectorSize, disk.size() / sectorSize - 1);
            if (partitions.isPresent()) {
                return partitions.get();
            }
        }
        throw ImageException.invalidDisk(
                "Both copies of its GUID partition table, at its beginning and at its end, are damaged or missing");
    }

    private static Optional<List<Partition>> readCopy(Disk disk, int sectorSize, long sector) {
        if (sector < 1 || (sector + 1) * sectorSize > disk.size()) {
            return Optional.empty();
        }
        byte[] header = disk.read(sector * sectorSize, sectorSize);
        long headerSize = u32(header, HEADER_SIZE_OFFSET);
        if (!Bytes.startsWith(header, 0, SIGNATURE)
                || headerSize < HEADER_SIZE
                || headerSize > sectorSize
                || i64(header, MY_SECTOR_OFFSET) != sector) {
            return Optional.empty();
        }
        long checksum = u32(header, HEADER_CHECKSUM_OFFSET);
        for (int i = 0; i < Integer.BYTES; i++) {
            header[HEADER_CHECKSUM_OFFSET + i] = 0;
        }
        if (crc32(header, (int) headerSize) != checksum) {
            return Optional.empty();
        }
        long entriesSector = i64(header, ENTRIES_SECTOR_OFFSET);
        long count = u32(header, ENTRY_COUNT_OFFSET);
        long entrySize = u32(header, ENTRY_SIZE_OFFSET);
        if (entrySize < ENTRY_SIZE
                || entrySize > MAX_ENTRIES_BYTES
                || count * entrySize > MAX_ENTRIES_BYTES
                || entriesSector < 0
                || entriesSector > disk.size() / sectorSize
                || entriesSector * sectorSize > disk.size() - count * entrySize) {
            return Optional.empty();
        }
        byte[] entries = disk.read(entriesSector * sectorSize, (int) (count * entrySize));
        if (crc32(entries, entries.length) != u32(header, ENTRIES_CHECKSUM_OFFSET)) {
            return Optional.empty();
        }
        List<Partition> partitions = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            entry(disk, entries, (int) (i * entrySize), i + 1, sectorSize).ifPresent(partitions::add);
        }
        return Optional.of(partitions);
    }

    private static Optional<Partition> entry(Disk disk, byte[] entries, int at, int number, int sectorSize) {
        String type = guid(entries, at);
        long first = i64(entries, at + 32);
        long last = i64(entries, at + 40);
        long sectors = disk.size() / sectorSize;
        if (type.equals(UNUSED) || first < 0 || last < first || first >= sectors) {
            return Optional.empty();
        }
        String name = new String(entries, at + ENTRY_NAME_OFFSET, ENTRY_NAME_SIZE, StandardCharsets.UTF_16LE);
        int end = name.indexOf('\0');
        long start = first * sectorSize;
        return Optional.of(new Partition(
                Partition.Table.GPT,
                number,
                type,
                guid(entries, at + 16),
                end < 0 ? name : name.substring(0, end),
                start,
                disk.slice(start, (Math.min(last, sectors - 1) - first + 1) * sectorSize)));
    }

    private static long crc32(byte[] bytes, int count) {
        CRC32 crc = new CRC32();
        crc.update(bytes, 0, count);
        return crc.getValue();
    }
}
