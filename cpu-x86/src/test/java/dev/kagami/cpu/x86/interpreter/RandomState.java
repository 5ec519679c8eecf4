package dev.kagami.cpu.x86.interpreter;

/**
 * Fills a {@link MachineState} from a seed, with values at which instructions tend to go wrong. Part of the format of
 * recorded vectors (field {@code rs}): a change here makes every recorded file worthless.
 */
final class RandomState {
    /** General register that points into the middle of the data window, 16-byte aligned. */
    static final int BASE_REGISTER = 14;

    /** General register that holds 0 to 7. */
    static final int INDEX_REGISTER = 15;

    private static final double[] DOUBLES = {
        0.0,
        -0.0,
        1.0,
        -1.0,
        1.5,
        Double.MIN_VALUE,
        Double.MIN_NORMAL,
        -Double.MIN_NORMAL / 3,
        Double.MAX_VALUE,
        Double.POSITIVE_INFINITY,
        Double.NEGATIVE_INFINITY,
        1e10,
        -1e20,
        0x1p63,
        -0x1p31,
        0.5
    };

    private static final float[] FLOATS = {
        0.0f,
        -0.0f,
        1.0f,
        -1.0f,
        2.5f,
        Float.MIN_VALUE,
        Float.MIN_NORMAL,
        -Float.MIN_NORMAL / 3,
        Float.MAX_VALUE,
        Float.POSITIVE_INFINITY,
        Float.NEGATIVE_INFINITY,
        1e10f,
        -1e20f,
        0x1p31f,
        -0x1p63f,
        0.5f
    };

    private long seed;

    private RandomState(long seed) {
        this.seed = seed;
    }

    /** Replaces a state by the one of a seed. */
    static void fill(MachineState state, long seed) {
        RandomState random = new RandomState(seed);
        state.reset();
        for (int i = 0; i < 16; i++) {
            state.gpr[i] = random.integer();
        }
        state.gpr[Cpu.RSP] = MachineState.STACK;
        state.gpr[BASE_REGISTER] = MachineState.DATA + 0x180 + 16 * (random.next() & 7);
        state.gpr[INDEX_REGISTER] = random.next() & 7;
        state.flags = (int) random.next() & Cpu.ARITHMETIC;
        for (int i = 0; i < 16; i++) {
            state.xmmLow[i] = random.vector();
            state.xmmHigh[i] = random.vector();
        }
        for (int i = 0; i < MachineState.DATA_SIZE; i += 8) {
            long value = (random.next() & 1) == 0 ? random.integer() : random.vector();
            for (int j = 0; j < 8; j++) {
                state.data[i + j] = (byte) (value >>> 8 * j);
            }
        }
        long bits = random.next();
        // All exceptions masked; any rounding; now and then flush-to-zero, denormals-are-zeros and sticky flags.
        state.mxcsr = 0x1F80
                | (int) bits & 0x6000
                | ((bits & 7) == 0 ? 0x8000 : 0)
                | ((bits >> 3 & 7) == 0 ? 0x40 : 0)
                | ((bits >> 6 & 3) == 0 ? (int) (bits >> 8) & 0x1F : 0);
        random.x87(state);
        for (int i = 0; i < 16; i++) {
            state.ymmLow[i] = random.vector();
            state.ymmHigh[i] = random.vector();
        }
    }

    /** Fills what {@link MachineState#wide} has, too. */
    static void fillWide(MachineState state, long seed) {
        RandomState random = new RandomState(~seed);
        for (int i = 0; i < state.wide.length; i++) {
            boolean elsewhere = i < 16 * 8 && i % 8 < 4;
            state.wide[i] = elsewhere ? 0 : i < SimdOp.MASKS ? random.shortened(random.vector()) : random.integer();
        }
    }

    /** {@return a value whose low bits may be cleared: numbers that lie between two shorter ones, when they are rounded} */
    private long shortened(long value) {
        long kind = next();
        int bits = (int) (kind >> 8);
        return switch ((int) kind & 7) {
            case 0 -> value & -1L << (bits & 63);
            case 1 -> value & (-1L << (bits & 31) & 0xFFFF_FFFFL) * 0x1_0000_0001L;
            // Between two numbers of single precision, or of half precision.
            case 2 -> value & -1L << 28 | 1L << 28;
            case 3 -> value & 0xFFFF_F000_FFFF_F000L | 0x1000_0000_1000L;
            default -> value;
        };
    }

    private void x87(MachineState state) {
        long bits = next();
        int precision = (bits & 3) == 0 ? (int) (bits >> 2 & 2) : 3;
        state.control = 0x7F | precision << 8 | (int) (bits >> 8 & 3) << 10;
        state.status = (int) (bits >> 16 & 7) << 11;
        state.tag = (bits & 0x100000) == 0 ? 0xFF : (int) (bits >> 24) & 0xFF;
        for (int i = 0; i < 8; i++) {
            extended(state, i);
        }
    }

    private void extended(MachineState state, int i) {
        long bits = next();
        int sign = (int) (bits & 1) << 15;
        int exponent;
        long significand = next() | 1L << 63;
        switch ((int) (bits >> 1) & 15) {
            case 0 -> {
                exponent = 0;
                significand = 0;
            }
            case 1 -> {
                exponent = 0x7FFF;
                significand = 1L << 63;
            }
            case 2 -> {
                exponent = 0x7FFF;
                significand |= 1L << 62;
            }
            case 3 -> {
                exponent = 0;
                significand >>>= 1 + (bits >> 8 & 31);
            }
            case 4 -> exponent = 0x3FFF + (int) (bits >> 8 & 0x7F) - 0x40;
            case 5 -> {
                exponent = 0x3FFF + (int) (bits >> 8 & 0x3F);
                significand = -1L << 63 - (bits >> 16 & 63);
            }
            case 6 -> exponent = 1 + (int) (bits >> 8 & 0x7F);
            case 7 -> exponent = 0x7FFE - (int) (bits >> 8 & 0x7F);
            case 8 -> {
                exponent = 0x3FFF;
                significand = 1L << 63;
            }
            default -> exponent = 0x3FFF + (int) (bits >> 8 & 0xF) - 8;
        }
        state.significand[i] = significand;
        state.signExponent[i] = sign | exponent;
    }

    /** The SplitMix64 generator of Steele, Lea and Flood (2014). */
    private long next() {
        seed += 0x9E37_79B9_7F4A_7C15L;
        long z = seed;
        z = (z ^ z >>> 30) * 0xBF58_476D_1CE4_E5B9L;
        z = (z ^ z >>> 27) * 0x94D0_49BB_1331_11EBL;
        return z ^ z >>> 31;
    }

    private long integer() {
        long kind = next();
        long value = next();
        return switch ((int) kind & 15) {
            case 0 -> value & 0xFF;
            case 1 -> -(value & 0xFF);
            case 2 -> 1L << (value & 63);
            case 3 -> -1L << (value & 63);
            case 4 -> (1L << (value & 63)) - 1;
            case 5 -> value << (kind >> 8 & 63);
            case 6 -> value >>> (kind >> 8 & 63);
            case 7 -> value >> (kind >> 8 & 63);
            case 8 -> (kind & 0x100) == 0 ? 0x5555_5555_5555_5555L : 0xFF00_FF00_FF00_FF00L;
            case 9 -> value & 0xFFFF_FFFFL;
            case 10 -> value & 3;
            default -> value;
        };
    }

    /** {@return half of a vector register: integers, or floating-point numbers of either width} */
    private long vector() {
        long kind = next();
        long value = next();
        return switch ((int) kind & 15) {
            case 0 -> integer();
            case 1 -> 0;
            case 2, 3 -> Double.doubleToRawLongBits(DOUBLES[(int) value & 15]);
            case 4 -> Double.doubleToRawLongBits((value >> 20) / 1024.0);
            case 5 -> value & 1L << 63 | 0x3FE0_0000_0000_0000L + (value & 0x00FF_FFFF_FFFF_FFFFL);
            case 6, 7 -> twoFloats(FLOATS[(int) value & 15], FLOATS[(int) value >> 4 & 15]);
            case 8 -> twoFloats((value >> 40) / 256.0f, (int) value / 1024.0f);
            case 9 -> value & 0x8000_0000_8000_0000L | 0x3F00_0000_3F00_0000L + (value & 0x00FF_FFFF_00FF_FFFFL);
            // NaNs, quiet and signalling, and infinities.
            case 10 -> value | 0x7FF0_0000_0000_0000L;
            case 11 -> value | 0x7F80_0000_7F80_0000L;
            // Denormal numbers.
            case 12 -> value & 0x800F_FFFF_FFFF_FFFFL;
            case 13 -> value & 0x807F_FFFF_807F_FFFFL;
            default -> value;
        };
    }

    private static long twoFloats(float low, float high) {
        return Float.floatToRawIntBits(low) & 0xFFFF_FFFFL | (long) Float.floatToRawIntBits(high) << 32;
    }
}
