package dev.kagami.cpu.x86.decode;

import dev.kagami.cpu.x86.decode.EvexForm.Operand;

/**
 * Decodes one instruction at a time. Not thread-safe; holds no state between instructions.
 *
 * <p>Source: SDM 2A chapter 2 (formats), SDM 2D appendix A (opcode maps).
 */
public final class Decoder {
    /** Result of {@link #decode}: the instruction is complete. */
    public static final int OK = 0;
    /** Result of {@link #decode}: the bytes end within the instruction. */
    public static final int NEED_MORE = 1;
    /** Result of {@link #decode}: no instruction has this encoding; raises #UD. */
    public static final int UNDEFINED = 2;
    /** Result of {@link #decode}: longer than 15 bytes; raises #GP(0). */
    public static final int TOO_LONG = 3;

    // Operand forms in the tables below.
    private static final int FORM_NONE = 0;
    private static final int FORM_IMM8 = 1; // immediate byte, sign-extended
    private static final int FORM_IMMZ = 2; // 16 or 32 bits by operand size
    private static final int FORM_IMMV = 3; // 16, 32 or 64 bits by operand size
    private static final int FORM_IMM16 = 4;
    private static final int FORM_ENTER = 5; // imm16, imm8
    private static final int FORM_FAR = 6; // offset by operand size, then selector
    private static final int FORM_OFFSET = 7; // address-sized offset
    private static final int FORM_GROUP3_8 = 8; // imm8 only for /0 and /1 (TEST)
    private static final int FORM_GROUP3_Z = 9; // immz only for /0 and /1 (TEST)
    private static final int FORM_REL = 10; // branch displacement of 16 or 32 bits
    private static final int FORM_MASK = 0x0F;
    private static final int MODRM = 0x10;
    private static final int INVALID_64 = 0x20; // #UD in 64-bit mode
    private static final int INVALID = 0x40;

    /**
     * One character an opcode, 16 a row. '.' nothing, 'm' ModRM, 'b' imm8, 'z' immz, 'v' immv, 'w' imm16, 'e' ENTER,
     * 'p' far pointer, 'o' offset, 'B' ModRM + imm8, 'Z' ModRM + immz, 'g' group 3 byte, 'G' group 3, 'r' branch, '-' none
     * in 64-bit mode, 'q' ModRM but none in 64-bit mode, 'Q' ModRM + imm8 but none in 64-bit mode, 'P' far pointer but none in
     * 64-bit mode, 'y' imm8 but none in 64-bit mode, 'x' invalid, ' ' prefix (never looked up).
     */
    private static final byte[] PRIMARY = forms(
            "mmmmbz--mmmmbz- " // 00
                    + "mmmmbz--mmmmbz--" // 10
                    + "mmmmbz -mmmmbz -" // 20
                    + "mmmmbz -mmmmbz -" // 30
                    + "................" // 40: INC and DEC, REX in 64-bit mode
                    + "................" // 50
                    + "--qm    zZbB...." // 60
                    + "bbbbbbbbbbbbbbbb" // 70
                    + "BZQBmmmmmmmmmmmm" // 80
                    + "..........P....." // 90
                    + "oooo....bz......" // A0
                    + "bbbbbbbbvvvvvvvv" // B0
                    + "BBw.qqBZe.w..b-." // C0
                    + "mmmmyy-.mmmmmmmm" // D0
                    + "bbbbbbbbrrPb...." // E0
                    + " . ...gG......mm"); // F0

    private static final byte[] MAP_0F_FORMS = forms(
            "mmmmx.....x.xm.x" // 00
                    + "mmmmmmmmmmmmmmmm" // 10
                    + "mmmmxxxxmmmmmmmm" // 20
                    + "......x.xxxxxxxx" // 30
                    + "mmmmmmmmmmmmmmmm" // 40
                    + "mmmmmmmmmmmmmmmm" // 50
                    + "mmmmmmmmmmmmmmmm" // 60
                    + "BBBBmmm.mmxxmmmm" // 70
                    + "rrrrrrrrrrrrrrrr" // 80
                    + "mmmmmmmmmmmmmmmm" // 90
                    + "...mBmxx...mBmmm" // A0
                    + "mmmmmmmmmmBmmmmm" // B0
                    + "mmBmBBBm........" // C0
                    + "mmmmmmmmmmmmmmmm" // D0
                    + "mmmmmmmmmmmmmmmm" // E0
                    + "mmmmmmmmmmmmmmmm"); // F0

    private static byte[] forms(String letters) {
        byte[] table = new byte[256];
        for (int i = 0; i < 256; i++) {
            table[i] = (byte)
                    switch (letters.charAt(i)) {
                        case '.', ' ' -> FORM_NONE;
                        case 'm' -> MODRM;
                        case 'b' -> FORM_IMM8;
                        case 'z' -> FORM_IMMZ;
                        case 'v' -> FORM_IMMV;
                        case 'w' -> FORM_IMM16;
                        case 'e' -> FORM_ENTER;
                        case 'o' -> FORM_OFFSET;
                        case 'B' -> MODRM | FORM_IMM8;
                        case 'Z' -> MODRM | FORM_IMMZ;
                        case 'g' -> MODRM | FORM_GROUP3_8;
                        case 'G' -> MODRM | FORM_GROUP3_Z;
                        case 'r' -> FORM_REL;
                        case '-' -> INVALID_64;
                        case 'q' -> MODRM | INVALID_64;
                        case 'Q' -> MODRM | FORM_IMM8 | INVALID_64;
                        case 'P' -> FORM_FAR | INVALID_64;
                        case 'y' -> FORM_IMM8 | INVALID_64;
                        default -> INVALID;
                    };
        }
        return table;
    }

    /** ModRM.rm that stands for a SIB byte. */
    private static final int SIB_FOLLOWS = 4;

    /** SIB.index that stands for no index, unless it is a vector register. */
    private static final int NO_INDEX = 4;

    private byte[] bytes = new byte[0];
    private int position;
    private int end;
    private boolean short_;

    /**
     * Decodes one instruction.
     *
     * @param bytes holds the code
     * @param start index of the first byte
     * @param limit index behind the last byte that may be read
     * @param mode 16, 32 or 64: the default operand and address size of the code segment, 64 in 64-bit mode
     * @param in filled with the fields; {@link Instruction#length} is right for {@link #OK} only
     * @return {@link #OK}, {@link #NEED_MORE}, {@link #UNDEFINED} or {@link #TOO_LONG}
     */
    public int decode(byte[] bytes, int start, int limit, int mode, Instruction in) {
        this.bytes = bytes;
        position = start;
        end = Math.min(limit, start + Instruction.MAX_LENGTH);
        short_ = false;
        in.clear(mode);
        int result = fields(in);
        in.length = position - start;
        if (short_) {
            return limit - start >= Instruction.MAX_LENGTH ? TOO_LONG : NEED_MORE;
        }
        return result;
    }

    private int next() {
        if (position >= end) {
            short_ = true;
            return 0;
        }
        return bytes[position++] & 0xFF;
    }

    private int fields(Instruction in) {
        int rex = 0;
        int opcode;
        prefixes:
        while (true) {
            opcode = next();
            if (short_) {
                return NEED_MORE;
            }
            switch (opcode) {
                case 0x26, 0x2E, 0x36, 0x3E -> {
                    // ES, CS, SS and DS overrides are ignored in 64-bit mode, even after FS or GS.
                    if (in.mode != 64) {
                        in.segmentOverride = opcode >> 3 & 3;
                    }
                    rex = 0;
                }
                case 0x64, 0x65 -> {
                    in.segmentOverride = opcode - 0x60;
                    rex = 0;
                }
                case 0x66 -> {
                    in.operandPrefix = true;
                    rex = 0;
                }
                case 0x67 -> {
                    in.addressPrefix = true;
                    rex = 0;
                }
                case 0xF0 -> {
                    in.lock = true;
                    rex = 0;
                }
                case 0xF2 -> {
                    in.repne = true;
                    in.rep = false;
                    rex = 0;
                }
                case 0xF3 -> {
                    in.rep = true;
                    in.repne = false;
                    rex = 0;
                }
                default -> {
                    if (in.mode != 64 || (opcode & 0xF0) != 0x40) {
                        break prefixes;
                    }
                    // A REX counts only directly before the opcode (SDM 2A 2.2.1).
                    rex = opcode;
                }
            }
        }
        in.addressSize = switch (in.mode) {
            case 64 -> in.addressPrefix ? 4 : 8;
            case 32 -> in.addressPrefix ? 2 : 4;
            default -> in.addressPrefix ? 4 : 2;
        };
        if (opcode == 0xC4 || opcode == 0xC5 || opcode == 0x62) {
            int peek = position < end ? bytes[position] & 0xFF : 0;
            if (position >= end) {
                short_ = true;
                return NEED_MORE;
            }
            // Outside of 64-bit mode these are LES, LDS and BOUND unless the next byte would name a register.
            if (in.mode == 64 || peek >= 0xC0 && in.mode != 16) {
                return vector(in, opcode, rex);
            }
        }
        in.rex = rex != 0;
        in.w = (rex & 8) != 0;
        in.setRexB((rex & 1) << 3);
        in.pp = in.repne ? Instruction.PP_F2 : in.rep ? Instruction.PP_F3 : in.operandPrefix ? Instruction.PP_66 : 0;
        in.operandSize = in.w ? 8 : (in.mode == 16) != in.operandPrefix ? 2 : 4;
        int form;
        if (opcode != 0x0F) {
            form = PRIMARY[opcode];
        } else {
            opcode = next();
            if (opcode == 0x38) {
                in.map = Instruction.MAP_0F38;
                opcode = next();
                form = MODRM;
            } else if (opcode == 0x3A) {
                in.map = Instruction.MAP_0F3A;
                opcode = next();
                form = MODRM | FORM_IMM8;
            } else {
                in.map = Instruction.MAP_0F;
                form = MAP_0F_FORMS[opcode];
            }
            if (short_) {
                return NEED_MORE;
            }
        }
        in.opcode = opcode;
        if ((form & INVALID) != 0 || (form & INVALID_64) != 0 && in.mode == 64) {
            return UNDEFINED;
        }
        if ((form & MODRM) != 0) {
            modRm(in, (rex & 4) << 1, (rex & 2) << 2, (rex & 1) << 3);
        }
        immediate(in, form & FORM_MASK);
        return short_ ? NEED_MORE : OK;
    }

    /** Decodes behind a VEX or EVEX escape (SDM 2A 2.3 and 2.7). */
    private int vector(Instruction in, int escape, int rex) {
        // LOCK, 66, F2, F3 and REX before VEX raise #UD.
        boolean illegal = in.lock || in.operandPrefix || in.rep || in.repne || rex != 0;
        int r;
        int x;
        int b;
        int second = next();
        r = (~second & 0x80) >> 4;
        if (escape == 0xC5) {
            in.encoding = Instruction.ENCODING_VEX;
            x = 0;
            b = 0;
            in.map = Instruction.MAP_0F;
            in.vvvv = ~second >> 3 & 15;
            in.vectorLength = second >> 2 & 1;
            in.pp = vectorPrefix(second & 3);
        } else {
            x = (~second & 0x40) >> 3;
            b = (~second & 0x20) >> 2;
            int third = next();
            in.w = (third & 0x80) != 0;
            in.vvvv = ~third >> 3 & 15;
            in.pp = vectorPrefix(third & 3);
            if (escape == 0xC4) {
                in.encoding = Instruction.ENCODING_VEX;
                in.map = second & 31;
                in.vectorLength = third >> 2 & 1;
            } else {
                in.encoding = Instruction.ENCODING_EVEX;
                in.map = second & 7;
                illegal |= (second & 8) != 0 || (third & 4) == 0;
                r |= ~second & 0x10;
                int fourth = next();
                in.zeroing = (fourth & 0x80) != 0;
                in.vectorLength = fourth >> 5 & 3;
                in.broadcast = (fourth & 0x10) != 0;
                in.vvvv |= ~fourth << 1 & 0x10;
                in.opmask = fourth & 7;
            }
        }
        in.opcode = next();
        if (short_) {
            return NEED_MORE;
        }
        in.rex = true;
        in.operandSize = in.w && in.mode == 64 ? 8 : 4;
        if (in.mode != 64) {
            r = 0;
            x = 0;
            b = 0;
            in.vvvv &= 7;
        }
        if (illegal || in.map < Instruction.MAP_0F || in.map > Instruction.MAP_0F3A) {
            return UNDEFINED;
        }
        boolean imm8 = in.map == Instruction.MAP_0F3A
                || in.map == Instruction.MAP_0F && (MAP_0F_FORMS[in.opcode] & FORM_MASK) == FORM_IMM8;
        boolean noModRm = in.map == Instruction.MAP_0F && in.opcode == 0x77 && in.encoding == Instruction.ENCODING_VEX;
        if (!noModRm) {
            modRm(in, r, x, b);
        }
        if (isVectorIndexed(in) && in.mod != 3 && (in.addressSize == 2 || (in.rm & 7) != SIB_FOLLOWS)) {
            return UNDEFINED;
        }
        if (in.encoding == Instruction.ENCODING_EVEX && !short_ && !evex(in, x)) {
            return UNDEFINED;
        }
        immediate(in, imm8 ? FORM_IMM8 : FORM_NONE);
        return short_ ? NEED_MORE : OK;
    }

    /** Finds what the operands are, and finishes them; {@return whether there is such an instruction} */
    private static boolean evex(Instruction in, int x) {
        if (in.mod == 3) {
            // X reaches the upper half of the vector registers.
            in.rm |= x << 1;
        } else if (isVectorIndexed(in)) {
            in.index |= in.vvvv & 0x10;
            in.vvvv &= 0xF;
        }
        EvexForm form = EvexForm.find(in);
        if (form != null && in.mode != 64 && (form.reg == Operand.GENERAL || form.rm == Operand.GENERAL)) {
            // Without general registers of 64 bits, W is ignored (SDM 2B MOVD, 2A CVTSI2SD).
            in.w = false;
            form = EvexForm.find(in);
        }
        if (form == null || !form.allows(in)) {
            return false;
        }
        in.evex = form;
        switch (form.rm) {
            case MASK -> in.rm &= 7;
            case GENERAL -> in.rm &= 15;
            default -> {}
        }
        if (in.mod == 1) {
            in.displacement *= form.displacementScale(in);
        }
        return true;
    }

    /** {@return whether the index of the memory operand is a vector register, as that of a gather} */
    private static boolean isVectorIndexed(Instruction in) {
        return in.encoding != Instruction.ENCODING_LEGACY
                && in.map == Instruction.MAP_0F38
                && (in.opcode >= 0x90 && in.opcode <= 0x93
                        || in.encoding == Instruction.ENCODING_EVEX && in.opcode >= 0xA0 && in.opcode <= 0xA3);
    }

    private static int vectorPrefix(int pp) {
        return pp; // VEX.pp counts as our constants do: none, 66, F3, F2
    }

    private void modRm(Instruction in, int rexR, int rexX, int rexB) {
        int modRm = next();
        in.hasModRm = true;
        in.mod = modRm >> 6;
        in.reg = modRm >> 3 & 7 | rexR;
        in.rm = modRm & 7 | rexB;
        // MOV to and from control and debug registers always names registers (SDM 2B, MOV CR).
        boolean moveSystem = in.map == Instruction.MAP_0F
                && in.encoding == Instruction.ENCODING_LEGACY
                && in.opcode >= 0x20
                && in.opcode <= 0x23;
        if (moveSystem) {
            in.mod = 3;
        }
        if (in.mod == 3) {
            return;
        }
        if (in.addressSize == 2) {
            address16(in, modRm & 7);
            return;
        }
        int low = modRm & 7;
        if (low == SIB_FOLLOWS) {
            int sib = next();
            in.scale = sib >> 6;
            int index = sib >> 3 & 7 | rexX;
            in.index = index == NO_INDEX && !isVectorIndexed(in) ? Instruction.NONE : index;
            int base = sib & 7;
            in.base = base == 5 && in.mod == 0 ? Instruction.NONE : base | rexB;
        } else if (low == 5 && in.mod == 0) {
            in.base = in.mode == 64 ? Instruction.BASE_RIP : Instruction.NONE;
        } else {
            in.base = low | rexB;
        }
        if (in.base == 4 || in.base == 5) {
            in.defaultSegment = Instruction.SS;
        }
        if (in.mod == 1) {
            in.displacement = (byte) next();
        } else if (in.mod == 2 || in.base < 0 && (low == 5 || low == 4)) {
            in.displacement = (int) little(4);
        }
    }

    private void address16(Instruction in, int low) {
        switch (low) {
            case 0 -> set16(in, 3, 6);
            case 1 -> set16(in, 3, 7);
            case 2 -> set16(in, 5, 6);
            case 3 -> set16(in, 5, 7);
            case 4 -> set16(in, 6, Instruction.NONE);
            case 5 -> set16(in, 7, Instruction.NONE);
            case 6 -> set16(in, in.mod == 0 ? Instruction.NONE : 5, Instruction.NONE);
            default -> set16(in, 3, Instruction.NONE);
        }
        if (in.base == 5) {
            in.defaultSegment = Instruction.SS;
        }
        if (in.mod == 1) {
            in.displacement = (byte) next();
        } else if (in.mod == 2 || in.base == Instruction.NONE) {
            in.displacement = (short) little(2);
        }
    }

    private static void set16(Instruction in, int base, int index) {
        in.base = base;
        in.index = index;
    }

    private void immediate(Instruction in, int form) {
        int size = in.operandSize;
        switch (form) {
            case FORM_NONE -> {}
            case FORM_IMM8 -> signed(in, 1);
            case FORM_IMMZ -> signed(in, Math.min(size, 4));
            case FORM_IMMV -> signed(in, (in.opcode & 8) == 0 ? 1 : size);
            case FORM_IMM16 -> signed(in, 2);
            case FORM_ENTER -> {
                signed(in, 2);
                in.immediate2 = next();
            }
            case FORM_FAR -> {
                signed(in, Math.min(size, 4));
                in.immediate2 = (int) little(2);
            }
            case FORM_OFFSET -> {
                in.displacement = little(in.addressSize);
                in.base = Instruction.NONE;
            }
            case FORM_GROUP3_8 -> {
                if ((in.reg & 7) < 2) {
                    signed(in, 1);
                }
            }
            case FORM_GROUP3_Z -> {
                if ((in.reg & 7) < 2) {
                    signed(in, Math.min(size, 4));
                }
            }
            // Near branches have 32-bit displacements in 64-bit mode, whatever 66 says (as Intel processors do).
            case FORM_REL -> signed(in, in.mode == 64 ? 4 : Math.min(size, 4));
            default -> throw new AssertionError(form);
        }
    }

    private void signed(Instruction in, int size) {
        long value = little(size);
        int shift = 64 - 8 * size;
        in.immediate = value << shift >> shift;
        in.immediateSize = size;
    }

    private long little(int size) {
        long value = 0;
        for (int i = 0; i < size; i++) {
            value |= (long) next() << 8 * i;
        }
        return value;
    }
}
