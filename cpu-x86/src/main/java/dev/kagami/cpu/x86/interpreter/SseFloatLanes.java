package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.softfloat.BinaryFloat;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import dev.kagami.cpu.x86.softfloat.HostFloat;
import dev.kagami.cpu.x86.softfloat.ReciprocalEstimate;

/** What SSE floating-point instructions do to one binary64 lane or two binary32 lanes; operations go by opcode. */
final class SseFloatLanes {
    static final int SQUARE_ROOT = 0x51;
    static final int RECIPROCAL_SQUARE_ROOT = 0x52;
    static final int RECIPROCAL = 0x53;
    static final int ADD = 0x58;
    static final int MULTIPLY = 0x59;
    static final int SUBTRACT = 0x5C;
    static final int MIN = 0x5D;
    static final int DIVIDE = 0x5E;
    static final int MAX = 0x5F;

    private SseFloatLanes() {}

    static boolean isArithmetic(int opcode) {
        return opcode == SQUARE_ROOT || opcode >= ADD && opcode <= MAX && opcode != 0x5A && opcode != 0x5B;
    }

    static long applyDouble(int operation, FloatContext c, long a, long b) {
        return switch (operation) {
            case ADD -> HostFloat.add(c, a, b);
            case MULTIPLY -> HostFloat.multiply(c, a, b);
            case SUBTRACT -> HostFloat.subtract(c, a, b);
            case MIN -> HostFloat.min(c, a, b);
            case DIVIDE -> HostFloat.divide(c, a, b);
            case MAX -> HostFloat.max(c, a, b);
            default -> HostFloat.squareRoot(c, b);
        };
    }

    static int applySingle(int operation, FloatContext c, int a, int b) {
        return switch (operation) {
            case ADD -> HostFloat.add(c, a, b);
            case MULTIPLY -> HostFloat.multiply(c, a, b);
            case SUBTRACT -> HostFloat.subtract(c, a, b);
            case MIN -> HostFloat.min(c, a, b);
            case DIVIDE -> HostFloat.divide(c, a, b);
            case MAX -> HostFloat.max(c, a, b);
            case RECIPROCAL -> ReciprocalEstimate.reciprocal(b);
            case RECIPROCAL_SQUARE_ROOT -> ReciprocalEstimate.reciprocalSquareRoot(b);
            default -> HostFloat.squareRoot(c, b);
        };
    }

    /** Applies an operation to both binary32 lanes of a quadword. */
    static long applyPair(int operation, FloatContext c, long a, long b) {
        int low = applySingle(operation, c, (int) a, (int) b);
        int high = applySingle(operation, c, (int) (a >>> 32), (int) (b >>> 32));
        return SseFloatOp.join(low, high);
    }

    /** Evaluates a CMPPS predicate, 0 to 7 (SDM 2A CMPPD, table 3-1). */
    static boolean holds(int predicate, int relation) {
        boolean unordered = relation == BinaryFloat.UNORDERED;
        boolean positive = switch (predicate & 3) {
            case 0 -> relation == BinaryFloat.EQUAL;
            case 1 -> relation == BinaryFloat.LESS;
            case 2 -> relation == BinaryFloat.LESS || relation == BinaryFloat.EQUAL;
            default -> unordered;
        };
        return positive != ((predicate & 4) != 0);
    }

    /** {@return whether a predicate raises the invalid exception for quiet NaNs too: the ones about order do} */
    static boolean signals(int predicate) {
        int kind = predicate & 3;
        return kind == 1 || kind == 2;
    }

    static long compareDouble(FloatContext c, int predicate, long a, long b) {
        return holds(predicate, HostFloat.compare(c, a, b, signals(predicate))) ? -1L : 0;
    }

    static int compareSingle(FloatContext c, int predicate, int a, int b) {
        return holds(predicate, HostFloat.compare(c, a, b, signals(predicate))) ? -1 : 0;
    }

    static long comparePair(FloatContext c, int predicate, long a, long b) {
        int low = compareSingle(c, predicate, (int) a, (int) b);
        int high = compareSingle(c, predicate, (int) (a >>> 32), (int) (b >>> 32));
        return SseFloatOp.join(low, high);
    }
}
