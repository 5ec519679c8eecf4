package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.simd.GaloisField;
import dev.kagami.cpu.x86.simd.PackedAdd;
import dev.kagami.cpu.x86.simd.PackedCompare;
import dev.kagami.cpu.x86.simd.PackedMultiply;
import dev.kagami.cpu.x86.simd.PackedShift;
import dev.kagami.cpu.x86.simd.PackedShuffle;

/**
 * Packed operations by opcode, for the instructions that have no class of their own: one 64-bit lane each. Operations are
 * numbered as {@link dev.kagami.cpu.x86.decode.Instruction#mapAndOpcode} numbers their instructions; grouped so that
 * each group compiles to a small method. VEX forms have the same numbers.
 */
final class SimdLanes {
    /** Operations that no group holds. */
    static final int GROUP_NONE = 0;
    /** Addition, subtraction and logic. */
    static final int GROUP_PLAIN = 1;
    /** Saturating addition and subtraction, averages. */
    static final int GROUP_SATURATING = 2;
    /** Comparison, minimum and maximum of SSE2 and MMX. */
    static final int GROUP_COMPARING = 3;
    /** Comparison, minimum and maximum of SSE4. */
    static final int GROUP_COMPARING_LATER = 4;
    /** Multiplication and sums of differences. */
    static final int GROUP_MULTIPLYING = 5;
    /** Signs and magnitudes, multiplication in GF(2^8). */
    static final int GROUP_SIGNS = 6;

    private SimdLanes() {}

    /** {@return the group that holds an operation which combines lanes of the same number} */
    static int group(int operation) {
        return switch (operation) {
            case 0x1D4, 0x1DB, 0x1DF, 0x1EB, 0x1EF, 0x1F8, 0x1F9, 0x1FA, 0x1FB, 0x1FC, 0x1FD, 0x1FE -> GROUP_PLAIN;
            case 0x1D8, 0x1D9, 0x1DC, 0x1DD, 0x1E0, 0x1E3, 0x1E8, 0x1E9, 0x1EC, 0x1ED -> GROUP_SATURATING;
            case 0x164, 0x165, 0x166, 0x174, 0x175, 0x176, 0x1DA, 0x1DE, 0x1EA, 0x1EE -> GROUP_COMPARING;
            case 0x229, 0x237, 0x238, 0x239, 0x23A, 0x23B, 0x23C, 0x23D, 0x23E, 0x23F -> GROUP_COMPARING_LATER;
            case 0x1D5, 0x1E4, 0x1E5, 0x1F4, 0x1F5, 0x1F6, 0x204, 0x20B, 0x228, 0x240 -> GROUP_MULTIPLYING;
            case 0x208, 0x209, 0x20A, 0x21C, 0x21D, 0x21E, 0x2CF -> GROUP_SIGNS;
            default -> GROUP_NONE;
        };
    }

    /** Combines two lanes by an operation of any group. */
    static long combine(int group, int operation, long a, long b) {
        return switch (group) {
            case GROUP_PLAIN -> plain(operation, a, b);
            case GROUP_SATURATING -> saturating(operation, a, b);
            case GROUP_COMPARING -> comparing(operation, a, b);
            case GROUP_COMPARING_LATER -> comparingLater(operation, a, b);
            case GROUP_MULTIPLYING -> multiplying(operation, a, b);
            default -> signs(operation, a, b);
        };
    }

    static long plain(int operation, long a, long b) {
        return switch (operation) {
            case 0x1D4 -> a + b;
            case 0x1DB -> a & b;
            case 0x1DF -> ~a & b;
            case 0x1EB -> a | b;
            case 0x1EF -> a ^ b;
            case 0x1F8 -> PackedAdd.psubb(a, b);
            case 0x1F9 -> PackedAdd.psubw(a, b);
            case 0x1FA -> PackedAdd.psubd(a, b);
            case 0x1FB -> a - b;
            case 0x1FC -> PackedAdd.paddb(a, b);
            case 0x1FD -> PackedAdd.paddw(a, b);
            default -> PackedAdd.paddd(a, b);
        };
    }

    static long saturating(int operation, long a, long b) {
        return switch (operation) {
            case 0x1D8 -> PackedAdd.psubusb(a, b);
            case 0x1D9 -> PackedAdd.psubusw(a, b);
            case 0x1DC -> PackedAdd.paddusb(a, b);
            case 0x1DD -> PackedAdd.paddusw(a, b);
            case 0x1E0 -> PackedAdd.pavgb(a, b);
            case 0x1E3 -> PackedAdd.pavgw(a, b);
            case 0x1E8 -> PackedAdd.psubsb(a, b);
            case 0x1E9 -> PackedAdd.psubsw(a, b);
            case 0x1EC -> PackedAdd.paddsb(a, b);
            default -> PackedAdd.paddsw(a, b);
        };
    }

    static long comparing(int operation, long a, long b) {
        return switch (operation) {
            case 0x164 -> PackedCompare.pcmpgtb(a, b);
            case 0x165 -> PackedCompare.pcmpgtw(a, b);
            case 0x166 -> PackedCompare.pcmpgtd(a, b);
            case 0x174 -> PackedCompare.pcmpeqb(a, b);
            case 0x175 -> PackedCompare.pcmpeqw(a, b);
            case 0x176 -> PackedCompare.pcmpeqd(a, b);
            case 0x1DA -> PackedCompare.pminub(a, b);
            case 0x1DE -> PackedCompare.pmaxub(a, b);
            case 0x1EA -> PackedCompare.pminsw(a, b);
            default -> PackedCompare.pmaxsw(a, b);
        };
    }

    static long comparingLater(int operation, long a, long b) {
        return switch (operation) {
            case 0x229 -> PackedCompare.pcmpeqq(a, b);
            case 0x237 -> PackedCompare.pcmpgtq(a, b);
            case 0x238 -> PackedCompare.pminsb(a, b);
            case 0x239 -> PackedCompare.pminsd(a, b);
            case 0x23A -> PackedCompare.pminuw(a, b);
            case 0x23B -> PackedCompare.pminud(a, b);
            case 0x23C -> PackedCompare.pmaxsb(a, b);
            case 0x23D -> PackedCompare.pmaxsd(a, b);
            case 0x23E -> PackedCompare.pmaxuw(a, b);
            default -> PackedCompare.pmaxud(a, b);
        };
    }

    static long multiplying(int operation, long a, long b) {
        return switch (operation) {
            case 0x1D5 -> PackedMultiply.pmullw(a, b);
            case 0x1E4 -> PackedMultiply.pmulhuw(a, b);
            case 0x1E5 -> PackedMultiply.pmulhw(a, b);
            case 0x1F4 -> PackedMultiply.pmuludq(a, b);
            case 0x1F5 -> PackedMultiply.pmaddwd(a, b);
            case 0x1F6 -> PackedAdd.psadbw(a, b);
            case 0x204 -> PackedMultiply.pmaddubsw(a, b);
            case 0x20B -> PackedMultiply.pmulhrsw(a, b);
            case 0x228 -> PackedMultiply.pmuldq(a, b);
            default -> PackedMultiply.pmulld(a, b);
        };
    }

    static long signs(int operation, long a, long b) {
        return switch (operation) {
            case 0x208 -> PackedAdd.psignb(a, b);
            case 0x209 -> PackedAdd.psignw(a, b);
            case 0x20A -> PackedAdd.psignd(a, b);
            case 0x21C -> PackedAdd.pabsb(b);
            case 0x21D -> PackedAdd.pabsw(b);
            case 0x21E -> PackedAdd.pabsd(b);
            default -> GaloisField.gf2p8mulb(a, b);
        };
    }

    /** {@return whether {@link #pair} knows an operation} */
    static boolean isPair(int operation) {
        return switch (operation) {
            case 0x163, 0x167, 0x16B, 0x22B, 0x201, 0x202, 0x203, 0x205, 0x206, 0x207 -> true;
            default -> false;
        };
    }

    /** Makes one quadword of two, in operations that yield one such quadword of each operand: packs, horizontal sums. */
    static long pair(int operation, long low, long high) {
        return switch (operation) {
            case 0x163 -> PackedShuffle.packsswb(low, high);
            case 0x167 -> PackedShuffle.packuswb(low, high);
            case 0x16B -> PackedShuffle.packssdw(low, high);
            case 0x22B -> PackedShuffle.packusdw(low, high);
            case 0x201 -> PackedAdd.phaddw(low, high);
            case 0x202 -> PackedAdd.phaddd(low, high);
            case 0x203 -> PackedAdd.phaddsw(low, high);
            case 0x205 -> PackedAdd.phsubw(low, high);
            case 0x206 -> PackedAdd.phsubd(low, high);
            default -> PackedAdd.phsubsw(low, high);
        };
    }

    /** Interleaves the low halves of two quadwords; the operation is that of the low or of the high instruction. */
    static long interleaveLow(int operation, long a, long b) {
        return switch (operation & 3) {
            case 0 -> PackedShuffle.punpcklbw(a, b);
            case 1 -> PackedShuffle.punpcklwd(a, b);
            default -> PackedShuffle.punpckldq(a, b);
        };
    }

    /** Interleaves the high halves of two quadwords; the operation is that of the low or of the high instruction. */
    static long interleaveHigh(int operation, long a, long b) {
        return switch (operation & 3) {
            case 0 -> PackedShuffle.punpckhbw(a, b);
            case 1 -> PackedShuffle.punpckhwd(a, b);
            default -> PackedShuffle.punpckhdq(a, b);
        };
    }

    /** {@return whether {@link #shift} knows an operation} */
    static boolean isShift(int operation) {
        return switch (operation) {
            case 0x1D1, 0x1D2, 0x1D3, 0x1E1, 0x1E2, 0x1F1, 0x1F2, 0x1F3 -> true;
            default -> false;
        };
    }

    /** Shifts a lane by an unsigned count of 64 bits. */
    static long shift(int operation, long a, long count) {
        return switch (operation) {
            case 0x1D1 -> PackedShift.psrlw(a, count);
            case 0x1D2 -> PackedShift.psrld(a, count);
            case 0x1D3 -> PackedShift.psrlq(a, count);
            case 0x1E1 -> PackedShift.psraw(a, count);
            case 0x1E2 -> PackedShift.psrad(a, count);
            case 0x1F1 -> PackedShift.psllw(a, count);
            case 0x1F2 -> PackedShift.pslld(a, count);
            default -> PackedShift.psllq(a, count);
        };
    }

    /**
     * Finds the operation of {@link #shift} that a shift by an immediate does.
     *
     * @param opcode 0x71 to 0x73 in map 0F
     * @param group ModRM.reg: 2, 4 or 6
     * @return the operation, or 0 when there is none
     */
    static int immediateShift(int opcode, int group) {
        int size = opcode - 0x70;
        return switch (group) {
            case 2 -> 0x1D0 + size;
            case 4 -> size == 3 ? 0 : 0x1E0 + size;
            case 6 -> 0x1F0 + size;
            default -> 0;
        };
    }

    /** Widens elements of {@code a} into one quadword: PMOVSX is 0x220 to 0x225, PMOVZX 0x230 to 0x235. */
    static long widen(int operation, long a) {
        return switch (operation) {
            case 0x220 -> PackedShuffle.pmovsxbw(a);
            case 0x221 -> PackedShuffle.pmovsxbd(a);
            case 0x222 -> (byte) a;
            case 0x223 -> PackedShuffle.pmovsxwd(a);
            case 0x224 -> (short) a;
            case 0x225 -> (int) a;
            case 0x230 -> PackedShuffle.pmovzxbw(a);
            case 0x231 -> PackedShuffle.pmovzxbd(a);
            case 0x232 -> a & 0xFF;
            case 0x233 -> PackedShuffle.pmovzxwd(a);
            case 0x234 -> a & 0xFFFF;
            default -> a & 0xFFFF_FFFFL;
        };
    }
}
