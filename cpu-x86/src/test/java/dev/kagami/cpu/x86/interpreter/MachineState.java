package dev.kagami.cpu.x86.interpreter;

import java.util.Arrays;

/** What a conformance test can see of a CPU in user mode: registers, flags, and a window of memory. */
final class MachineState {
    /** Linear address of the code under test. */
    static final long CODE = 0x1000_0000L;

    /** Linear address of the writable data window. */
    static final long DATA = 0x2000_0000L;

    /** Size of the data window in bytes. */
    static final int DATA_SIZE = 0x400;

    /** Default stack pointer: the middle of the data window. */
    static final long STACK = DATA + 0x200;

    /** The flags that are compared: the arithmetic ones and DF. */
    static final int FLAGS = Cpu.ARITHMETIC | Cpu.DF;

    private static final long GPR_PATTERN = 0x0123_4567_89AB_CDEFL;
    private static final byte[] DATA_PATTERN = new byte[DATA_SIZE];

    static {
        for (int k = 0; k < DATA_SIZE; k++) {
            DATA_PATTERN[k] = (byte) (k * 7 + 0x35 ^ k >> 4);
        }
    }

    final long[] gpr = new long[16];
    int flags;
    final long[] xmmLow = new long[16];
    final long[] xmmHigh = new long[16];
    /** Bits 128 to 191 of the YMM registers. */
    final long[] ymmLow = new long[16];
    /** Bits 192 to 255. */
    final long[] ymmHigh = new long[16];

    /**
     * The vector registers as {@link Cpu#vec} has them, and the opmask registers behind them; but not the lowest 256 bits of
     * the first 16, which are above.
     */
    final long[] wide = new long[SimdOp.MEMORY_SLOT];

    int mxcsr;
    int control;
    int status;
    /** One bit a physical x87 register, set when it is not empty, as FXSAVE stores it. */
    int tag;

    /** ST0 to ST7, relative to TOP. */
    final long[] significand = new long[8];

    final int[] signExponent = new int[8];
    final byte[] data = new byte[DATA_SIZE];

    /** Exception vector, or -1 when the code ran to its end. */
    int exception;

    /** Error code, or -1 when the exception has none. */
    int errorCode;

    /** Offset in the code of the instruction that faulted. */
    int faultOffset;

    MachineState() {
        reset();
    }

    /** Sets the default state that recorded vectors start from. */
    void reset() {
        for (int i = 0; i < 16; i++) {
            gpr[i] = GPR_PATTERN * (i + 1);
            xmmLow[i] = bytes(i * 16);
            xmmHigh[i] = bytes(i * 16 + 8);
            ymmLow[i] = 0;
            ymmHigh[i] = 0;
        }
        Arrays.fill(wide, 0);
        gpr[Cpu.RSP] = STACK;
        flags = 0;
        mxcsr = 0x1F80;
        control = 0x37F;
        status = 0;
        tag = 0;
        Arrays.fill(significand, 0);
        Arrays.fill(signExponent, 0);
        System.arraycopy(DATA_PATTERN, 0, data, 0, DATA_SIZE);
        exception = -1;
        errorCode = -1;
        faultOffset = 0;
    }

    private static long bytes(int first) {
        long value = 0;
        for (int i = 7; i >= 0; i--) {
            value = value << 8 | first + i & 0xFF;
        }
        return value;
    }

    void copyFrom(MachineState other) {
        System.arraycopy(other.gpr, 0, gpr, 0, 16);
        flags = other.flags;
        System.arraycopy(other.xmmLow, 0, xmmLow, 0, 16);
        System.arraycopy(other.xmmHigh, 0, xmmHigh, 0, 16);
        System.arraycopy(other.ymmLow, 0, ymmLow, 0, 16);
        System.arraycopy(other.ymmHigh, 0, ymmHigh, 0, 16);
        System.arraycopy(other.wide, 0, wide, 0, wide.length);
        mxcsr = other.mxcsr;
        control = other.control;
        status = other.status;
        tag = other.tag;
        System.arraycopy(other.significand, 0, significand, 0, 8);
        System.arraycopy(other.signExponent, 0, signExponent, 0, 8);
        System.arraycopy(other.data, 0, data, 0, DATA_SIZE);
        exception = other.exception;
        errorCode = other.errorCode;
        faultOffset = other.faultOffset;
    }

    /**
     * Compares with what should have come out.
     *
     * @param expected the right state
     * @param undefinedFlags flags not to compare
     * @param undefinedStatus bits of the x87 status word not to compare
     * @param undefinedRegisters general registers not to compare, one bit each
     * @return the differences for a person to read, or an empty string
     */
    String difference(MachineState expected, int undefinedFlags, int undefinedStatus, int undefinedRegisters) {
        if (exception != expected.exception
                || errorCode != expected.errorCode
                || exception >= 0 && faultOffset != expected.faultOffset) {
            return "exception " + exceptionText() + ", not " + expected.exceptionText();
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 16; i++) {
            if ((undefinedRegisters >> i & 1) == 0) {
                compare(text, GPR_NAMES[i], gpr[i], expected.gpr[i]);
            }
        }
        compare(text, "flags", flags & FLAGS & ~undefinedFlags, expected.flags & FLAGS & ~undefinedFlags);
        for (int i = 0; i < 16; i++) {
            if (xmmLow[i] != expected.xmmLow[i] || xmmHigh[i] != expected.xmmHigh[i]) {
                text.append("xmm%d %016x%016x, not %016x%016x; "
                        .formatted(i, xmmHigh[i], xmmLow[i], expected.xmmHigh[i], expected.xmmLow[i]));
            }
            if (ymmLow[i] != expected.ymmLow[i] || ymmHigh[i] != expected.ymmHigh[i]) {
                text.append("ymm%d's upper half %016x%016x, not %016x%016x; "
                        .formatted(i, ymmHigh[i], ymmLow[i], expected.ymmHigh[i], expected.ymmLow[i]));
            }
        }
        for (int i = 0; i < wide.length; i++) {
            if (wide[i] != expected.wide[i]) {
                String name = i < SimdOp.MASKS ? "zmm%d quadword %d".formatted(i / 8, i % 8) : "k" + i % 8;
                compare(text, name, wide[i], expected.wide[i]);
            }
        }
        compare(text, "mxcsr", mxcsr, expected.mxcsr);
        compare(text, "fcw", control, expected.control);
        compare(text, "fsw", status & ~undefinedStatus, expected.status & ~undefinedStatus);
        compare(text, "ftw", tag, expected.tag);
        for (int i = 0; i < 8; i++) {
            if (significand[i] != expected.significand[i] || signExponent[i] != expected.signExponent[i]) {
                text.append("st%d %04x%016x, not %04x%016x; "
                        .formatted(
                                i, signExponent[i], significand[i], expected.signExponent[i], expected.significand[i]));
            }
        }
        if (!Arrays.equals(data, expected.data)) {
            for (int i = 0; i < DATA_SIZE; i++) {
                if (data[i] != expected.data[i]) {
                    text.append("m%x %02x, not %02x; ".formatted(i, data[i], expected.data[i]));
                }
            }
        }
        return text.toString();
    }

    private String exceptionText() {
        return exception < 0
                ? "none"
                : exception + (errorCode >= 0 ? " error " + errorCode : "") + " at " + faultOffset;
    }

    private static void compare(StringBuilder text, String name, long actual, long expected) {
        if (actual != expected) {
            text.append("%s %x, not %x; ".formatted(name, actual, expected));
        }
    }

    /** Names of the general registers in the encoding's order. */
    static final String[] GPR_NAMES = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
    };
}
