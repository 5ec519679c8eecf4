package dev.kagami.cpu.x86.interpreter;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Encodes random operands: registers, and memory inside of the data window. Keeps account of which flags are undefined
 * after what was written so far.
 */
final class SnippetWriter {
    static final int MAP_PRIMARY = 0;
    static final int MAP_0F = 1;
    static final int MAP_0F38 = 2;
    static final int MAP_0F3A = 3;

    /** Bytes at both ends of the data window that no operand touches. */
    private static final int MARGIN = 0x40;

    private static final int[] FREE_REGISTERS = {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13};

    final SplittableRandom random;
    private byte[] bytes = new byte[64];
    private int length;
    private int undefinedFlags;
    private int undefinedStatus;

    SnippetWriter(SplittableRandom random) {
        this.random = random;
    }

    byte[] code() {
        return Arrays.copyOf(bytes, length);
    }

    int length() {
        return length;
    }

    /** {@return the flags that nothing may look at now} */
    int undefinedFlags() {
        return undefinedFlags;
    }

    // ---------------------------------------------------------------- flags

    /** Notes an instruction that defines some flags and leaves others undefined. */
    void flags(int defined, int undefined) {
        undefinedFlags = undefinedFlags & ~defined | undefined;
    }

    /** Notes an instruction that may or may not do what {@link #flags} says. */
    void flagsMaybe(int undefined) {
        undefinedFlags |= undefined;
    }

    /** Makes sure that some flags are defined, by a comparison if need be, before an instruction that reads them. */
    void needFlags(int read) {
        if ((undefinedFlags & read) != 0) {
            // CMP r/m64, imm8.
            put(0x48, 0x83, 0xF8 | random.nextInt(8), random.nextInt(256));
            undefinedFlags = 0;
        }
    }

    /** {@return the bits of the x87 status word that nothing may look at now} */
    int undefinedStatus() {
        return undefinedStatus;
    }

    /** Notes an x87 instruction that defines some bits of the status word and leaves others undefined. */
    void status(int defined, int undefined) {
        undefinedStatus = undefinedStatus & ~defined | undefined;
    }

    // ---------------------------------------------------------------- random parts

    boolean chance(int outOf) {
        return random.nextInt(outOf) == 0;
    }

    /** {@return a register that instructions may change} */
    int register() {
        return FREE_REGISTERS[random.nextInt(FREE_REGISTERS.length)];
    }

    /** {@return any register but the stack pointer, to read} */
    int anyRegister() {
        int n = random.nextInt(16);
        return n == Cpu.RSP ? Cpu.RAX : n;
    }

    int vectorRegister() {
        return random.nextInt(16);
    }

    /** {@return 1, 2, 4 or 8} */
    int size() {
        return 1 << random.nextInt(4);
    }

    /** {@return 2, 4 or 8} */
    int wideSize() {
        return 2 << random.nextInt(3);
    }

    /** {@return an immediate of the kind that tends to be on an edge} */
    int immediate() {
        return switch (random.nextInt(6)) {
            case 0 -> random.nextInt(-128, 128);
            case 1 -> 1 << random.nextInt(32);
            case 2 -> -1 << random.nextInt(32);
            case 3 -> (1 << random.nextInt(32)) - 1;
            default -> random.nextInt();
        };
    }

    // ---------------------------------------------------------------- encoding

    void put(int... values) {
        if (length + values.length > bytes.length) {
            bytes = Arrays.copyOf(bytes, bytes.length * 2 + values.length);
        }
        for (int value : values) {
            bytes[length++] = (byte) value;
        }
    }

    /** Writes the low {@code size} bytes of a value. */
    void little(long value, int size) {
        for (int i = 0; i < size; i++) {
            put((int) (value >>> 8 * i));
        }
    }

    /** Overwrites a byte written before. */
    void patch(int position, int value) {
        bytes[position] = (byte) value;
    }

    private void opcode(int map, int opcode) {
        if (map != MAP_PRIMARY) {
            put(0x0F);
        }
        if (map == MAP_0F38) {
            put(0x38);
        } else if (map == MAP_0F3A) {
            put(0x3A);
        }
        put(opcode);
    }

    /**
     * Writes an instruction with two registers.
     *
     * @param prefix 0x66, 0xF2 or 0xF3 before the REX, or 0
     * @param w REX.W
     * @param bytes whether REX is needed to name spl to dil rather than ah to bh
     * @param map opcode map
     * @param opcode opcode
     * @param reg register in ModRM.reg, or opcode extension
     * @param rm register in ModRM.rm
     */
    void registers(int prefix, boolean w, boolean bytes, int map, int opcode, int reg, int rm) {
        if (prefix != 0) {
            put(prefix);
        }
        int rex = (w ? 8 : 0) | reg >> 3 << 2 | rm >> 3;
        if (rex != 0 || bytes) {
            put(0x40 | rex);
        }
        opcode(map, opcode);
        put(0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /**
     * Writes an instruction on general registers of a size, which selects prefix and REX.W; bytes name ah to bh now and
     * then.
     */
    void sized(int size, int map, int opcode, int reg, int rm) {
        registers(size == 2 ? 0x66 : 0, size == 8, size == 1 && !highBytesWanted(reg, rm), map, opcode, reg, rm);
    }

    /** Without REX, registers 4 to 7 are ah, ch, dh and bh: wanted sometimes, and rsp's low byte must never change. */
    private boolean highBytesWanted(int reg, int rm) {
        return reg < 8 && rm < 8 && random.nextBoolean();
    }

    /**
     * Writes an instruction with a memory operand.
     *
     * @param prefix 0x66, 0xF2 or 0xF3, or 0
     * @param w REX.W
     * @param rexAlways whether REX is needed to name spl to dil in {@code reg}
     * @param map opcode map
     * @param opcode opcode
     * @param reg register in ModRM.reg, or opcode extension
     * @param size bytes of the operand
     * @param alignment what its address must be a multiple of
     * @param immediateSize bytes of immediate that the caller writes behind
     */
    void memory(
            int prefix,
            boolean w,
            boolean rexAlways,
            int map,
            int opcode,
            int reg,
            int size,
            int alignment,
            int immediateSize) {
        int target = random.nextInt(MARGIN, MachineState.DATA_SIZE - MARGIN - size) & -alignment;
        memoryAt(prefix, w, rexAlways, map, opcode, reg, target, immediateSize);
    }

    private void memoryAt(
            int prefix, boolean w, boolean rexAlways, int map, int opcode, int reg, int target, int immediateSize) {
        int form = random.nextInt(3);
        if (chance(8)) {
            put(0x67);
        }
        if (chance(16)) {
            put(0x3E); // a segment override that 64-bit mode ignores
        }
        if (prefix != 0) {
            put(prefix);
        }
        int rexBase = form == 2 ? 1 : 0;
        int rex = (w ? 8 : 0) | reg >> 3 << 2 | rexBase;
        if (rex != 0 || rexAlways) {
            put(0x40 | rex);
        }
        opcode(map, opcode);
        int field = (reg & 7) << 3;
        switch (form) {
            case 0 -> {
                put(field | 4, 0x25);
                little(MachineState.DATA + target, 4);
            }
            case 1 -> {
                put(field | 5);
                long behind = MachineState.CODE + length + 4 + immediateSize;
                little(MachineState.DATA + target - behind, 4);
            }
            default -> {
                // Through the base register: the state decides where exactly, within a range that fits any.
                int distance = Math.floorMod(target, 0x180) - 0x100 & -16 | target & 15;
                if (distance >= -128 && distance < 128) {
                    put(field | 0x40 | RandomState.BASE_REGISTER & 7, distance);
                } else {
                    put(field | 0x80 | RandomState.BASE_REGISTER & 7);
                    little(distance, 4);
                }
            }
        }
    }

    /**
     * Writes an instruction with a scaled memory operand: base, index and displacement.
     *
     * @param alignment 1 to 8, the scale
     */
    void indexedMemory(int prefix, boolean w, boolean rexAlways, int map, int opcode, int reg, int alignment) {
        if (prefix != 0) {
            put(prefix);
        }
        put(0x40 | (w ? 8 : 0) | reg >> 3 << 2 | 2 | 1);
        opcode(map, opcode);
        int scale = Integer.numberOfTrailingZeros(alignment);
        put((reg & 7) << 3 | 0x44, scale << 6 | (RandomState.INDEX_REGISTER & 7) << 3 | RandomState.BASE_REGISTER & 7);
        put(random.nextInt(-64, 64) & -alignment);
    }

    /** Writes an instruction on general registers and memory of a size. */
    void sizedMemory(int size, int map, int opcode, int reg, int immediateSize) {
        boolean rex = size == 1 && !(reg < 8 && random.nextBoolean());
        if (chance(4)) {
            indexedMemory(size == 2 ? 0x66 : 0, size == 8, rex, map, opcode, reg, size);
        } else {
            memory(size == 2 ? 0x66 : 0, size == 8, rex, map, opcode, reg, size, 1, immediateSize);
        }
    }

    /** Writes an instruction with a register or memory in ModRM.rm, whichever comes up. */
    void registerOrMemory(int size, int map, int opcode, int reg, int immediateSize) {
        if (random.nextInt(3) == 0) {
            sizedMemory(size, map, opcode, reg, immediateSize);
        } else {
            sized(size, map, opcode, reg, register());
        }
    }

    /** Writes MOV r64, imm (in the short form that fits). */
    void load(int register, long value) {
        if (value == (int) value) {
            put(0x48 | register >> 3, 0xC7, 0xC0 | register & 7);
            little(value, 4);
        } else {
            put(0x48 | register >> 3, 0xB8 | register & 7);
            little(value, 8);
        }
    }

    /**
     * Writes a VEX-encoded instruction on general registers (BMI).
     *
     * @param pp 0 none, 1 66, 2 F3, 3 F2
     * @param map opcode map
     * @param w VEX.W
     * @param vvvv register in VEX.vvvv
     */
    void vex(int pp, int map, boolean w, int opcode, int reg, int vvvv, int rm) {
        put(0xC4, (reg < 8 ? 0x80 : 0) | 0x40 | (rm < 8 ? 0x20 : 0) | map, (w ? 0x80 : 0) | (~vvvv & 15) << 3 | pp);
        put(opcode, 0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /** Writes the same with memory at a distance from the base register. */
    void vexMemory(int pp, int map, boolean w, int opcode, int reg, int vvvv) {
        put(0xC4, (reg < 8 ? 0x80 : 0) | 0x40 | map, (w ? 0x80 : 0) | (~vvvv & 15) << 3 | pp);
        put(opcode, 0x40 | (reg & 7) << 3 | RandomState.BASE_REGISTER & 7, random.nextInt(-128, 128));
    }

    /** Writes the escape of a VEX-encoded instruction on vector registers, the short one when it can and by chance. */
    private void vectorEscape(int pp, int map, boolean w, boolean wide, int reg, int vvvv, boolean x, boolean b) {
        int last = (~vvvv & 15) << 3 | (wide ? 4 : 0) | pp;
        if (map == MAP_0F && !w && !x && !b && !chance(4)) {
            put(0xC5, (reg < 8 ? 0x80 : 0) | last);
        } else {
            put(0xC4, (reg < 8 ? 0x80 : 0) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map, (w ? 0x80 : 0) | last);
        }
    }

    /** Writes a VEX-encoded instruction with three registers; {@code wide} is VEX.L. */
    void vector(int pp, int map, boolean w, boolean wide, int opcode, int reg, int vvvv, int rm) {
        vectorEscape(pp, map, w, wide, reg, vvvv, false, rm >= 8);
        put(opcode, 0xC0 | (reg & 7) << 3 | rm & 7);
    }

    /** Writes the same with a memory operand of up to 32 bytes. */
    void vectorMemory(
            int pp, int map, boolean w, boolean wide, int opcode, int reg, int vvvv, int alignment, int immediateSize) {
        int target = random.nextInt(MARGIN, MachineState.DATA_SIZE - MARGIN - 32) & -alignment;
        switch (alignment == 1 ? random.nextInt(3) : random.nextInt(2)) {
            case 0 -> {
                vectorEscape(pp, map, w, wide, reg, vvvv, false, false);
                put(opcode, (reg & 7) << 3 | 4, 0x25);
                little(MachineState.DATA + target, 4);
            }
            case 1 -> {
                vectorEscape(pp, map, w, wide, reg, vvvv, false, false);
                put(opcode, (reg & 7) << 3 | 5);
                long behind = MachineState.CODE + length + 4 + immediateSize;
                little(MachineState.DATA + target - behind, 4);
            }
            default -> {
                vectorEscape(pp, map, w, wide, reg, vvvv, false, true);
                put(opcode, 0x40 | (reg & 7) << 3 | RandomState.BASE_REGISTER & 7, random.nextInt(-128, 128));
            }
        }
    }

    /** Writes a gather: base register, and a vector register as the index. */
    void gather(boolean w, boolean wide, int opcode, int reg, int vvvv, int index, int scale) {
        vectorEscape(1, MAP_0F38, w, wide, reg, vvvv, index >= 8, true);
        put(opcode, 0x44 | (reg & 7) << 3, scale << 6 | (index & 7) << 3 | RandomState.BASE_REGISTER & 7);
        put(random.nextInt(-64, 64));
    }
}
