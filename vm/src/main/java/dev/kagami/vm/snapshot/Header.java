package dev.kagami.vm.snapshot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * The first page of a file; see the package's description.
 *
 * @param sectionsLength bytes of the sections
 * @param sectionsChecksum CRC-32C of the sections
 * @param memoryStart where RAM begins
 * @param memorySize bytes of RAM
 * @param fileLength length of the file
 */
record Header(int sectionsLength, int sectionsChecksum, long memoryStart, long memorySize, long fileLength) {
    static final int SIZE = 4096;
    static final int VERSION = 1;
    private static final byte[] MAGIC = {'K', 'A', 'G', 'A', 'M', 'I', 0x1A, 0x0A};
    private static final int VERSION_AT = 8;
    private static final int CHECKSUM_AT = 12;
    private static final int FIELDS_AT = 16;

    /** Where RAM may begin: hosts map files at such places. */
    static final int ALIGNMENT = 64 << 10;

    static int checksum(byte[] bytes) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes);
        return (int) checksum.getValue();
    }

    ByteBuffer encode() {
        ByteBuffer page = ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN);
        page.put(MAGIC).putInt(VERSION).putInt(0);
        page.putInt(sectionsLength).putInt(sectionsChecksum);
        page.putLong(memoryStart).putLong(memorySize).putLong(fileLength);
        page.putInt(CHECKSUM_AT, checksum(page.array()));
        return page.rewind();
    }

    static Header decode(ByteBuffer page, long actualLength) throws SnapshotException {
        page.order(ByteOrder.LITTLE_ENDIAN);
        byte[] magic = new byte[MAGIC.length];
        if (page.limit() == SIZE) {
            page.get(0, magic);
        }
        if (!Arrays.equals(magic, MAGIC)) {
            throw new SnapshotException(SnapshotException.Kind.NOT_A_SNAPSHOT, "it is no snapshot");
        }
        int version = page.getInt(VERSION_AT);
        if (version != VERSION) {
            throw new SnapshotException(
                    SnapshotException.Kind.OTHER_VERSION,
                    "it is of version %d of the format, and this Kagami knows %d".formatted(version, VERSION));
        }
        int expected = page.getInt(CHECKSUM_AT);
        page.putInt(CHECKSUM_AT, 0);
        if (checksum(page.array()) != expected) {
            throw SnapshotException.damaged("its header is damaged");
        }
        page.position(FIELDS_AT);
        Header header = new Header(page.getInt(), page.getInt(), page.getLong(), page.getLong(), page.getLong());
        if (header.fileLength != actualLength) {
            throw SnapshotException.damaged(
                    "it has %d bytes and should have %d".formatted(actualLength, header.fileLength));
        }
        long end = header.memoryStart;
        if (header.sectionsLength < 0
                || SIZE + (long) header.sectionsLength > end
                || end > actualLength
                || end % ALIGNMENT != 0
                || header.memorySize <= 0
                || header.memorySize % MemoryMap.PAGE != 0
                || header.memorySize > 1L << 40) {
            throw SnapshotException.damaged("its header contradicts itself");
        }
        return header;
    }
}
