package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import dev.kagami.cpu.x86.softfloat.FloatClass;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.FloatParts;
import dev.kagami.cpu.x86.softfloat.ReciprocalEstimate;

/** What AVX-512 adds to floating-point arithmetic: parts of numbers, classes of numbers, estimates. */
final class EvexFloatFunction extends EvexFloatOp {
    // By opcode; the scalar form's is the next one, if not said otherwise.
    private static final int SCALE = 0x22C;
    private static final int EXPONENT = 0x242;
    private static final int RECIPROCAL = 0x24C;
    private static final int RECIPROCAL_SQUARE_ROOT = 0x24E;
    private static final int ROUND = 0x308;
    private static final int ROUND_SCALAR = 0x30A;
    private static final int SIGNIFICAND = 0x326;
    private static final int RANGE = 0x350;
    private static final int FIX_UP = 0x354;
    private static final int REDUCE = 0x356;
    private static final int CLASSIFY = 0x366;

    private static final int USE_MXCSR = 4;
    private static final int SUPPRESS_INEXACT = 8;

    private final int operation;
    private final int control;

    EvexFloatFunction(Instruction in) {
        super(in);
        operation = operation(in);
        control = (int) in.immediate & 0xFF;
    }

    private static int operation(Instruction in) {
        return in.mapAndOpcode() & ~1;
    }

    static boolean is(Instruction in) {
        return switch (operation(in)) {
            case SCALE,
                    EXPONENT,
                    RECIPROCAL,
                    RECIPROCAL_SQUARE_ROOT,
                    ROUND,
                    ROUND_SCALAR,
                    SIGNIFICAND,
                    RANGE,
                    FIX_UP,
                    REDUCE,
                    CLASSIFY -> true;
            default -> false;
        };
    }

    @Override
    long element(FloatContext c, int number, long left, long right, long old) {
        return switch (operation) {
            case SCALE -> FloatParts.scale(c, format, left, right);
            case EXPONENT -> FloatParts.exponent(c, format, right);
            case RECIPROCAL -> ReciprocalEstimate.reciprocal14(c, format, right);
            case RECIPROCAL_SQUARE_ROOT -> ReciprocalEstimate.reciprocalSquareRoot14(c, format, right);
            case ROUND, ROUND_SCALAR ->
                BinaryFloat.roundToPlaces(c, format, right, places(), rounding(c), suppressesInexact());
            case SIGNIFICAND -> FloatParts.significand(c, format, right, control);
            case RANGE -> FloatClass.range(c, format, left, right, control);
            case FIX_UP -> FloatClass.fixUp(c, format, old, left, right, control);
            case REDUCE -> FloatParts.reduce(c, format, right, places(), rounding(c), suppressesInexact());
            default -> FloatClass.isAny(c, format, right, control) ? 1 : 0;
        };
    }

    private int places() {
        return control >> 4;
    }

    private int rounding(FloatContext c) {
        return (control & USE_MXCSR) != 0 ? c.rounding : control & 3;
    }

    private boolean suppressesInexact() {
        return (control & SUPPRESS_INEXACT) != 0;
    }
}
