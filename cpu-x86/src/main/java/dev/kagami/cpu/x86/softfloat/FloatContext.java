package dev.kagami.cpu.x86.softfloat;

import org.jspecify.annotations.Nullable;

/**
 * What an operation needs beside its operands, and what it gives beside its result: rounding mode, masks, flags.
 *
 * <p>One object per virtual CPU and unit (x87, SSE), reused by every operation; not thread-safe. The flags are sticky:
 * the caller clears {@link #flags} before an instruction and reads them after it. An 80-bit result is left in {@link
 * #signExponent} and {@link #significand}.
 */
public final class FloatContext {
    /** Invalid operation, bit 0 of MXCSR and of the x87 status word. */
    public static final int INVALID = 1;

    /** Denormal operand, bit 1. */
    public static final int DENORMAL = 1 << 1;

    /** Division by zero, bit 2. */
    public static final int ZERO_DIVIDE = 1 << 2;

    /** Numeric overflow, bit 3. */
    public static final int OVERFLOW = 1 << 3;

    /** Numeric underflow, bit 4. */
    public static final int UNDERFLOW = 1 << 4;

    /** Inexact result, bit 5. */
    public static final int INEXACT = 1 << 5;

    /** All six exceptions. */
    public static final int ALL_EXCEPTIONS = 0x3F;

    /** Exceptions found before an operation computes; unmasked ones suppress the result (SDM 1 4.9.2). */
    public static final int PRE_COMPUTATION = INVALID | DENORMAL | ZERO_DIVIDE;

    /** Round to nearest, ties to even. */
    public static final int ROUND_NEAREST = 0;

    /** Round towards minus infinity. */
    public static final int ROUND_DOWN = 1;

    /** Round towards plus infinity. */
    public static final int ROUND_UP = 2;

    /** Round towards zero. */
    public static final int ROUND_ZERO = 3;

    private static final int MXCSR_DAZ = 1 << 6;
    private static final int MXCSR_MASK_SHIFT = 7;
    private static final int MXCSR_ROUNDING_SHIFT = 13;
    private static final int MXCSR_FTZ = 1 << 15;
    private static final int WIDE_NUMBERS = 8;
    private static final int CONTROL_PRECISION_SHIFT = 8;
    private static final int CONTROL_ROUNDING_SHIFT = 10;

    /** Rounding mode in the encoding of MXCSR.RC and the x87 control word's RC. */
    public int rounding;

    /** Exceptions raised since the caller last cleared this field. */
    public int flags;

    /** True if the last rounding made the magnitude larger: the x87 unit's C1. */
    public boolean roundedUp;

    /** Sign (bit 15) and biased exponent (bits 0 to 14) of an 80-bit result. */
    public int signExponent;

    /** Significand of an 80-bit result, with its integer bit in bit 63. */
    public long significand;

    boolean denormalsAreZero;
    boolean flushToZero;
    int masks = ALL_EXCEPTIONS;

    /** True where Java's own arithmetic, which rounds to nearest and traps nothing, gives the guest's result. */
    boolean hostArithmetic = true;

    /** True if the inexact flag is set already, so that an operation need not find out whether it was exact. */
    boolean inexactKnown;

    /** The x87 unit's target: extended range, precision by the control word. */
    FloatFormat extended = FloatFormat.EXTENDED;

    /** {@link #DENORMAL} if an operand was a denormal in the memory format from which it was widened, else 0. */
    int widenedDenormal;

    /** Sign of the last rounded number, 0 or 1. */
    int sign;

    /** Biased exponent field of the last rounded number. */
    int exponent;

    private int loadedMxcsr = 0x1F80;

    private Wide @Nullable [] wide;

    /** Creates a context with the power-on settings: nearest, everything masked, 64-bit precision. */
    public FloatContext() {}

    /**
     * Takes rounding mode, masks, DAZ and FTZ from MXCSR and clears {@link #flags}.
     *
     * @param mxcsr the register's value (SDM 1 10.2.3)
     */
    public void useMxcsr(int mxcsr) {
        flags = 0;
        if (mxcsr != loadedMxcsr) {
            loadMxcsr(mxcsr);
        }
    }

    private void loadMxcsr(int mxcsr) {
        loadedMxcsr = mxcsr;
        rounding = (mxcsr >>> MXCSR_ROUNDING_SHIFT) & 3;
        masks = (mxcsr >>> MXCSR_MASK_SHIFT) & ALL_EXCEPTIONS;
        denormalsAreZero = (mxcsr & MXCSR_DAZ) != 0;
        // Flush-to-zero is ignored while the underflow exception is unmasked (SDM 1 10.2.3.3).
        flushToZero = (mxcsr & MXCSR_FTZ) != 0 && (masks & UNDERFLOW) != 0;
        inexactKnown = (mxcsr & INEXACT) != 0;
        hostArithmetic = rounding == ROUND_NEAREST && masks == ALL_EXCEPTIONS;
    }

    /**
     * Takes rounding mode, precision and masks from the x87 control word and clears {@link #flags}.
     *
     * @param controlWord the register's value (SDM 1 8.1.5)
     */
    public void useControlWord(int controlWord) {
        flags = 0;
        roundedUp = false;
        widenedDenormal = 0;
        rounding = (controlWord >>> CONTROL_ROUNDING_SHIFT) & 3;
        masks = controlWord & ALL_EXCEPTIONS;
        // Value 1 is reserved; the processor then rounds to 64 bits.
        extended = switch ((controlWord >>> CONTROL_PRECISION_SHIFT) & 3) {
            case 0 -> FloatFormat.EXTENDED_24;
            case 2 -> FloatFormat.EXTENDED_53;
            default -> FloatFormat.EXTENDED;
        };
    }

    /**
     * Returns the raised exceptions that are not masked.
     *
     * @return a set of the flag constants, 0 if no trap is due
     */
    public int unmasked() {
        return flags & ~masks;
    }

    /** Scratch numbers of the transcendental instructions, made when the first of them runs. */
    Wide[] wide() {
        Wide[] scratch = wide;
        if (scratch == null) {
            scratch = new Wide[WIDE_NUMBERS];
            for (int i = 0; i < scratch.length; i++) {
                scratch[i] = new Wide();
            }
            wide = scratch;
        }
        return scratch;
    }

    void raise(int exceptions) {
        flags |= exceptions;
    }

    void setExtended(int newSignExponent, long newSignificand) {
        signExponent = newSignExponent;
        significand = newSignificand;
    }
}
