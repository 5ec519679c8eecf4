package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatFormat;
import dev.kagami.cpu.x86.softfloat.HalfFloat;
import dev.kagami.cpu.x86.softfloat.HostFloat;

/** What a conversion of AVX-512 does to one number, by the instruction's name: VCVT, T for truncation, from, 2, to. */
final class EvexConversion {
    private enum Type {
        HALF(2),
        SINGLE(4),
        DOUBLE(8),
        SIGNED_32(4),
        SIGNED_64(8),
        UNSIGNED_32(4),
        UNSIGNED_64(8);

        private final int bytes;

        Type(int bytes) {
            this.bytes = bytes;
        }

        private boolean isFloat() {
            return compareTo(DOUBLE) <= 0;
        }

        private FloatFormat format() {
            return this == DOUBLE ? FloatFormat.BINARY64 : FloatFormat.BINARY32;
        }

        /** {@return the type that an abbreviation in a mnemonic means; of general registers, by their size} */
        private static Type of(String name, boolean wide) {
            return switch (name) {
                case "ph" -> HALF;
                case "ps", "ss" -> SINGLE;
                case "pd", "sd" -> DOUBLE;
                case "dq" -> SIGNED_32;
                case "qq" -> SIGNED_64;
                case "udq" -> UNSIGNED_32;
                case "uqq" -> UNSIGNED_64;
                case "si" -> wide ? SIGNED_64 : SIGNED_32;
                case "usi" -> wide ? UNSIGNED_64 : UNSIGNED_32;
                default -> throw new AssertionError(name);
            };
        }
    }

    private static final int PREFIX = "vcvt".length();

    private final Type from;
    private final Type to;
    private final boolean truncates;

    /**
     * Takes the types from an instruction.
     *
     * @param name its mnemonic
     * @param wide whether general registers have 64 bits
     */
    EvexConversion(String name, boolean wide) {
        truncates = name.charAt(PREFIX) == 't';
        int middle = name.indexOf('2');
        from = Type.of(name.substring(truncates ? PREFIX + 1 : PREFIX, middle), wide);
        to = Type.of(name.substring(middle + 1), wide);
    }

    /** {@return bytes of an operand} */
    int fromBytes() {
        return from.bytes;
    }

    /** {@return bytes of a result} */
    int toBytes() {
        return to.bytes;
    }

    /**
     * Converts a number.
     *
     * @param c rounding mode and flags
     * @param value the number, with zeros above
     * @return the number in the other type; what is above it means nothing
     */
    long convert(FloatContext c, long value) {
        if (to.isFloat()) {
            return from.isFloat() ? toOtherFormat(c, value) : toFloat(c, value);
        }
        int rounding = truncates ? FloatContext.ROUND_ZERO : c.rounding;
        return switch (to) {
            case SIGNED_32 ->
                from == Type.DOUBLE
                        ? HostFloat.toInt32(c, value, rounding)
                        : HostFloat.toInt32(c, (int) value, rounding);
            case SIGNED_64 ->
                from == Type.DOUBLE
                        ? HostFloat.toInt64(c, value, rounding)
                        : HostFloat.toInt64(c, (int) value, rounding);
            default -> BinaryFloat.toUnsigned(c, from.format(), value, rounding, 8 * to.bytes);
        };
    }

    private long toOtherFormat(FloatContext c, long value) {
        return switch (to) {
            case DOUBLE -> HostFloat.toDouble(c, (int) value);
            case SINGLE -> from == Type.HALF ? HalfFloat.toSingle(c, (int) value) : HostFloat.toSingle(c, value);
            default -> throw new AssertionError(to);
        };
    }

    private long toFloat(FloatContext c, long value) {
        if (from == Type.UNSIGNED_64) {
            return BinaryFloat.fromUnsigned(c, to.format(), value);
        }
        long number = from == Type.SIGNED_32 ? (int) value : value;
        return to == Type.DOUBLE ? HostFloat.fromInt64(c, number) : HostFloat.singleFromInt64(c, number);
    }
}
