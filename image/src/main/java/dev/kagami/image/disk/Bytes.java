package dev.kagami.image.disk;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Reads numbers and texts out of byte arrays; unsigned, little-endian unless the name says otherwise. */
public final class Bytes {

    private static final VarHandle LE16 = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LE32 = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LE64 = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle BE16 = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle BE32 = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

    private Bytes() {}

    /** Returns a byte as 0 to 255. */
    public static int u8(byte[] bytes, int at) {
        return bytes[at] & 0xFF;
    }

    /** Returns two bytes as 0 to 65535. */
    public static int u16(byte[] bytes, int at) {
        return (short) LE16.get(bytes, at) & 0xFFFF;
    }

    /** Returns four bytes as they are, for flags and magic numbers. */
    public static int i32(byte[] bytes, int at) {
        return (int) LE32.get(bytes, at);
    }

    /** Returns four bytes as a number that isn't negative. */
    public static long u32(byte[] bytes, int at) {
        return (int) LE32.get(bytes, at) & 0xFFFF_FFFFL;
    }

    /** Returns eight bytes; negative for 2^63 and more. */
    public static long i64(byte[] bytes, int at) {
        return (long) LE64.get(bytes, at);
    }

    /** Returns two bytes, the most significant first, as 0 to 65535. */
    public static int u16BigEndian(byte[] bytes, int at) {
        return (short) BE16.get(bytes, at) & 0xFFFF;
    }

    /** Returns four bytes, the most significant first, as they are. */
    public static int i32BigEndian(byte[] bytes, int at) {
        return (int) BE32.get(bytes, at);
    }

    /** Returns four bytes, the most significant first, as a number that isn't negative. */
    public static long u32BigEndian(byte[] bytes, int at) {
        return (int) BE32.get(bytes, at) & 0xFFFF_FFFFL;
    }

    /** Returns a text that ends at a zero byte or after a number of bytes. */
    public static String text(byte[] bytes, int at, int maxLength) {
        int length = 0;
        while (length < maxLength && bytes[at + length] != 0) {
            length++;
        }
        return new String(bytes, at, length, StandardCharsets.UTF_8);
    }

    /** Returns whether bytes stand at a place. */
    public static boolean startsWith(byte[] bytes, int at, String latin1) {
        if (at + latin1.length() > bytes.length) {
            return false;
        }
        for (int i = 0; i < latin1.length(); i++) {
            if (u8(bytes, at + i) != latin1.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** Returns 16 bytes in the notation of a UUID, in the order they stand there (RFC 9562, 4). */
    public static String uuid(byte[] bytes, int at) {
        return "%08x-%04x-%04x-%04x-%04x%08x"
                .formatted(
                        i32BigEndian(bytes, at),
                        u16BigEndian(bytes, at + 4),
                        u16BigEndian(bytes, at + 6),
                        u16BigEndian(bytes, at + 8),
                        u16BigEndian(bytes, at + 10),
                        i32BigEndian(bytes, at + 12));
    }

    /** Returns 16 bytes in the notation of a GUID, whose first three fields are little-endian (UEFI 2.10, appendix A). */
    public static String guid(byte[] bytes, int at) {
        return "%08x-%04x-%04x-%04x-%04x%08x"
                .formatted(
                        i32(bytes, at),
                        u16(bytes, at + 4),
                        u16(bytes, at + 6),
                        u16BigEndian(bytes, at + 8),
                        u16BigEndian(bytes, at + 10),
                        i32BigEndian(bytes, at + 12));
    }
}
