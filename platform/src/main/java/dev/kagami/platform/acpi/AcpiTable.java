package dev.kagami.platform.acpi;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * One system description table.
 *
 * @param signature four characters
 * @param revision the table's revision
 * @param body everything behind the header
 */
public record AcpiTable(String signature, int revision, byte[] body) {
    /** Bytes of the header that all tables share (ACPI 6.5, 5.2.6). */
    public static final int HEADER_SIZE = 36;

    private static final int CHECKSUM_OFFSET = 9;
    private static final String OEM_ID = "KAGAMI";
    private static final String OEM_TABLE_ID = "KAGAMIPC";
    private static final String CREATOR_ID = "KGMI";

    /** {@return the whole table with header and checksum} */
    public byte[] encode() {
        ByteBuffer table = ByteBuffer.allocate(HEADER_SIZE + body.length).order(ByteOrder.LITTLE_ENDIAN);
        table.put(ascii(signature))
                .putInt(table.capacity())
                .put((byte) revision)
                .put((byte) 0);
        table.put(ascii(OEM_ID))
                .put(ascii(OEM_TABLE_ID))
                .putInt(1)
                .put(ascii(CREATOR_ID))
                .putInt(1);
        table.put(body);
        table.put(CHECKSUM_OFFSET, checksum(table.array(), 0, table.capacity()));
        return table.array();
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** {@return the byte that makes the sum of a range 0 when it takes the place of a 0 there} */
    static byte checksum(byte[] bytes, int start, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            sum += bytes[start + i];
        }
        return (byte) -sum;
    }
}
