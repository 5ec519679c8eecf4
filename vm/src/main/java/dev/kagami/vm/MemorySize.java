package dev.kagami.vm;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An amount of memory.
 *
 * @param bytes bytes, at least 0
 */
public record MemorySize(long bytes) {
    private static final Pattern TEXT = Pattern.compile("(\\d{1,15})\\s*([KMGT]?)(i?B)?", Pattern.CASE_INSENSITIVE);
    private static final long KIBIBYTE = 1L << 10;
    private static final long MEBIBYTE = 1L << 20;
    private static final long GIBIBYTE = 1L << 30;
    private static final long TEBIBYTE = 1L << 40;

    /** Checks the value. */
    public MemorySize {
        if (bytes < 0) {
            throw new IllegalArgumentException("a memory size can't be negative: " + bytes);
        }
    }

    /**
     * Makes a size from mebibytes.
     *
     * @param mebibytes units of 2<sup>20</sup> bytes, at least 0
     * @return the size
     * @throws ArithmeticException when it overflows
     */
    public static MemorySize ofMebibytes(long mebibytes) {
        return new MemorySize(Math.multiplyExact(mebibytes, MEBIBYTE));
    }

    /**
     * Makes a size from gibibytes.
     *
     * @param gibibytes units of 2<sup>30</sup> bytes, at least 0
     * @return the size
     * @throws ArithmeticException when it overflows
     */
    public static MemorySize ofGibibytes(long gibibytes) {
        return new MemorySize(Math.multiplyExact(gibibytes, GIBIBYTE));
    }

    /**
     * Reads a size as people write it: {@code 512M}, {@code 2G}, {@code 1GiB}. A number without a unit is in mebibytes,
     * as with other virtual machine monitors. Units are powers of 1024.
     *
     * @param text the size
     * @return the size
     * @throws IllegalArgumentException when the text is no size, or too large
     */
    public static MemorySize parse(String text) {
        Matcher matcher = TEXT.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "'%s' is not a memory size; write for example 512M or 2G".formatted(text));
        }
        long unit = switch (matcher.group(2).toUpperCase(Locale.ROOT)) {
            case "K" -> KIBIBYTE;
            case "G" -> GIBIBYTE;
            case "T" -> TEBIBYTE;
            default -> MEBIBYTE;
        };
        try {
            return new MemorySize(Math.multiplyExact(Long.parseLong(matcher.group(1)), unit));
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("'%s' is more memory than there can be".formatted(text), e);
        }
    }

    @Override
    public String toString() {
        if (bytes >= GIBIBYTE && bytes % GIBIBYTE == 0) {
            return bytes / GIBIBYTE + "G";
        }
        if (bytes >= MEBIBYTE && bytes % MEBIBYTE == 0) {
            return bytes / MEBIBYTE + "M";
        }
        return bytes >= KIBIBYTE && bytes % KIBIBYTE == 0 ? bytes / KIBIBYTE + "K" : bytes + " bytes";
    }
}
