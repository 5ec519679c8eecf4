package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.softfloat.Float80;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/** The state of the x87 FPU; the MMX registers are the significands (SDM 1 chapters 8 and 9). */
final class X87 {
    // Status word (SDM 1 8.1.3); bits 0 to 5 are the exceptions in FloatContext's order.
    static final int STACK_FAULT = 1 << 6;
    static final int ERROR_SUMMARY = 1 << 7;
    static final int C0 = 1 << 8;
    static final int C1 = 1 << 9;
    static final int C2 = 1 << 10;
    static final int TOP_SHIFT = 11;
    static final int TOP = 7 << TOP_SHIFT;
    static final int C3 = 1 << 14;
    static final int BUSY = 1 << 15;
    static final int CONDITIONS = C0 | C1 | C2 | C3;

    /** Control word after FNINIT: nearest, 64-bit precision, everything masked. */
    static final int INITIAL_CONTROL = 0x37F;

    /** Full tag word with all registers empty. */
    static final int ALL_EMPTY = 0xFFFF;

    /** Sign and exponent of a register written by an MMX instruction (SDM 1 9.2.1). */
    static final int MMX_SIGN_EXPONENT = 0xFFFF;

    /** Tag of an empty register. */
    static final int EMPTY = 3;

    /** Bits of the control word that software can change; bit 6 always reads as 1. */
    private static final int CONTROL_WRITABLE = 0x1F3F;

    private static final int CONTROL_ALWAYS_ONE = 0x40;

    /** Exceptions that keep a store to memory from happening when they are unmasked. */
    private static final int STORE_SUPPRESSING =
            FloatContext.PRE_COMPUTATION | FloatContext.OVERFLOW | FloatContext.UNDERFLOW;

    /** 64-bit significands of the physical registers R0 to R7, also MM0 to MM7. */
    final long[] significand = new long[8];

    /** Sign in bit 15 and biased exponent of the physical registers. */
    final short[] signExponent = new short[8];

    int control = INITIAL_CONTROL;
    /** Status word; TOP is in bits 11 to 13. */
    int status;

    /** Full tag word: 2 bits a physical register, 3 is empty. Only empty or not is kept up to date. */
    int tag = ALL_EMPTY;

    int opcode;
    long instructionPointer;
    long dataPointer;
    int instructionSelector;
    int dataSelector;

    /** Rounding, flags and results of the arithmetic. */
    final FloatContext context = new FloatContext();

    // ---------------------------------------------------------------- availability

    /** Checks that x87 instructions may run: #NM if the unit is emulated or was switched away (SDM 3A 2.5). */
    static void requireAvailable(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) != 0) {
            throw cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
        }
    }

    /** Delivers an exception that an earlier instruction left pending (SDM 1 8.6). */
    void checkPending(Cpu cpu) {
        if ((status & ERROR_SUMMARY) != 0) {
            throw cpu.fault(Vector.FLOATING_POINT);
        }
    }

    /** Checks availability and pending exceptions, and prepares the context for the control word. */
    FloatContext begin(Cpu cpu) {
        requireAvailable(cpu);
        checkPending(cpu);
        context.useControlWord(control);
        return context;
    }

    /** Makes all registers valid and puts the top at register 0, as every MMX instruction does. */
    void enterMmx() {
        status &= ~TOP;
        tag = 0;
    }

    // ---------------------------------------------------------------- the stack

    /** {@return the physical register of ST(i)} */
    int physical(int i) {
        return (status >>> TOP_SHIFT) + i & 7;
    }

    boolean isEmpty(int i) {
        return (tag >>> 2 * physical(i) & EMPTY) == EMPTY;
    }

    /** {@return sign and exponent of ST(i) as an unsigned number} */
    int signExponent(int i) {
        return signExponent[physical(i)] & 0xFFFF;
    }

    long significand(int i) {
        return significand[physical(i)];
    }

    /** Writes ST(i) and tags it valid. */
    void set(int i, int newSignExponent, long newSignificand) {
        int register = physical(i);
        signExponent[register] = (short) newSignExponent;
        significand[register] = newSignificand;
        tag &= ~(EMPTY << 2 * register);
    }

    /** Writes the context's result to ST(i). */
    void setResult(int i) {
        set(i, context.signExponent, context.significand);
    }

    void setIndefinite(int i) {
        set(i, Float80.INDEFINITE_SIGN_EXPONENT, Float80.INDEFINITE_SIGNIFICAND);
    }

    void push(int newSignExponent, long newSignificand) {
        status = status & ~TOP | status - (1 << TOP_SHIFT) & TOP;
        set(0, newSignExponent, newSignificand);
    }

    void pushIndefinite() {
        push(Float80.INDEFINITE_SIGN_EXPONENT, Float80.INDEFINITE_SIGNIFICAND);
    }

    void free(int i) {
        tag |= EMPTY << 2 * physical(i);
    }

    void pop() {
        free(0);
        rotate(1);
    }

    /** Moves the top by 1 or -1 without touching tags. */
    void rotate(int distance) {
        status = status & ~TOP | status + (distance << TOP_SHIFT) & TOP;
    }

    // ---------------------------------------------------------------- exceptions

    /**
     * Records an operation's exceptions and C1.
     *
     * @return true if the result is to be written: no unmasked exception was found before the operation computed
     */
    boolean commit() {
        return commit(FloatContext.PRE_COMPUTATION);
    }

    /** As {@link #commit()}, for a result in memory: unmasked overflow and underflow suppress it too (SDM 1 8.5.4). */
    boolean commitStore() {
        return commit(STORE_SUPPRESSING);
    }

    /** As {@link #commit()}, for a load: processors push a denormal number also if that exception is unmasked. */
    boolean commitLoad() {
        return commit(FloatContext.INVALID);
    }

    private boolean commit(int suppressing) {
        int flags = context.flags;
        int unmasked = flags & ~control;
        if ((unmasked & FloatContext.PRE_COMPUTATION) != 0) {
            flags &= FloatContext.PRE_COMPUTATION;
        } else if ((unmasked & suppressing) != 0) {
            // An overflow or underflow that keeps the result from being rounded is not reported as inexact.
            flags &= ~FloatContext.INEXACT;
        }
        status = status & ~C1 | flags;
        if (context.roundedUp && (flags & FloatContext.INEXACT) != 0) {
            status |= C1;
        }
        if (unmasked != 0) {
            status |= ERROR_SUMMARY | BUSY;
        }
        return (unmasked & suppressing) == 0;
    }

    /**
     * Raises a stack underflow.
     *
     * @return true if the masked response is due
     */
    boolean underflow() {
        status = status & ~C1 | STACK_FAULT | FloatContext.INVALID;
        return maskedStackFault();
    }

    /**
     * Raises a stack overflow.
     *
     * @return true if the masked response is due
     */
    boolean overflow() {
        status |= C1 | STACK_FAULT | FloatContext.INVALID;
        return maskedStackFault();
    }

    private boolean maskedStackFault() {
        if ((control & FloatContext.INVALID) != 0) {
            return true;
        }
        status |= ERROR_SUMMARY | BUSY;
        return false;
    }

    /** Sets the error summary and busy bits from the flags and masks, after either was loaded. */
    void updateSummary() {
        if ((status & ~control & FloatContext.ALL_EXCEPTIONS) != 0) {
            status |= ERROR_SUMMARY | BUSY;
        } else {
            status &= ~(ERROR_SUMMARY | BUSY);
        }
    }

    // ---------------------------------------------------------------- control

    void loadControl(int value) {
        control = value & CONTROL_WRITABLE | CONTROL_ALWAYS_ONE;
        updateSummary();
    }

    /** FNINIT; the registers keep their contents. */
    void initialize() {
        control = INITIAL_CONTROL;
        status = 0;
        tag = ALL_EMPTY;
        opcode = 0;
        instructionPointer = 0;
        dataPointer = 0;
        instructionSelector = 0;
        dataSelector = 0;
    }

    /** {@return the full tag word with valid, zero and special told apart (SDM 1 8.1.7)} */
    int fullTag() {
        int full = 0;
        for (int register = 0; register < 8; register++) {
            int value = EMPTY;
            if ((tag >>> 2 * register & EMPTY) != EMPTY) {
                int exponent = signExponent[register] & Float80.MAX_EXPONENT;
                long s = significand[register];
                if (exponent == 0 && s == 0) {
                    value = 1;
                } else if (exponent == 0 || exponent == Float80.MAX_EXPONENT || s >= 0) {
                    value = 2;
                } else {
                    value = 0;
                }
            }
            full |= value << 2 * register;
        }
        return full;
    }

    /** {@return the abridged tag: a set bit for each register that is not empty (SDM 1 10.5.1.1)} */
    int abridgedTag() {
        int abridged = 0;
        for (int register = 0; register < 8; register++) {
            if ((tag >>> 2 * register & EMPTY) != EMPTY) {
                abridged |= 1 << register;
            }
        }
        return abridged;
    }

    void setAbridgedTag(int abridged) {
        tag = 0;
        for (int register = 0; register < 8; register++) {
            if ((abridged >>> register & 1) == 0) {
                tag |= EMPTY << 2 * register;
            }
        }
    }
}
