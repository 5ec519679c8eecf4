package dev.kagami.cpu.x86.interpreter;

/** The state of the x87 FPU; the MMX registers are the significands (SDM 1 chapters 8 and 9). */
final class X87 {
    /** 64-bit significands of the physical registers R0 to R7, also MM0 to MM7. */
    final long[] significand = new long[8];

    /** Sign in bit 15 and biased exponent of the physical registers. */
    final short[] signExponent = new short[8];

    int control = 0x37F;
    /** Status word; TOP is in bits 11 to 13. */
    int status;

    /** Full tag word: 2 bits a physical register, 3 is empty. */
    int tag = 0xFFFF;

    int opcode;
    long instructionPointer;
    long dataPointer;
    int instructionSelector;
    int dataSelector;
}
