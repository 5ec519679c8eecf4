package dev.kagami.image.disk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32;

/** Writes partition tables. */
final class TestTables {

    private static final int SECTOR = 512;
    private static final int ENTRIES = 16;
    private static final int ENTRY = 128;

    private TestTables() {}

    /** Writes both copies of a GPT. */
    static void gpt(byte[] disk, int[] starts, byte[][] contents) {
        mbrEntry(disk, 0, 0xEE, 1, disk.length / SECTOR - 1);
        byte[] entries = new byte[ENTRIES * ENTRY];
        for (int i = 0; i < starts.length; i++) {
            if (contents[i].length == 0) {
                continue;
            }
            ByteBuffer entry = buffer(entries).position(i * ENTRY);
            entry.putLong(0x477284830FC63DAFL)
                    .putLong(0xE47D47D8693D798EL)
                    .putLong(i + 1)
                    .putLong(0);
            entry.putLong(starts[i] / SECTOR).putLong((starts[i] + contents[i].length) / SECTOR - 1);
        }
        int last = disk.length / SECTOR - 1;
        gptCopy(disk, entries, 1, last, 2);
        gptCopy(disk, entries, last, 1, last - entries.length / SECTOR);
    }

    private static void gptCopy(byte[] disk, byte[] entries, int mine, int other, int entriesSector) {
        System.arraycopy(entries, 0, disk, entriesSector * SECTOR, entries.length);
        byte[] header = new byte[92];
        ByteBuffer fields = buffer(header);
        fields.put("EFI PART".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        fields.putInt(0x10000).putInt(92).putInt(0).putInt(0).putLong(mine).putLong(other);
        fields.putLong(34).putLong(disk.length / SECTOR - 34).putLong(0).putLong(0);
        fields.putLong(entriesSector).putInt(ENTRIES).putInt(ENTRY).putInt(crc(entries));
        fields.putInt(16, crc(header));
        System.arraycopy(header, 0, disk, mine * SECTOR, header.length);
    }

    /** Writes a table of up to four partitions. */
    static void mbr(byte[] disk, int[] starts, byte[][] contents) {
        for (int i = 0; i < starts.length; i++) {
            mbrEntry(disk, i, 0x83, starts[i] / SECTOR, contents[i].length / SECTOR);
        }
    }

    private static void mbrEntry(byte[] disk, int entry, int type, int first, int sectors) {
        ByteBuffer fields = buffer(disk);
        fields.putShort(510, (short) 0xAA55);
        fields.putInt(446 + entry * 16 + 4, type);
        fields.putInt(446 + entry * 16 + 8, first);
        fields.putInt(446 + entry * 16 + 12, sectors);
    }

    private static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int crc(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return (int) crc.getValue();
    }
}
