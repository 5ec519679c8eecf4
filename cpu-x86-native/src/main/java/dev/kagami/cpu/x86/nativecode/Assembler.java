package dev.kagami.cpu.x86.nativecode;

import java.util.Arrays;

/** Emits x86-64 machine code into a growing buffer. None of the methods but the obvious ones emits code that changes flags. */
final class Assembler {
    static final int RAX = 0;
    static final int RCX = 1;
    static final int RDX = 2;
    static final int RBX = 3;
    static final int RSP = 4;
    static final int RBP = 5;
    static final int RSI = 6;
    static final int RDI = 7;
    static final int R8 = 8;
    static final int R9 = 9;
    static final int R10 = 10;
    static final int R11 = 11;
    static final int R12 = 12;
    static final int R13 = 13;
    static final int R14 = 14;
    static final int R15 = 15;
    /** No register. */
    static final int NONE = -1;

    /** Set when an instruction that may change rdi is emitted, by the methods that emit whole instructions. */
    boolean pointerTouched;

    private byte[] bytes = new byte[4096];
    private int position;

    /** How much lower than {@link StateBlock#BASE} the stack pointer is at the current place. */
    private int pushed;

    void clear() {
        position = 0;
        pushed = 0;
    }

    /** Finds a piece of code that leaves something on the stack. */
    void checkBalance() {
        if (pushed != 0) {
            throw new AssertionError("%d bytes are left on the stack".formatted(pushed));
        }
    }

    int position() {
        return position;
    }

    byte[] bytes() {
        return bytes;
    }

    void emit(int b) {
        if (position == bytes.length) {
            bytes = Arrays.copyOf(bytes, 2 * bytes.length);
        }
        bytes[position++] = (byte) b;
    }

    /** {@return a copy of what was emitted from a position on} */
    byte[] copyOf(int from) {
        return Arrays.copyOfRange(bytes, from, position);
    }

    /** Emits some bytes. */
    void append(byte[] code) {
        while (position + code.length > bytes.length) {
            bytes = Arrays.copyOf(bytes, 2 * bytes.length);
        }
        System.arraycopy(code, 0, bytes, position, code.length);
        position += code.length;
    }

    void emit32(int value) {
        emit(value);
        emit(value >> 8);
        emit(value >> 16);
        emit(value >> 24);
    }

    void emit64(long value) {
        emit32((int) value);
        emit32((int) (value >> 32));
    }

    void set32(int at, int value) {
        bytes[at] = (byte) value;
        bytes[at + 1] = (byte) (value >> 8);
        bytes[at + 2] = (byte) (value >> 16);
        bytes[at + 3] = (byte) (value >> 24);
    }

    int get32(int at) {
        return bytes[at] & 0xFF | (bytes[at + 1] & 0xFF) << 8 | (bytes[at + 2] & 0xFF) << 16 | bytes[at + 3] << 24;
    }

    private void touch(int register) {
        pointerTouched |= register == RDI;
    }

    private void rexW(int reg, int index, int base) {
        touch(reg);
        touch(base);
        emit(0x48 | (reg & 8) >> 1 | (index & 8) >> 2 | (base & 8) >> 3);
    }

    /** Emits ModRM, SIB and displacement for [base + index * 2^scale + displacement]; base or index may be {@link #NONE}. */
    void memory(int reg, int base, int index, int scale, int displacement) {
        int r = (reg & 7) << 3;
        if (base == NONE) {
            emit(r | 4);
            emit(scale << 6 | (index == NONE ? 4 : index & 7) << 3 | 5);
            emit32(displacement);
            return;
        }
        int mod = displacement == 0 && (base & 7) != 5 ? 0 : displacement == (byte) displacement ? 0x40 : 0x80;
        if (index == NONE && (base & 7) != 4) {
            emit(mod | r | base & 7);
        } else {
            emit(mod | r | 4);
            emit(scale << 6 | (index == NONE ? 4 : index & 7) << 3 | base & 7);
        }
        if (mod == 0x40) {
            emit(displacement);
        } else if (mod == 0x80) {
            emit32(displacement);
        }
    }

    private void state(int reg, int offset) {
        memory(reg, RSP, NONE, 0, offset - StateBlock.BASE + pushed);
    }

    /**
     * Says how much lower than {@link StateBlock#BASE} the stack pointer is where code goes on that a jump leads to, in bytes; what
     * comes next in the buffer is assumed to come next when it runs, too.
     */
    void pushed(int bytes) {
        pushed = bytes;
    }

    /** lea rsp, [rsp - bytes]. */
    void reserve(int bytes) {
        lea(RSP, RSP, NONE, 0, -bytes);
        pushed += bytes;
    }

    /** mov reg, [state + offset]. */
    void loadState(int reg, int offset) {
        rexW(reg, 0, 0);
        emit(0x8B);
        state(reg, offset);
    }

    /** mov [state + offset], reg. */
    void storeState(int reg, int offset) {
        rexW(reg, 0, 0);
        emit(0x89);
        state(reg, offset);
    }

    /** mov [state + offset + 8 * index], reg, for registers below 8. */
    void storeState(int reg, int offset, int index) {
        rexW(reg, index, RSP);
        emit(0x89);
        memory(reg, RSP, index, 3, offset - StateBlock.BASE + pushed);
    }

    /** cmp reg, [state + offset]; changes flags. */
    void compareState(int reg, int offset) {
        rexW(reg, 0, 0);
        emit(0x3B);
        state(reg, offset);
    }

    /** mov dword [state + offset], value. */
    void storeState32(int offset, int value) {
        emit(0xC7);
        state(0, offset);
        emit32(value);
    }

    /** mov [state + offset], reg32. */
    void storeRegister32(int reg, int offset) {
        emit(0x89);
        state(reg, offset);
    }

    /** mov reg32, [state + offset]. */
    void loadState32(int reg, int offset) {
        touch(reg);
        emit(0x8B);
        state(reg, offset);
    }

    /** movups xmm, [state + offset]. */
    void loadVector(int xmm, int offset) {
        vector(0x10, xmm, offset);
    }

    /** movups [state + offset], xmm. */
    void storeVector(int xmm, int offset) {
        vector(0x11, xmm, offset);
    }

    private void vector(int opcode, int xmm, int offset) {
        if (xmm >= 8) {
            emit(0x44);
        }
        emit(0x0F);
        emit(opcode);
        state(xmm, offset);
    }

    /** vmovups ymm, [state + offset]. */
    void loadWideVector(int ymm, int offset) {
        wideVector(0x10, ymm, offset);
    }

    /** vmovups [state + offset], ymm. */
    void storeWideVector(int ymm, int offset) {
        wideVector(0x11, ymm, offset);
    }

    private void wideVector(int opcode, int ymm, int offset) {
        emit(0xC5);
        emit(ymm < 8 ? 0xFC : 0x7C); // no vvvv, 256 bits
        emit(opcode);
        state(ymm, offset);
    }

    /** vorps to, to, from, 256 bits. */
    void orWideVectors(int to, int from) {
        vex(1, 0, false, true, to, to, from);
        emit(0x56);
        emit(0xC0 | (to & 7) << 3 | from & 7);
    }

    /** Sets a register below 4 to 1 when the upper half of a YMM register below 8 has a bit set, else to 0; changes both, and flags. */
    void upperNotZero(int reg, int ymm) {
        int same = 0xC0 | ymm << 3 | ymm;
        vex(3, 1, false, true, ymm, 0, ymm); // vextractf128 xmm, ymm, 1
        emit(0x19);
        emit(same);
        emit(1);
        vex(2, 1, false, false, ymm, 0, ymm); // vptest xmm, xmm
        emit(0x17);
        emit(same);
        emit(0x0F); // setnz
        emit(0x95);
        emit(0xC0 | reg);
        emit(0x0F); // movzx
        emit(0xB6);
        emit(0xC0 | reg << 3 | reg);
    }

    /** vzeroupper. */
    void zeroUpper() {
        emit(0xC5);
        emit(0xF8);
        emit(0x77);
    }

    /**
     * Emits the prefix of a VEX-encoded instruction without index register.
     *
     * @param reg register of ModRM.reg
     * @param vvvv register of VEX.vvvv; 0 when there is none
     * @param rm register of ModRM.rm, or base of a memory operand
     * @param pp mandatory prefix as VEX has it
     */
    void vex(int map, int pp, boolean w, boolean wide, int reg, int vvvv, int rm) {
        int last = (~vvvv & 15) << 3 | (wide ? 4 : 0) | pp;
        if (map == 1 && !w && rm < 8) {
            emit(0xC5);
            emit((reg < 8 ? 0x80 : 0) | last);
        } else {
            emit(0xC4);
            emit((reg < 8 ? 0x80 : 0) | 0x40 | (rm < 8 ? 0x20 : 0) | map);
            emit((w ? 0x80 : 0) | last);
        }
    }

    /**
     * Emits the prefix of an EVEX-encoded instruction without index register.
     *
     * @param reg register of ModRM.reg
     * @param vvvv register of EVEX.vvvv; 0 when there is none
     * @param rm register of ModRM.rm, or base of a memory operand
     * @param pp mandatory prefix as EVEX has it
     * @param last the fields of the last byte but V': z, L'L, b and the opmask
     */
    void evex(int map, int pp, boolean w, int reg, int vvvv, int rm, int last) {
        emit(0x62);
        emit(((reg & 8) == 0 ? 0x80 : 0)
                | ((rm & 16) == 0 ? 0x40 : 0)
                | ((rm & 8) == 0 ? 0x20 : 0)
                | ((reg & 16) == 0 ? 0x10 : 0)
                | map);
        emit((w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | pp);
        emit(last | ((vvvv & 16) == 0 ? 8 : 0));
    }

    /** Emits ModRM and what follows it for [base + displacement] of an EVEX-encoded instruction, which scales displacements of a byte. */
    void scaledMemory(int reg, int base, int displacement, int scale) {
        int scaled = displacement / scale;
        boolean exact = scaled * scale == displacement && scaled == (byte) scaled;
        boolean none = displacement == 0 && (base & 7) != 5;
        emit((none ? 0 : exact ? 0x40 : 0x80) | (reg & 7) << 3 | base & 7);
        if ((base & 7) == RSP) {
            emit(0x24);
        }
        if (!none) {
            if (exact) {
                emit(scaled);
            } else {
                emit32(displacement);
            }
        }
    }

    /** vmovups zmm, [state + offset]. */
    void loadWidestVector(int zmm, int offset) {
        widestVector(0x10, zmm, offset);
    }

    /** vmovups [state + offset], zmm. */
    void storeWidestVector(int zmm, int offset) {
        widestVector(0x11, zmm, offset);
    }

    private void widestVector(int opcode, int zmm, int offset) {
        evex(1, 0, false, zmm, 0, RSP, 2 << 5);
        emit(opcode);
        scaledMemory(zmm, RSP, offset - StateBlock.BASE + pushed, 64);
    }

    /** vporq to, to, from, 512 bits. */
    void orWidestVectors(int to, int from) {
        evex(1, 1, true, to, to, from, 2 << 5);
        emit(0xEB);
        emit(0xC0 | (to & 7) << 3 | from & 7);
    }

    /** Sets a register below 8 to bits for quadwords of a ZMM register below 8 that aren't 0; changes k1. */
    void quadwordsNotZero(int reg, int zmm) {
        evex(2, 1, true, 1, zmm, zmm, 2 << 5); // vptestmq k1, zmm, zmm
        emit(0x27);
        emit(0xC0 | 1 << 3 | zmm);
        vex(1, 1, false, false, reg, 0, 1); // kmovb reg, k1
        emit(0x93);
        emit(0xC0 | reg << 3 | 1);
    }

    /** kmovq k, [state + offset]. */
    void loadMask(int k, int offset) {
        mask(0x90, k, offset);
    }

    /** kmovq [state + offset], k. */
    void storeMask(int k, int offset) {
        mask(0x91, k, offset);
    }

    private void mask(int opcode, int k, int offset) {
        vex(1, 0, true, false, k, 0, RSP);
        emit(opcode);
        state(k, offset);
    }

    /** ldmxcsr [state + offset]. */
    void loadMxcsr(int offset) {
        emit(0x0F);
        emit(0xAE);
        state(2, offset);
    }

    /** stmxcsr [state + offset]. */
    void storeMxcsr(int offset) {
        emit(0x0F);
        emit(0xAE);
        state(3, offset);
    }

    /** push qword [state + offset]. */
    void pushState(int offset) {
        emit(0xFF);
        state(6, offset);
        pushed += Long.BYTES;
    }

    /** pop qword [state + offset]. */
    void popState(int offset) {
        // The address is formed with the stack pointer as it is after the instruction (SDM 2B, POP).
        pushed -= Long.BYTES;
        emit(0x8F);
        state(0, offset);
    }

    void push(int reg) {
        if (reg >= 8) {
            emit(0x41);
        }
        emit(0x50 | reg & 7);
        pushed += Long.BYTES;
    }

    void pop(int reg) {
        touch(reg);
        if (reg >= 8) {
            emit(0x41);
        }
        emit(0x58 | reg & 7);
        pushed -= Long.BYTES;
    }

    /** push value, sign-extended. */
    void pushConstant(int value) {
        emit(0x68);
        emit32(value);
        pushed += Long.BYTES;
    }

    /** Emits a piece of what was emitted before once more; it must not hold jumps. */
    void copy(int from, int to) {
        for (int i = from; i < to; i++) {
            emit(bytes[i]);
        }
    }

    void pushFlags() {
        emit(0x9C);
        pushed += Long.BYTES;
    }

    void popFlags() {
        emit(0x9D);
        pushed -= Long.BYTES;
    }

    /** call [state + offset]. */
    void callState(int offset) {
        emit(0xFF);
        state(2, offset);
    }

    /** Emits a call from the place where this code will stand, as a position in the code memory, to another position. */
    void callTo(int origin, int target) {
        emit(0xE8);
        emit32(target - (origin + position + 4));
    }

    /** imul to, from, value; changes flags. */
    void multiply(int to, int from, int value) {
        registers(0x69, to, from, true);
        emit32(value);
    }

    void ret() {
        emit(0xC3);
    }

    /** mov to, from. */
    void move(int to, int from) {
        rexW(from, 0, to);
        emit(0x89);
        emit(0xC0 | (from & 7) << 3 | to & 7);
    }

    /** Loads a constant in the shortest way. */
    void constant(int reg, long value) {
        touch(reg);
        if (value >>> 32 == 0) {
            if (reg >= 8) {
                emit(0x41);
            }
            emit(0xB8 | reg & 7);
            emit32((int) value);
        } else if (value == (int) value) {
            rexW(0, 0, reg);
            emit(0xC7);
            emit(0xC0 | reg & 7);
            emit32((int) value);
        } else {
            rexW(0, 0, reg);
            emit(0xB8 | reg & 7);
            emit64(value);
        }
    }

    /** lea to, [base + index * 2^scale + displacement]. */
    void lea(int to, int base, int index, int scale, int displacement) {
        rexW(to, index == NONE ? 0 : index, base == NONE ? 0 : base);
        emit(0x8D);
        memory(to, base, index, scale, displacement);
    }

    /** lea to32, [base + index * 2^scale + displacement], which clears the upper half of the register. */
    void lea32(int to, int base, int index, int scale, int displacement) {
        touch(to);
        int rex = (to & 8) >> 1 | (index == NONE ? 0 : (index & 8) >> 2) | (base == NONE ? 0 : (base & 8) >> 3);
        if (rex != 0) {
            emit(0x40 | rex);
        }
        emit(0x8D);
        memory(to, base, index, scale, displacement);
    }

    /** mov reg, [base + displacement]. */
    void load(int reg, int base, int displacement) {
        rexW(reg, 0, base);
        emit(0x8B);
        memory(reg, base, NONE, 0, displacement);
    }

    /** mov [base + displacement], reg. */
    void store(int reg, int base, int displacement) {
        rexW(reg, 0, base);
        emit(0x89);
        memory(reg, base, NONE, 0, displacement);
    }

    /** pext to, from, [state + offset], with {@code to} below 8. */
    void extractByState(int to, int from, int offset) {
        touch(to);
        emit(0xC4);
        emit(0xE2); // R, X and B clear, map 0F38
        emit(0x80 | (~from & 15) << 3 | 2); // W1, vvvv, L0, F3
        emit(0xF5);
        state(to, offset);
    }

    /** rorx to, from, count for 64-bit registers below 8. */
    void rotateRight(int to, int from, int count) {
        touch(to);
        emit(0xC4);
        emit(0xE3); // R, X and B clear, map 0F3A
        emit(0xFB); // W1, no vvvv, L0, F2
        emit(0xF0);
        emit(0xC0 | to << 3 | from);
        emit(count);
    }

    /** sarx to, from, count, with {@code to} below 8. */
    void shiftRight(int to, int from, int count, boolean wide) {
        touch(to);
        emit(0xC4);
        emit(0xC2 | (from < 8 ? 0x20 : 0)); // R and X clear, map 0F38
        emit((wide ? 0x80 : 0) | (~count & 15) << 3 | 2); // L0, F3
        emit(0xF7);
        emit(0xC0 | to << 3 | from & 7);
    }

    /** movsxd to, from32. */
    void signExtend(int to, int from) {
        registers(0x63, to, from, true);
    }

    /** jmp rel32 to a position emitted before. */
    void jumpBack(int target) {
        int at = jump();
        set32(at, target - (at + 4));
    }

    /** jmp rel32 to be filled in. Returns the position of the displacement. */
    int jump() {
        emit(0xE9);
        emit32(0);
        return position - 4;
    }

    /** Emits a jump from the place where this code will stand, as a position in the code memory, to another position. */
    void jumpTo(int origin, int target) {
        int at = jump();
        set32(at, target - (origin + at + 4));
    }

    /** jcc rel32 to be filled in. Returns the position of the displacement. */
    int jumpIf(int condition) {
        emit(0x0F);
        emit(0x80 | condition);
        emit32(0);
        return position - 4;
    }

    /** Makes a jump lead to the current position. */
    void land(int displacementAt) {
        set32(displacementAt, position - (displacementAt + 4));
    }

    /** jrcxz over what follows. Returns the position of the displacement byte. */
    int jumpIfRcxZero() {
        emit(0xE3);
        emit(0);
        return position - 1;
    }

    /** to = from - taken, without a change of flags; taken is lost. */
    void difference(int to, int from, int taken) {
        // Minus is not and 1 more.
        not(taken);
        lea(to, from, taken, 0, 1);
    }

    /** loop to what follows: taken unless rcx is 1, which is taken from it. Returns the position of the displacement byte. */
    int loop() {
        emit(0xE2);
        emit(0);
        return position - 1;
    }

    /** jecxz over what follows. Returns the position of the displacement byte. */
    int jumpIfEcxZero() {
        emit(0x67);
        return jumpIfRcxZero();
    }

    /** Makes a short jump lead to a position. */
    void shortTo(int displacementAt, int target) {
        int distance = target - (displacementAt + 1);
        if (distance != (byte) distance) {
            throw new AssertionError("short jump over " + distance);
        }
        set8(displacementAt, distance);
    }

    /** Makes a short jump lead to the current position. */
    void landShort(int displacementAt) {
        shortTo(displacementAt, position);
    }

    /** Takes back what was emitted behind a position. */
    void truncate(int to) {
        position = to;
    }

    /** Changes a byte emitted before. */
    void set8(int at, int value) {
        bytes[at] = (byte) value;
    }

    /** mov reg32, [base + displacement], for registers below 8. */
    void load32(int reg, int base, int displacement) {
        touch(reg);
        emit(0x8B);
        memory(reg, base, NONE, 0, displacement);
    }

    /** movsx reg32, word [base + displacement], for registers below 8. */
    void loadSigned16(int reg, int base, int displacement) {
        touch(reg);
        emit(0x0F);
        emit(0xBF);
        memory(reg, base, NONE, 0, displacement);
    }

    /** cmp byte [base + index], value, for registers below 8; changes flags. */
    void compareByte(int base, int index, int value) {
        emit(0x80);
        memory(7, base, index, 0, 0);
        emit(value);
    }

    /** mov reg32, [base + index * 2^scale], for registers below 8. */
    void load32(int reg, int base, int index, int scale) {
        touch(reg);
        emit(0x8B);
        memory(reg, base, index, scale, 0);
    }

    /** mov [base + displacement], reg16, for registers below 8. */
    void store16(int reg, int base, int displacement) {
        emit(0x66);
        emit(0x89);
        memory(reg, base, NONE, 0, displacement);
    }

    /** mov to16, from16: the rest of the register stays. */
    void move16(int to, int from) {
        emit(0x66);
        registers(0x89, from, to, false);
    }

    /** xchg a, b. */
    void exchange(int a, int b, boolean wide) {
        registers(0x87, a, b, wide);
    }

    /** An arithmetic instruction, by the opcode of its form with the source in ModRM.reg; changes flags. */
    void arithmetic(int opcode, int to, int from, boolean wide) {
        registers(opcode, from, to, wide);
    }

    /** An arithmetic instruction with a constant, by its opcode extension; changes flags. */
    void arithmeticConstant(int extension, int to, int value, boolean wide) {
        registers(0x81, extension, to, wide);
        emit32(value);
    }

    /** A shift by its opcode extension; changes flags. */
    void shift(int extension, int reg, int count, boolean wide) {
        registers(0xC1, extension, reg, wide);
        emit(count);
    }

    /** test a, b; changes flags. */
    void test(int a, int b, boolean wide) {
        registers(0x85, b, a, wide);
    }

    /** test reg32, value; changes flags. */
    void testConstant(int reg, int value) {
        registers(0xF7, 0, reg, false);
        emit32(value);
    }

    /** not reg. */
    void not(int reg) {
        registers(0xF7, 2, reg, true);
    }

    /** neg reg; changes flags. */
    void negate(int reg) {
        registers(0xF7, 3, reg, true);
    }

    /** neg reg32; changes flags. */
    void negate32(int reg) {
        registers(0xF7, 3, reg, false);
    }

    /** cmovcc to, from. */
    void moveIf(int condition, int to, int from, boolean wide) {
        touch(to);
        int rex = (wide ? 8 : 0) | (to & 8) >> 1 | (from & 8) >> 3;
        if (rex != 0) {
            emit(0x40 | rex);
        }
        emit(0x0F);
        emit(0x40 | condition);
        emit(0xC0 | (to & 7) << 3 | from & 7);
    }

    /** A repeated string instruction. */
    void repeat(int opcode, int size) {
        if (size == 2) {
            emit(0x66);
        }
        emit(0xF3);
        if (size == 8) {
            emit(0x48);
        }
        emit(opcode);
    }

    private void registers(int opcode, int reg, int rm, boolean wide) {
        touch(reg);
        touch(rm);
        int rex = (wide ? 8 : 0) | (reg & 8) >> 1 | (rm & 8) >> 3;
        if (rex != 0) {
            emit(0x40 | rex);
        }
        emit(opcode);
        emit(0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /** mov to32, from32. */
    void move32(int to, int from) {
        registers(0x89, from, to, false);
    }

    /** cmp a, b; changes flags. */
    void compare(int a, int b, boolean wide) {
        registers(0x39, b, a, wide);
    }

    /** jmp reg, for registers below 8. */
    void jumpRegister(int reg) {
        emit(0xFF);
        emit(0xE0 | reg);
    }

    /** jmp [base + displacement], for registers below 8. */
    void jumpMemory(int base, int displacement) {
        emit(0xFF);
        memory(4, base, NONE, 0, displacement);
    }
}
