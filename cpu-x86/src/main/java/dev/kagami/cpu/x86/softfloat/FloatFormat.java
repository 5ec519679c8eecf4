package dev.kagami.cpu.x86.softfloat;

/**
 * A binary floating-point format: how many bits a significand keeps and how far the exponent reaches.
 *
 * <p>Source: SDM 1 4.2.2, table 4-2 and table 4-3.
 */
public final class FloatFormat {
    /** Half precision: 11 significant bits. */
    static final FloatFormat BINARY16 = new FloatFormat(11, 15, 0x1F);

    /** Single precision: 24 significant bits. */
    public static final FloatFormat BINARY32 = new FloatFormat(24, 127, 0xFF);

    /** Double precision: 53 significant bits. */
    public static final FloatFormat BINARY64 = new FloatFormat(53, 1023, 0x7FF);

    /** Double extended precision with an explicit integer bit: 64 significant bits. */
    public static final FloatFormat EXTENDED = new FloatFormat(64, 16383, 0x7FFF);

    /** Extended exponent range, significand rounded to 24 bits (x87 precision control 0). */
    static final FloatFormat EXTENDED_24 = new FloatFormat(24, 16383, 0x7FFF);

    /** Extended exponent range, significand rounded to 53 bits (x87 precision control 2). */
    static final FloatFormat EXTENDED_53 = new FloatFormat(53, 16383, 0x7FFF);

    final int precision;
    final int bias;
    final int maxExponent;
    final int fractionBits;
    final long fractionMask;
    final long signMask;
    final long magnitudeMask;
    final long infinity;
    final long quietBit;

    private FloatFormat(int precision, int bias, int maxExponent) {
        this.precision = precision;
        this.bias = bias;
        this.maxExponent = maxExponent;
        fractionBits = precision - 1;
        fractionMask = (1L << fractionBits) - 1;
        infinity = (long) maxExponent << fractionBits;
        signMask = (maxExponent + 1L) << fractionBits;
        magnitudeMask = signMask - 1;
        quietBit = 1L << (fractionBits - 1);
    }

    /** The quiet NaN that stands for an invalid operation's result: "real indefinite", negative (SDM 1 4.8.3.7). */
    long defaultNan() {
        return signMask | infinity | quietBit;
    }

    boolean isNan(long bits) {
        return (bits & magnitudeMask) > infinity;
    }

    boolean isSignalingNan(long bits) {
        return isNan(bits) && (bits & quietBit) == 0;
    }

    boolean isInfinity(long bits) {
        return (bits & magnitudeMask) == infinity;
    }

    boolean isZero(long bits) {
        return (bits & magnitudeMask) == 0;
    }

    boolean isDenormal(long bits) {
        long magnitude = bits & magnitudeMask;
        return magnitude != 0 && magnitude <= fractionMask;
    }

    int sign(long bits) {
        return (bits & signMask) != 0 ? 1 : 0;
    }

    /** Biased exponent of a finite number as if its exponent range had no lower end. */
    int exponent(long bits) {
        int field = (int) (bits >>> fractionBits) & maxExponent;
        return field != 0 ? field : 1 - (Long.numberOfLeadingZeros(bits & fractionMask) - (63 - fractionBits));
    }

    /** Significand of a finite number, its leading one in bit 63; 0 for zeros. */
    long significand(long bits) {
        long fraction = bits & fractionMask;
        if (((bits >>> fractionBits) & maxExponent) != 0) {
            return (fraction | 1L << fractionBits) << (63 - fractionBits);
        }
        return fraction == 0 ? 0 : fraction << Long.numberOfLeadingZeros(fraction);
    }
}
