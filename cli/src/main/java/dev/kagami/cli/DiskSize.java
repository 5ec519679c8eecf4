package dev.kagami.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The size of a disk as the command line has it.
 *
 * @param bytes bytes
 * @param added whether they come on top of what the disk has
 */
record DiskSize(long bytes, boolean added) {
    private static final Pattern TEXT =
            Pattern.compile("(\\+?)(\\d{1,18})(?:([KMGTP])(?:i?B)?)?", Pattern.CASE_INSENSITIVE);
    private static final String UNITS = "KMGTP";
    private static final int BITS_PER_UNIT = 10;

    /** Reads a size: bytes, or a number with a unit, which is a power of 1024. */
    static DiskSize parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (!matcher.matches()) {
            throw new TypeConversionException("'%s' is not a size; write for example 512M or 10G".formatted(text));
        }
        String unit = matcher.group(3);
        int shift = unit == null ? 0 : BITS_PER_UNIT * (UNITS.indexOf(unit.toUpperCase(Locale.ROOT)) + 1);
        long number = Long.parseLong(matcher.group(2));
        if (number > Long.MAX_VALUE >> shift) {
            throw new TypeConversionException("'%s' is more than a disk can have".formatted(text));
        }
        return new DiskSize(number << shift, !matcher.group(1).isEmpty());
    }

    /** Reads the size of a disk that there is already, which may be relative. */
    static final class Converter implements ITypeConverter<DiskSize> {
        @Override
        public DiskSize convert(String value) {
            return parse(value);
        }
    }

    /** Reads a size in bytes, which can't be relative. */
    static final class AbsoluteConverter implements ITypeConverter<Long> {
        @Override
        public Long convert(String value) {
            DiskSize size = parse(value);
            if (size.added()) {
                throw new TypeConversionException("'%s' is not a size; leave out the plus sign".formatted(value));
            }
            return size.bytes();
        }
    }

    /** Reads the size of a cluster in bytes. */
    static final class ClusterConverter implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            DiskSize size = parse(value);
            if (size.added() || size.bytes() > Integer.MAX_VALUE) {
                throw new TypeConversionException(
                        "'%s' is not the size of a cluster; write for example 64K or 2M".formatted(value));
            }
            return (int) size.bytes();
        }
    }
}
