package dev.kagami.cpu.x86.interpreter;

import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F38;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F3A;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Random AVX, AVX2, FMA and F16C instructions, and VEX forms of cryptography, for {@link SequenceGenerator}. */
final class VexSequences {
    // VEX.pp.
    private static final int NONE = 0;
    private static final int P66 = 1;
    private static final int F3 = 2;
    private static final int F2 = 3;

    // What an encoding allows.
    private static final int UNARY = 1;
    private static final int NARROW = 1 << 1;
    private static final int WIDE = 1 << 2;
    private static final int W0 = 1 << 3;
    private static final int W1 = 1 << 4;
    private static final int MEMORY = 1 << 5;
    private static final int REGISTER = 1 << 6;
    private static final int ALIGNED = 1 << 7;
    private static final int GENERAL_REGISTER = 1 << 8;
    private static final int GENERAL_OPERAND = 1 << 9;
    private static final int SETS_FLAGS = 1 << 10;

    /** An instruction; {@code immediates} values of an immediate byte, or none. */
    private record Encoding(int pp, int map, int opcode, int immediates, int form) {}

    private final List<Encoding> integer = new ArrayList<>();
    private final List<Encoding> moves = new ArrayList<>();
    private final List<Encoding> floatingPoint = new ArrayList<>();
    private final List<Encoding> permutes = new ArrayList<>();
    private final List<Encoding> cryptography = new ArrayList<>();

    VexSequences(Set<String> features) {
        integerOpcodes();
        moveOpcodes();
        floatingPointOpcodes();
        permuteOpcodes();
        if (features.contains("aes")) {
            all(cryptography, P66, MAP_0F38, 0, UNARY | NARROW, 0xDB);
            all(cryptography, P66, MAP_0F3A, 256, UNARY | NARROW, 0xDF);
            all(cryptography, P66, MAP_0F38, 0, features.contains("vaes") ? 0 : NARROW, 0xDC, 0xDD, 0xDE, 0xDF);
        }
        if (features.contains("pclmulqdq")) {
            all(cryptography, P66, MAP_0F3A, 256, features.contains("vpclmulqdq") ? 0 : NARROW, 0x44);
        }
        if (features.contains("gfni")) {
            all(cryptography, P66, MAP_0F38, 0, W0, 0xCF);
            all(cryptography, P66, MAP_0F3A, 256, W1, 0xCE, 0xCF);
        }
    }

    private static void all(List<Encoding> list, int pp, int map, int immediates, int form, int... opcodes) {
        for (int opcode : opcodes) {
            list.add(new Encoding(pp, map, opcode, immediates, form));
        }
    }

    private static void range(List<Encoding> list, int pp, int map, int form, int first, int last) {
        for (int opcode = first; opcode <= last; opcode++) {
            list.add(new Encoding(pp, map, opcode, 0, form));
        }
    }

    private void integerOpcodes() {
        range(integer, P66, MAP_0F, 0, 0x60, 0x6D);
        range(integer, P66, MAP_0F, 0, 0x74, 0x76);
        range(integer, P66, MAP_0F, 0, 0xD1, 0xD5);
        range(integer, P66, MAP_0F, 0, 0xD8, 0xDF);
        range(integer, P66, MAP_0F, 0, 0xE0, 0xE5);
        range(integer, P66, MAP_0F, 0, 0xE8, 0xEF);
        range(integer, P66, MAP_0F, 0, 0xF1, 0xF6);
        range(integer, P66, MAP_0F, 0, 0xF8, 0xFE);
        for (int pp : new int[] {P66, F2, F3}) {
            all(integer, pp, MAP_0F, 256, UNARY, 0x70);
        }
        range(integer, P66, MAP_0F38, 0, 0x00, 0x0B);
        range(integer, P66, MAP_0F38, UNARY, 0x1C, 0x1E);
        range(integer, P66, MAP_0F38, UNARY, 0x20, 0x25);
        range(integer, P66, MAP_0F38, UNARY, 0x30, 0x35);
        range(integer, P66, MAP_0F38, 0, 0x37, 0x40);
        all(integer, P66, MAP_0F38, 0, 0, 0x28, 0x29, 0x2B);
        all(integer, P66, MAP_0F38, 0, UNARY | NARROW, 0x41);
        all(integer, P66, MAP_0F38, 0, UNARY | SETS_FLAGS, 0x17);
        all(integer, P66, MAP_0F3A, 256, 0, 0x0E, 0x0F, 0x42);
        all(integer, P66, MAP_0F3A, 256, W0, 0x02);
        all(integer, P66, MAP_0F38, 0, W0, 0x45, 0x46, 0x47);
        all(integer, P66, MAP_0F38, 0, W1, 0x45, 0x47);
    }

    private void moveOpcodes() {
        for (int pp : new int[] {NONE, P66}) {
            all(moves, pp, MAP_0F, 0, UNARY, 0x10, 0x11);
            all(moves, pp, MAP_0F, 0, UNARY | ALIGNED, 0x28, 0x29);
            all(moves, pp, MAP_0F, 0, UNARY | MEMORY | ALIGNED, 0x2B);
            all(moves, pp, MAP_0F, 0, NARROW | MEMORY, 0x12, 0x16);
            all(moves, pp, MAP_0F, 0, UNARY | NARROW | MEMORY, 0x13, 0x17);
            all(moves, pp, MAP_0F, 0, UNARY | REGISTER | GENERAL_REGISTER, 0x50);
        }
        for (int pp : new int[] {F3, F2}) {
            all(moves, pp, MAP_0F, 0, UNARY | MEMORY, 0x10, 0x11);
            all(moves, pp, MAP_0F, 0, REGISTER, 0x10, 0x11);
        }
        all(moves, NONE, MAP_0F, 0, NARROW | REGISTER, 0x12, 0x16);
        all(moves, F3, MAP_0F, 0, UNARY, 0x12, 0x16, 0x6F, 0x7F);
        all(moves, F2, MAP_0F, 0, UNARY, 0x12);
        all(moves, F2, MAP_0F, 0, UNARY | MEMORY, 0xF0);
        all(moves, P66, MAP_0F, 0, UNARY | ALIGNED, 0x6F, 0x7F);
        all(moves, P66, MAP_0F, 0, UNARY | MEMORY | ALIGNED, 0xE7);
        all(moves, P66, MAP_0F38, 0, UNARY | MEMORY | ALIGNED, 0x2A);
        all(moves, P66, MAP_0F, 0, UNARY | NARROW | GENERAL_OPERAND, 0x6E, 0x7E);
        all(moves, P66, MAP_0F, 0, UNARY | NARROW, 0xD6);
        all(moves, F3, MAP_0F, 0, UNARY | NARROW, 0x7E);
        all(moves, P66, MAP_0F, 0, UNARY | REGISTER | GENERAL_REGISTER, 0xD7);
        all(moves, P66, MAP_0F, 256, NARROW | GENERAL_OPERAND, 0xC4);
        all(moves, P66, MAP_0F, 256, UNARY | NARROW | REGISTER | GENERAL_REGISTER, 0xC5);
        all(moves, P66, MAP_0F3A, 256, UNARY | NARROW | GENERAL_OPERAND, 0x14, 0x15, 0x16, 0x17);
        all(moves, P66, MAP_0F3A, 256, NARROW | GENERAL_OPERAND, 0x20, 0x22);
        all(moves, P66, MAP_0F3A, 256, NARROW, 0x21);
    }

    private void floatingPointOpcodes() {
        int[] binary = {0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F};
        for (int pp : new int[] {NONE, P66, F2, F3}) {
            boolean packed = pp == NONE || pp == P66;
            all(floatingPoint, pp, MAP_0F, 0, 0, binary);
            all(floatingPoint, pp, MAP_0F, 0, packed ? UNARY : 0, 0x51, 0x5A);
            all(floatingPoint, pp, MAP_0F, 256, 0, 0xC2);
            if (packed) {
                all(floatingPoint, pp, MAP_0F, 0, 0, 0x14, 0x15, 0x54, 0x55, 0x56, 0x57);
                all(floatingPoint, pp, MAP_0F, 256, 0, 0xC6);
                all(floatingPoint, pp, MAP_0F, 0, UNARY | SETS_FLAGS, 0x2E, 0x2F);
            } else {
                all(floatingPoint, pp, MAP_0F, 0, GENERAL_OPERAND, 0x2A);
                all(floatingPoint, pp, MAP_0F, 0, UNARY | GENERAL_REGISTER, 0x2C, 0x2D);
            }
        }
        for (int pp : new int[] {P66, F2}) {
            all(floatingPoint, pp, MAP_0F, 0, 0, 0x7C, 0x7D, 0xD0);
            all(floatingPoint, pp, MAP_0F, 0, UNARY, 0xE6);
        }
        all(floatingPoint, F3, MAP_0F, 0, UNARY, 0xE6);
        for (int pp : new int[] {NONE, P66, F3}) {
            all(floatingPoint, pp, MAP_0F, 0, UNARY, 0x5B);
        }
        all(floatingPoint, P66, MAP_0F3A, 16, UNARY, 0x08, 0x09);
        all(floatingPoint, P66, MAP_0F3A, 16, 0, 0x0A, 0x0B);
        all(floatingPoint, P66, MAP_0F3A, 256, 0, 0x0C, 0x0D, 0x40);
        all(floatingPoint, P66, MAP_0F3A, 256, NARROW, 0x41);
        all(floatingPoint, P66, MAP_0F38, 0, UNARY | W0 | SETS_FLAGS, 0x0E, 0x0F);
        all(floatingPoint, P66, MAP_0F38, 0, UNARY | W0, 0x13);
        all(floatingPoint, P66, MAP_0F3A, 8, UNARY | W0, 0x1D);
    }

    private void permuteOpcodes() {
        all(permutes, P66, MAP_0F38, 0, W0, 0x0C, 0x0D);
        all(permutes, P66, MAP_0F38, 0, W0 | WIDE, 0x16, 0x36);
        all(permutes, P66, MAP_0F38, 0, W0 | UNARY, 0x18, 0x58, 0x59, 0x78, 0x79);
        all(permutes, P66, MAP_0F38, 0, W0 | UNARY | WIDE, 0x19);
        all(permutes, P66, MAP_0F38, 0, W0 | UNARY | WIDE | MEMORY, 0x1A, 0x5A);
        all(permutes, P66, MAP_0F3A, 256, W1 | UNARY | WIDE, 0x00, 0x01);
        all(permutes, P66, MAP_0F3A, 256, W0 | UNARY, 0x04, 0x05);
        all(permutes, P66, MAP_0F3A, 256, W0 | WIDE, 0x06, 0x46, 0x18, 0x38);
        all(permutes, P66, MAP_0F3A, 256, W0 | UNARY | WIDE, 0x19, 0x39);
        all(permutes, P66, MAP_0F3A, 256, W0, 0x4A, 0x4B, 0x4C);
    }

    private static void write(SnippetWriter out, Encoding encoding) {
        int form = encoding.form;
        boolean wide = (form & NARROW) == 0 && ((form & WIDE) != 0 || out.random.nextBoolean());
        boolean w = (form & W0) == 0 && ((form & W1) != 0 || out.chance(3));
        int reg = (form & GENERAL_REGISTER) != 0 ? out.register() : out.vectorRegister();
        int vvvv = (form & UNARY) != 0 ? 0 : out.vectorRegister();
        int immediateSize = encoding.immediates == 0 ? 0 : 1;
        if ((form & REGISTER) == 0 && ((form & MEMORY) != 0 || out.chance(3))) {
            int alignment = (form & ALIGNED) == 0 ? 1 : wide ? 32 : 16;
            out.vectorMemory(encoding.pp, encoding.map, w, wide, encoding.opcode, reg, vvvv, alignment, immediateSize);
        } else {
            int rm = (form & GENERAL_OPERAND) != 0 ? out.register() : out.vectorRegister();
            out.vector(encoding.pp, encoding.map, w, wide, encoding.opcode, reg, vvvv, rm);
        }
        if (immediateSize != 0) {
            out.put(out.random.nextInt(encoding.immediates));
        }
        if ((form & SETS_FLAGS) != 0) {
            out.flags(Cpu.ARITHMETIC, 0);
        }
    }

    private static <T> T any(SnippetWriter out, List<T> list) {
        return list.get(out.random.nextInt(list.size()));
    }

    void integer(SnippetWriter out) {
        if (out.chance(8)) {
            int opcode = 0x71 + out.random.nextInt(3);
            int[] groups = opcode == 0x73 ? new int[] {2, 3, 6, 7} : new int[] {2, 4, 6};
            int group = groups[out.random.nextInt(groups.length)];
            boolean wide = out.random.nextBoolean();
            out.vector(P66, MAP_0F, false, wide, opcode, group, out.vectorRegister(), out.vectorRegister());
            out.put(out.random.nextInt(out.chance(4) ? 256 : 66));
        } else {
            write(out, any(out, integer));
        }
    }

    void move(SnippetWriter out) {
        switch (out.random.nextInt(16)) {
            case 0 -> out.put(0xC5, out.random.nextBoolean() ? 0xF8 : 0xFC, 0x77); // VZEROUPPER, VZEROALL
            case 1 -> {
                // VMASKMOVDQU stores at rdi.
                out.load(Cpu.RDI, MachineState.DATA + out.random.nextInt(0x40, 0x3C0));
                out.vector(P66, MAP_0F, false, false, 0xF7, out.vectorRegister(), 0, out.vectorRegister());
            }
            default -> write(out, any(out, moves));
        }
    }

    void floatingPoint(SnippetWriter out) {
        write(out, any(out, floatingPoint));
    }

    void permute(SnippetWriter out) {
        write(out, any(out, permutes));
    }

    void cryptography(SnippetWriter out) {
        if (cryptography.isEmpty()) {
            integer(out);
        } else {
            write(out, any(out, cryptography));
        }
    }

    void fused(SnippetWriter out) {
        int opcode = 0x90 + 16 * out.random.nextInt(3) + 6 + out.random.nextInt(10);
        write(out, new Encoding(P66, MAP_0F38, opcode, 0, out.random.nextBoolean() ? W0 : W1));
    }

    /** Masked moves, gathers and text. */
    void masked(SnippetWriter out) {
        boolean wide = out.random.nextBoolean();
        boolean w = out.random.nextBoolean();
        switch (out.random.nextInt(6)) {
            case 0 -> {
                int opcode = 0x2C + out.random.nextInt(4);
                int mask = out.vectorRegister();
                out.vectorMemory(P66, MAP_0F38, false, wide, opcode, out.vectorRegister(), mask, 1, 0);
            }
            case 1 -> {
                int opcode = 0x8C + 2 * out.random.nextInt(2);
                out.vectorMemory(P66, MAP_0F38, w, wide, opcode, out.vectorRegister(), out.vectorRegister(), 1, 0);
            }
            case 2 -> {
                int opcode = 0x60 + out.random.nextInt(4);
                out.load(Cpu.RAX, out.random.nextInt(-20, 20));
                out.load(Cpu.RDX, out.random.nextInt(-20, 20));
                out.vector(
                        P66,
                        MAP_0F3A,
                        opcode < 0x62 && w,
                        false,
                        opcode,
                        out.vectorRegister(),
                        0,
                        out.vectorRegister());
                out.put(out.random.nextInt(128));
                out.flags(Cpu.ARITHMETIC, 0);
            }
            default -> gather(out, w, wide);
        }
    }

    private static void gather(SnippetWriter out, boolean w, boolean wide) {
        int destination = out.vectorRegister();
        int mask = destination + 1 + out.random.nextInt(15) & 15;
        int index = out.vectorRegister();
        while (index == destination || index == mask) {
            index = index + 1 & 15;
        }
        int opcode = 0x90 + out.random.nextInt(4);
        if ((opcode & 1) != 0) {
            // Indexes of 0 to 31 for quadwords, of -16 to 15 for doublewords.
            out.vector(P66, MAP_0F, false, true, 0x73, 2, index, out.vectorRegister());
            out.put(59);
        } else {
            out.vector(P66, MAP_0F, false, true, 0x72, 4, index, out.vectorRegister());
            out.put(27);
        }
        out.gather(w, wide, opcode, destination, mask, index, out.random.nextInt(4));
    }
}
