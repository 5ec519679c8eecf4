package dev.kagami.cpu.x86.softfloat;

/** The x87 unit's packed decimal integers: 18 digits in 9 bytes and a sign byte (SDM 1 4.7). */
public final class PackedDecimal {
    /** Low 8 bytes of packed decimal indefinite. */
    public static final long INDEFINITE_LOW = 0xC000_0000_0000_0000L;

    /** High 2 bytes of packed decimal indefinite. */
    public static final int INDEFINITE_HIGH = 0xFFFF;

    private static final long LIMIT = 1_000_000_000_000_000_000L;
    private static final int NEGATIVE = 0x8000;
    private static final int LOW_DIGITS = 16;

    private PackedDecimal() {}

    /**
     * Converts to an 80-bit number (FBLD); exact. Digits above 9 are taken at their binary value, as processors do.
     *
     * @param c receives the result
     * @param low digits 0 to 15
     * @param high digits 16 and 17 in bits 0 to 7, sign in bit 15
     */
    public static void load(FloatContext c, long low, int high) {
        long value = (high >>> 4 & 0xF) * 10L + (high & 0xF);
        for (int digit = LOW_DIGITS - 1; digit >= 0; digit--) {
            value = value * 10 + (low >>> (4 * digit) & 0xF);
        }
        Float80.fromInteger(c, value);
        if ((high & NEGATIVE) != 0) {
            c.signExponent |= Float80.SIGN;
        }
    }

    /**
     * Rounds an 80-bit number to a decimal integer (FBSTP). The context's significand receives the low 8 bytes.
     *
     * @param c rounding and flags; receives digits 0 to 15
     * @param se sign and exponent
     * @param s significand
     * @return the high 2 bytes
     */
    public static int store(FloatContext c, int se, long s) {
        int before = c.flags;
        long value = Float80.toInteger(c, se, s, c.rounding, 64);
        if (value == Long.MIN_VALUE || value <= -LIMIT || value >= LIMIT) {
            c.flags = before | FloatContext.INVALID;
            c.roundedUp = false;
            c.significand = INDEFINITE_LOW;
            return INDEFINITE_HIGH;
        }
        long rest = Math.abs(value);
        long low = 0;
        for (int digit = 0; digit < LOW_DIGITS; digit++) {
            low |= rest % 10 << (4 * digit);
            rest /= 10;
        }
        c.significand = low;
        return (se & NEGATIVE) | (int) (rest / 10 << 4 | rest % 10);
    }
}
