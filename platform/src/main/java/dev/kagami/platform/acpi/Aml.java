package dev.kagami.platform.acpi;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** Encodes ACPI machine language (ACPI 6.5, 20) and resource descriptors (6.4). Each method returns one term's bytes. */
public final class Aml {
    private static final int ZERO_OP = 0x00;
    private static final int ONE_OP = 0x01;
    private static final int NAME_OP = 0x08;
    private static final int BYTE_PREFIX = 0x0A;
    private static final int WORD_PREFIX = 0x0B;
    private static final int DWORD_PREFIX = 0x0C;
    private static final int STRING_PREFIX = 0x0D;
    private static final int QWORD_PREFIX = 0x0E;
    private static final int SCOPE_OP = 0x10;
    private static final int BUFFER_OP = 0x11;
    private static final int PACKAGE_OP = 0x12;
    private static final int METHOD_OP = 0x14;
    private static final int DUAL_NAME_PREFIX = 0x2E;
    private static final int MULTI_NAME_PREFIX = 0x2F;
    private static final int EXTENDED_PREFIX = 0x5B;
    private static final int DEVICE_OP = 0x82;
    private static final int NOTIFY_OP = 0x86;
    private static final int RETURN_OP = 0xA4;
    private static final int NAME_LENGTH = 4;

    private static final int RESOURCE_IRQ = 0x22;
    private static final int RESOURCE_IO = 0x47;
    private static final int RESOURCE_IO_DECODE_16 = 0x01;
    private static final int RESOURCE_END = 0x79;
    private static final int RESOURCE_MEMORY_FIXED = 0x86;
    private static final int RESOURCE_MEMORY_FIXED_LENGTH = 9;
    private static final int RESOURCE_WORD_SPACE = 0x88;
    private static final int RESOURCE_DWORD_SPACE = 0x87;
    private static final int RESOURCE_QWORD_SPACE = 0x8A;
    private static final int RESOURCE_EXTENDED_IRQ = 0x89;
    private static final int SPACE_MEMORY = 0;
    private static final int SPACE_BUS = 2;
    /** Passed on to children, both ends fixed (ACPI 6.5, 6.4.3.5). */
    private static final int SPACE_PRODUCER_FIXED = 0x0C;

    private static final int SPACE_READ_WRITE = 1;
    /** Consumed by this device, level-triggered, active low, shared (ACPI 6.5, 6.4.3.6). */
    private static final int EXTENDED_IRQ_PCI = 0x0D;

    private Aml() {}

    /**
     * Declares a scope.
     *
     * @param path name of an existing object, such as {@code \_SB}
     * @param terms what goes into it
     * @return the term
     */
    public static byte[] scope(String path, byte[]... terms) {
        return concat(new byte[] {SCOPE_OP}, sized(concat(name(path), concat(terms))));
    }

    /**
     * Declares a device.
     *
     * @param path the device's name
     * @param terms what goes into it
     * @return the term
     */
    public static byte[] device(String path, byte[]... terms) {
        return concat(new byte[] {EXTENDED_PREFIX, (byte) DEVICE_OP}, sized(concat(name(path), concat(terms))));
    }

    /**
     * Declares a method.
     *
     * @param path the method's name
     * @param arguments number of arguments, 0 to 7
     * @param terms its body
     * @return the term
     */
    public static byte[] method(String path, int arguments, byte[]... terms) {
        byte[] flags = {(byte) arguments};
        return concat(new byte[] {METHOD_OP}, sized(concat(name(path), flags, concat(terms))));
    }

    /**
     * Returns from a method.
     *
     * @param value what to return
     * @return the term
     */
    public static byte[] returns(byte[] value) {
        return concat(new byte[] {(byte) RETURN_OP}, value);
    }

    /**
     * Tells the driver of a device something.
     *
     * @param path the device
     * @param value what
     * @return the term
     */
    public static byte[] notify(String path, int value) {
        return concat(new byte[] {(byte) NOTIFY_OP}, name(path), integer(value));
    }

    /**
     * Declares a named object.
     *
     * @param path its name
     * @param value its value
     * @return the term
     */
    public static byte[] name(String path, byte[] value) {
        return concat(new byte[] {NAME_OP}, name(path), value);
    }

    /**
     * Encodes a name string.
     *
     * @param path up to 255 segments with dots between, optionally from the root (backslash) or from parents (carets);
     *     short segments are padded with underscores
     * @return the name
     */
    public static byte[] name(String path) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int start = 0;
        while (start < path.length() && (path.charAt(start) == '\\' || path.charAt(start) == '^')) {
            out.write(path.charAt(start++));
        }
        String rest = path.substring(start);
        String[] segments = rest.isEmpty() ? new String[0] : rest.split("\\.");
        switch (segments.length) {
            case 0 -> out.write(ZERO_OP);
            case 1 -> {
                // A single segment needs no prefix.
            }
            case 2 -> out.write(DUAL_NAME_PREFIX);
            default -> {
                out.write(MULTI_NAME_PREFIX);
                out.write(segments.length);
            }
        }
        for (String segment : segments) {
            if (!segment.matches("[A-Z_][A-Z0-9_]{0,3}")) {
                throw new IllegalArgumentException("not an ACPI name: " + path);
            }
            out.writeBytes((segment + "_".repeat(NAME_LENGTH - segment.length())).getBytes(StandardCharsets.US_ASCII));
        }
        return out.toByteArray();
    }

    /**
     * Encodes an integer in the shortest form.
     *
     * @param value the integer, unsigned
     * @return the term
     */
    public static byte[] integer(long value) {
        if (value == 0) {
            return new byte[] {ZERO_OP};
        }
        if (value == 1) {
            return new byte[] {ONE_OP};
        }
        if (value >>> 8 == 0) {
            return new byte[] {BYTE_PREFIX, (byte) value};
        }
        if (value >>> 16 == 0) {
            return concat(new byte[] {WORD_PREFIX}, littleEndian(value, 2));
        }
        if (value >>> 32 == 0) {
            return concat(new byte[] {DWORD_PREFIX}, littleEndian(value, 4));
        }
        return concat(new byte[] {QWORD_PREFIX}, littleEndian(value, 8));
    }

    /**
     * Encodes a string.
     *
     * @param value the string, ASCII without NUL
     * @return the term
     */
    public static byte[] string(String value) {
        return concat(new byte[] {STRING_PREFIX}, value.getBytes(StandardCharsets.US_ASCII), new byte[1]);
    }

    /**
     * Encodes an EISA identifier (ACPI 6.5, 19.3.4).
     *
     * @param id three letters and four hexadecimal digits, such as {@code PNP0501}
     * @return the term
     */
    public static byte[] eisaId(String id) {
        if (!id.matches("[A-Z]{3}[0-9A-F]{4}")) {
            throw new IllegalArgumentException("not an EISA identifier: " + id);
        }
        int letters = 0;
        for (int i = 0; i < 3; i++) {
            letters = letters << 5 | id.charAt(i) - '@';
        }
        int value = letters << 16 | Integer.parseInt(id.substring(3), 16);
        // The bytes of the compressed identifier go the other way round.
        return concat(new byte[] {DWORD_PREFIX}, littleEndian(Integer.toUnsignedLong(Integer.reverseBytes(value)), 4));
    }

    /**
     * Encodes a package.
     *
     * @param elements its elements, at most 255
     * @return the term
     */
    public static byte[] packageOf(byte[]... elements) {
        byte[] count = {(byte) elements.length};
        return concat(new byte[] {PACKAGE_OP}, sized(concat(count, concat(elements))));
    }

    /**
     * Encodes a buffer.
     *
     * @param content its bytes
     * @return the term
     */
    public static byte[] buffer(byte[] content) {
        return concat(new byte[] {BUFFER_OP}, sized(concat(integer(content.length), content)));
    }

    /**
     * Encodes a resource template.
     *
     * @param descriptors its descriptors
     * @return the term, a buffer
     */
    public static byte[] resources(byte[]... descriptors) {
        // A checksum of 0 says that there is none (ACPI 6.5, 6.4.2.9).
        return buffer(concat(concat(descriptors), new byte[] {RESOURCE_END, 0}));
    }

    /**
     * Describes I/O ports.
     *
     * @param first first port
     * @param count number of ports, 1 to 255
     * @return the descriptor
     */
    public static byte[] ports(int first, int count) {
        byte[] base = littleEndian(first, 2);
        byte[] alignment = {1, (byte) count};
        return concat(new byte[] {RESOURCE_IO, RESOURCE_IO_DECODE_16}, base, base, alignment);
    }

    /**
     * Describes an edge-triggered, active-high interrupt of the ISA bus.
     *
     * @param irq 0 to 15
     * @return the descriptor
     */
    public static byte[] interrupt(int irq) {
        return concat(new byte[] {RESOURCE_IRQ}, littleEndian(1L << irq, 2));
    }

    /**
     * Describes a fixed range of memory addresses below 4 GiB.
     *
     * @param start first address
     * @param size bytes
     * @param writable whether writing makes sense
     * @return the descriptor
     */
    public static byte[] memory(long start, long size, boolean writable) {
        byte[] head = {(byte) RESOURCE_MEMORY_FIXED, RESOURCE_MEMORY_FIXED_LENGTH, 0, (byte) (writable ? 1 : 0)};
        return concat(head, littleEndian(start, 4), littleEndian(size, 4));
    }

    /**
     * Describes a window of memory addresses that a bridge passes on to the devices behind it.
     *
     * @param start first address
     * @param size bytes
     * @return the descriptor, of 64 bits if the window needs them
     */
    public static byte[] memoryWindow(long start, long size) {
        boolean wide = start + size > 1L << 32;
        return addressSpace(
                wide ? RESOURCE_QWORD_SPACE : RESOURCE_DWORD_SPACE,
                wide ? 8 : 4,
                SPACE_MEMORY,
                SPACE_READ_WRITE,
                start,
                size);
    }

    /**
     * Describes the bus numbers behind a bridge.
     *
     * @param first first number
     * @param count how many
     * @return the descriptor
     */
    public static byte[] busNumbers(int first, int count) {
        return addressSpace(RESOURCE_WORD_SPACE, 2, SPACE_BUS, 0, first, count);
    }

    private static byte[] addressSpace(int descriptor, int width, int space, int flags, long start, long size) {
        byte[] head = {(byte) descriptor, (byte) (3 + 5 * width), 0, (byte) space, SPACE_PRODUCER_FIXED, (byte) flags};
        return concat(
                head,
                littleEndian(0, width),
                littleEndian(start, width),
                littleEndian(start + size - 1, width),
                littleEndian(0, width),
                littleEndian(size, width));
    }

    /**
     * Describes an interrupt as PCI's are: level-triggered, active low, shared.
     *
     * @param line its number, as the router numbers lines
     * @return the descriptor
     */
    public static byte[] sharedInterrupt(int line) {
        byte[] head = {(byte) RESOURCE_EXTENDED_IRQ, 6, 0, EXTENDED_IRQ_PCI, 1};
        return concat(head, littleEndian(line, 4));
    }

    /**
     * Joins terms.
     *
     * @param parts the terms
     * @return their bytes
     */
    public static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    /** Puts a package length in front, which counts itself (ACPI 6.5, 20.2.4). */
    private static byte[] sized(byte[] content) {
        if (content.length + 1 < 1 << 6) {
            return concat(new byte[] {(byte) (content.length + 1)}, content);
        }
        int extra = content.length + 2 < 1 << 12 ? 1 : content.length + 3 < 1 << 20 ? 2 : 3;
        int length = content.length + 1 + extra;
        byte[] head = new byte[1 + extra];
        head[0] = (byte) (extra << 6 | length & 0x0F);
        for (int i = 0; i < extra; i++) {
            head[1 + i] = (byte) (length >>> 4 + 8 * i);
        }
        return concat(head, content);
    }

    private static byte[] littleEndian(long value, int bytes) {
        byte[] result = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            result[i] = (byte) (value >>> 8 * i);
        }
        return result;
    }
}
