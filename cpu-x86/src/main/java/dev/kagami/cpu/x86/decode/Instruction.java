package dev.kagami.cpu.x86.decode;

import org.jspecify.annotations.Nullable;

/**
 * The raw fields of one decoded instruction. A mutable holder that a {@link Decoder} fills again and again; whoever wants
 * to keep something copies it out.
 */
public final class Instruction {
    /** Longest instruction in bytes (SDM 2A 2.3.11). */
    public static final int MAX_LENGTH = 15;

    /** Opcode map of one-byte opcodes. */
    public static final int MAP_PRIMARY = 0;
    /** Opcode map of {@code 0F xx}. */
    public static final int MAP_0F = 1;
    /** Opcode map of {@code 0F 38 xx}. */
    public static final int MAP_0F38 = 2;
    /** Opcode map of {@code 0F 3A xx}. */
    public static final int MAP_0F3A = 3;

    /** Mandatory prefix: none. */
    public static final int PP_NONE = 0;
    /** Mandatory prefix 66. */
    public static final int PP_66 = 1;
    /** Mandatory prefix F3. */
    public static final int PP_F3 = 2;
    /** Mandatory prefix F2. */
    public static final int PP_F2 = 3;

    /** Legacy encoding. */
    public static final int ENCODING_LEGACY = 0;
    /** VEX encoding (C4 or C5). */
    public static final int ENCODING_VEX = 1;
    /** EVEX encoding (62). */
    public static final int ENCODING_EVEX = 2;

    /** Segment register numbers as in the encoding. */
    public static final int ES = 0;
    /** Code segment. */
    public static final int CS = 1;
    /** Stack segment. */
    public static final int SS = 2;
    /** Data segment. */
    public static final int DS = 3;
    /** Segment FS. */
    public static final int FS = 4;
    /** Segment GS. */
    public static final int GS = 5;

    /** Absent register, index or segment override. */
    public static final int NONE = -1;
    /** {@link #base} of a RIP-relative operand; relative to the end of this instruction. */
    public static final int BASE_RIP = -2;

    /** Execution mode in bits: 16, 32 or 64 (64 only in 64-bit mode proper). */
    public int mode;
    /** Total length in bytes. */
    public int length;
    /** Opcode map: {@link #MAP_PRIMARY} to {@link #MAP_0F3A}; VEX and EVEX may give others up to 31. */
    public int map;
    /** Opcode byte in its map. */
    public int opcode;
    /** One of {@link #ENCODING_LEGACY}, {@link #ENCODING_VEX}, {@link #ENCODING_EVEX}. */
    public int encoding;
    /** Mandatory prefix; the last of F2 and F3 wins, then 66. */
    public int pp;

    /** LOCK prefix (F0). */
    public boolean lock;
    /** REP or REPE prefix (F3) was the last of F2 and F3. */
    public boolean rep;
    /** REPNE prefix (F2) was the last of F2 and F3. */
    public boolean repne;
    /** Operand-size prefix (66) present. */
    public boolean operandPrefix;
    /** Address-size prefix (67) present. */
    public boolean addressPrefix;
    /** Segment override or {@link #NONE}; in 64-bit mode only FS and GS count. */
    public int segmentOverride;
    /** A REX prefix is present: byte registers 4 to 7 are spl, bpl, sil, dil. */
    public boolean rex;
    /** REX.B as 0 or 8; extends registers named by the opcode's low bits. */
    private int rexB;

    /** REX.W, VEX.W or EVEX.W. */
    public boolean w;

    /** Operand size in bytes for instructions with the usual 16/32/64-bit operands: 2, 4 or 8. */
    public int operandSize;
    /** Address size in bytes: 2, 4 or 8. */
    public int addressSize;

    /** A ModRM byte is present. */
    public boolean hasModRm;
    /** ModRM.mod, 0 to 3. */
    public int mod;
    /** ModRM.reg, extended by REX.R: 0 to 15 (EVEX: 31). */
    public int reg;
    /** ModRM.rm, extended by REX.B when it names a register: 0 to 15 (EVEX: 31). */
    public int rm;
    /** Base register of a memory operand, {@link #NONE} or {@link #BASE_RIP}. */
    public int base;
    /** Index register of a memory operand or {@link #NONE}. */
    public int index;
    /** log2 of the index scale. */
    public int scale;
    /** Displacement, sign-extended; also the offset of MOV with a direct offset. */
    public long displacement;
    /** Default segment of the memory operand, before an override. */
    public int defaultSegment;

    /** First immediate, sign-extended from its encoded size; branch displacement; offset of a far pointer. */
    public long immediate;
    /** Size of the first immediate in bytes; 0 when there is none. */
    public int immediateSize;
    /** Second immediate: ENTER's level, or the selector of a far pointer. */
    public int immediate2;

    /** VEX.vvvv or EVEX.vvvv as a register number; 0 when unused. */
    public int vvvv;
    /** VEX.L or EVEX.L'L: 0 for 128, 1 for 256, 2 for 512 bits. */
    public int vectorLength;
    /** EVEX opmask register. */
    public int opmask;
    /** EVEX.z. */
    public boolean zeroing;
    /** EVEX.b: broadcast of a memory operand, or rounding control. */
    public boolean broadcast;
    /** What the operands of an EVEX-encoded instruction are; null for others. */
    public @Nullable EvexForm evex;

    /** {@return true when ModRM names memory} */
    public boolean isMemory() {
        return hasModRm && mod != 3;
    }

    /** {@return whether LOCK is allowed: a read-modify-write of memory by one of the instructions that SDM 2A lists} */
    public boolean mayLock() {
        if (!isMemory()) {
            return false;
        }
        return switch (map) {
            case MAP_PRIMARY ->
                // ADD OR ADC SBB AND SUB XOR with a memory destination, XCHG, INC, DEC, NOT, NEG.
                opcode < 0x38 && (opcode & 7) < 2
                        || opcode >= 0x80 && opcode <= 0x83 && group() != 7
                        || opcode == 0x86
                        || opcode == 0x87
                        || (opcode == 0xF6 || opcode == 0xF7) && (group() == 2 || group() == 3)
                        || (opcode == 0xFE || opcode == 0xFF) && group() < 2;
            case MAP_0F ->
                // BTS, BTR, BTC, CMPXCHG, XADD, CMPXCHG8B and CMPXCHG16B.
                opcode == 0xAB
                        || opcode == 0xB3
                        || opcode == 0xBB
                        || opcode == 0xBA && group() >= 5
                        || opcode == 0xB0
                        || opcode == 0xB1
                        || opcode == 0xC0
                        || opcode == 0xC1
                        || opcode == 0xC7 && group() == 1;
            default -> false;
        };
    }

    /** {@return the opcode with its map: map in bits 8 and up} */
    public int mapAndOpcode() {
        return map << 8 | opcode;
    }

    /** {@return ModRM.reg without REX.R: the opcode extension of group instructions} */
    public int group() {
        return reg & 7;
    }

    /** {@return the segment of the memory operand after an override} */
    public int segment() {
        return segmentOverride != NONE ? segmentOverride : defaultSegment;
    }

    /** {@return 8 when REX.B is set, else 0: extends a register named by the opcode's low three bits} */
    public int rexB() {
        return rexB;
    }

    void setRexB(int rexB) {
        this.rexB = rexB;
    }

    void clear(int mode) {
        this.mode = mode;
        length = 0;
        map = MAP_PRIMARY;
        opcode = 0;
        encoding = ENCODING_LEGACY;
        pp = PP_NONE;
        lock = false;
        rep = false;
        repne = false;
        operandPrefix = false;
        addressPrefix = false;
        segmentOverride = NONE;
        rex = false;
        rexB = 0;
        w = false;
        hasModRm = false;
        mod = 0;
        reg = 0;
        rm = 0;
        base = NONE;
        index = NONE;
        scale = 0;
        displacement = 0;
        defaultSegment = DS;
        immediate = 0;
        immediateSize = 0;
        immediate2 = 0;
        vvvv = 0;
        vectorLength = 0;
        opmask = 0;
        zeroing = false;
        broadcast = false;
        evex = null;
    }
}
