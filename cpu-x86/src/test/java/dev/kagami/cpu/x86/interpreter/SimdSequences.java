package dev.kagami.cpu.x86.interpreter;

import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F38;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F3A;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Random SSE instructions on the 16 vector registers and on aligned memory, for {@link SequenceGenerator}. */
final class SimdSequences {
    private static final int NONE = 0;
    private static final int P66 = 0x66;
    private static final int F2 = 0xF2;
    private static final int F3 = 0xF3;

    /**
     * A vector instruction with operands xmm, xmm/m128 and perhaps an immediate byte of up to {@code immediates}
     * values.
     */
    private record Encoding(int prefix, int map, int opcode, int immediates) {}

    private final List<Encoding> integer = new ArrayList<>();
    private final List<Encoding> floatingPoint = new ArrayList<>();
    private final List<Encoding> cryptography = new ArrayList<>();
    private final List<Encoding> mmx = new ArrayList<>();

    SimdSequences(Set<String> features) {
        integerOpcodes();
        floatingPointOpcodes();
        mmxOpcodes();
        if (features.contains("aes")) {
            all(cryptography, P66, MAP_0F38, 0, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF);
            all(cryptography, P66, MAP_0F3A, 256, 0xDF);
        }
        if (features.contains("pclmulqdq")) {
            all(cryptography, P66, MAP_0F3A, 256, 0x44);
        }
        if (features.contains("sha_ni")) {
            all(cryptography, NONE, MAP_0F38, 0, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD);
            all(cryptography, NONE, MAP_0F3A, 4, 0xCC);
        }
        if (features.contains("gfni")) {
            all(cryptography, P66, MAP_0F38, 0, 0xCF);
            all(cryptography, P66, MAP_0F3A, 256, 0xCE, 0xCF);
        }
    }

    private static void all(List<Encoding> list, int prefix, int map, int immediates, int... opcodes) {
        for (int opcode : opcodes) {
            list.add(new Encoding(prefix, map, opcode, immediates));
        }
    }

    private static void range(List<Encoding> list, int prefix, int map, int first, int last) {
        for (int opcode = first; opcode <= last; opcode++) {
            list.add(new Encoding(prefix, map, opcode, 0));
        }
    }

    private void integerOpcodes() {
        range(integer, P66, MAP_0F, 0x60, 0x6D);
        range(integer, P66, MAP_0F, 0x74, 0x76);
        range(integer, P66, MAP_0F, 0xD1, 0xD5);
        range(integer, P66, MAP_0F, 0xD8, 0xDF);
        range(integer, P66, MAP_0F, 0xE0, 0xE5);
        range(integer, P66, MAP_0F, 0xE8, 0xEF);
        range(integer, P66, MAP_0F, 0xF1, 0xF6);
        range(integer, P66, MAP_0F, 0xF8, 0xFE);
        all(integer, P66, MAP_0F, 256, 0x70);
        all(integer, F2, MAP_0F, 256, 0x70);
        all(integer, F3, MAP_0F, 256, 0x70);
        range(integer, P66, MAP_0F38, 0x00, 0x0B);
        range(integer, P66, MAP_0F38, 0x1C, 0x1E);
        all(integer, P66, MAP_0F38, 0, 0x10, 0x14, 0x15);
        range(integer, P66, MAP_0F38, 0x20, 0x25);
        range(integer, P66, MAP_0F38, 0x28, 0x29);
        range(integer, P66, MAP_0F38, 0x2B, 0x2B);
        range(integer, P66, MAP_0F38, 0x30, 0x35);
        range(integer, P66, MAP_0F38, 0x37, 0x41);
        all(integer, P66, MAP_0F3A, 256, 0x0C, 0x0D, 0x0E, 0x0F, 0x42);
    }

    private void floatingPointOpcodes() {
        int[] arithmetic = {0x51, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F};
        for (int prefix : new int[] {NONE, P66, F2, F3}) {
            all(floatingPoint, prefix, MAP_0F, 0, arithmetic);
            all(floatingPoint, prefix, MAP_0F, 0, 0x5A);
            all(floatingPoint, prefix, MAP_0F, 8, 0xC2);
        }
        for (int prefix : new int[] {NONE, P66}) {
            all(floatingPoint, prefix, MAP_0F, 0, 0x14, 0x15, 0x54, 0x55, 0x56, 0x57);
            all(floatingPoint, prefix, MAP_0F, 256, 0xC6);
        }
        for (int prefix : new int[] {P66, F2}) {
            all(floatingPoint, prefix, MAP_0F, 0, 0x7C, 0x7D, 0xD0, 0xE6);
        }
        all(floatingPoint, F3, MAP_0F, 0, 0xE6);
        for (int prefix : new int[] {NONE, P66, F3}) {
            all(floatingPoint, prefix, MAP_0F, 0, 0x5B);
        }
        all(floatingPoint, P66, MAP_0F3A, 16, 0x08, 0x09, 0x0A, 0x0B);
        all(floatingPoint, P66, MAP_0F3A, 256, 0x40, 0x41);
    }

    private void mmxOpcodes() {
        range(mmx, NONE, MAP_0F, 0x60, 0x6B);
        range(mmx, NONE, MAP_0F, 0x74, 0x76);
        range(mmx, NONE, MAP_0F, 0xD1, 0xD5);
        range(mmx, NONE, MAP_0F, 0xD8, 0xDF);
        range(mmx, NONE, MAP_0F, 0xE0, 0xE5);
        range(mmx, NONE, MAP_0F, 0xE8, 0xEF);
        range(mmx, NONE, MAP_0F, 0xF1, 0xF6);
        range(mmx, NONE, MAP_0F, 0xF8, 0xFE);
        all(mmx, NONE, MAP_0F, 256, 0x70);
        range(mmx, NONE, MAP_0F38, 0x00, 0x0B);
        range(mmx, NONE, MAP_0F38, 0x1C, 0x1E);
        all(mmx, NONE, MAP_0F3A, 256, 0x0F);
    }

    /**
     * The same on the eight MMX registers, with 8 bytes of memory, and conversions between them and vector registers.
     */
    void mmx(SnippetWriter out) {
        int mm = out.random.nextInt(8);
        switch (out.random.nextInt(10)) {
            case 0 -> {
                boolean w = out.random.nextBoolean();
                out.registers(NONE, w, false, MAP_0F, out.random.nextBoolean() ? 0x6E : 0x7E, mm, out.register());
            }
            case 1 -> out.memory(NONE, false, false, MAP_0F, out.random.nextBoolean() ? 0x6F : 0x7F, mm, 8, 1, 0);
            case 2 -> {
                int opcode = 0x71 + out.random.nextInt(3);
                int group = opcode == 0x73 || out.random.nextBoolean() ? 2 : 4;
                out.registers(NONE, false, false, MAP_0F, opcode, out.chance(3) ? 6 : group, mm);
                out.put(out.random.nextInt(out.chance(4) ? 256 : 66));
            }
            case 3 -> {
                if (out.chance(2)) {
                    out.put(0x0F, 0x77); // EMMS
                } else {
                    out.registers(NONE, false, false, MAP_0F, 0xD7, out.register(), mm);
                }
            }
            case 4 -> {
                // CVTPI2PS and CVTPI2PD, and back with truncation or rounding.
                int prefix = out.random.nextBoolean() ? P66 : NONE;
                int opcode = 0x2A + 2 * out.random.nextInt(2);
                opcode += opcode == 0x2C ? out.random.nextInt(2) : 0;
                boolean toVector = opcode == 0x2A;
                int reg = toVector ? out.vectorRegister() : mm;
                out.registers(prefix, false, false, MAP_0F, opcode, reg, toVector ? mm : out.vectorRegister());
            }
            case 5 -> {
                if (out.random.nextBoolean()) {
                    out.registers(F3, false, false, MAP_0F, 0xD6, out.vectorRegister(), mm); // MOVQ2DQ
                } else {
                    out.registers(F2, false, false, MAP_0F, 0xD6, mm, out.vectorRegister()); // MOVDQ2Q
                }
            }
            case 6 -> {
                if (out.random.nextBoolean()) {
                    out.registers(NONE, false, false, MAP_0F, 0xC4, mm, out.register());
                } else {
                    out.registers(NONE, false, false, MAP_0F, 0xC5, out.register(), mm);
                }
                out.put(out.random.nextInt(256));
            }
            default -> {
                Encoding encoding = any(out, mmx);
                int immediateSize = encoding.immediates == 0 ? 0 : 1;
                if (out.chance(3)) {
                    out.memory(NONE, false, false, encoding.map, encoding.opcode, mm, 8, 1, immediateSize);
                } else {
                    out.registers(NONE, false, false, encoding.map, encoding.opcode, mm, out.random.nextInt(8));
                }
                if (immediateSize != 0) {
                    out.put(out.random.nextInt(encoding.immediates));
                }
            }
        }
    }

    private static void write(SnippetWriter out, Encoding encoding) {
        int immediateSize = encoding.immediates == 0 ? 0 : 1;
        int reg = out.vectorRegister();
        if (out.chance(3)) {
            out.memory(encoding.prefix, false, false, encoding.map, encoding.opcode, reg, 16, 16, immediateSize);
        } else {
            out.registers(encoding.prefix, false, false, encoding.map, encoding.opcode, reg, out.vectorRegister());
        }
        if (immediateSize != 0) {
            out.put(out.random.nextInt(encoding.immediates));
        }
    }

    private static <T> T any(SnippetWriter out, List<T> list) {
        return list.get(out.random.nextInt(list.size()));
    }

    void integer(SnippetWriter out) {
        switch (out.random.nextInt(8)) {
            case 0 -> {
                // Shifts by a constant.
                int opcode = 0x71 + out.random.nextInt(3);
                int[] groups = opcode == 0x73 ? new int[] {2, 3, 6, 7} : new int[] {2, 4, 6};
                int group = groups[out.random.nextInt(groups.length)];
                out.registers(P66, false, false, MAP_0F, opcode, group, out.vectorRegister());
                out.put(out.random.nextInt(out.chance(4) ? 256 : 66));
            }
            case 1 -> {
                // PTEST.
                out.registers(P66, false, false, MAP_0F38, 0x17, out.vectorRegister(), out.vectorRegister());
                out.flags(Cpu.ARITHMETIC, 0);
            }
            default -> write(out, any(out, integer));
        }
    }

    void cryptography(SnippetWriter out) {
        if (cryptography.isEmpty()) {
            integer(out);
        } else {
            write(out, any(out, cryptography));
        }
    }

    /** Between vector registers, general registers and memory. */
    void move(SnippetWriter out) {
        int xmm = out.vectorRegister();
        boolean w = out.random.nextBoolean();
        switch (out.random.nextInt(14)) {
            case 12 -> {
                // LDDQU, MOVUPS and MOVDQU at any address; MOVNTDQA, MOVNTDQ and MOVNTPS at aligned ones.
                switch (out.random.nextInt(5)) {
                    case 0 -> out.memory(F2, false, false, MAP_0F, 0xF0, xmm, 16, 1, 0);
                    case 1 -> out.memory(NONE, false, false, MAP_0F, 0x10 + out.random.nextInt(2), xmm, 16, 1, 0);
                    case 2 -> out.memory(F3, false, false, MAP_0F, w ? 0x6F : 0x7F, xmm, 16, 1, 0);
                    case 3 -> out.memory(P66, false, false, MAP_0F38, 0x2A, xmm, 16, 16, 0);
                    default -> out.memory(w ? P66 : NONE, false, false, MAP_0F, w ? 0xE7 : 0x2B, xmm, 16, 16, 0);
                }
            }
            case 13 -> {
                // MASKMOVDQU stores at rdi.
                out.load(Cpu.RDI, MachineState.DATA + out.random.nextInt(0x40, 0x3C0));
                out.registers(P66, false, false, MAP_0F, 0xF7, xmm, out.vectorRegister());
            }
            case 0 -> out.registers(P66, w, false, MAP_0F, out.random.nextBoolean() ? 0x6E : 0x7E, xmm, out.register());
            case 1 -> {
                int[] opcodes = {0x10, 0x11, 0x28, 0x29};
                int prefix = out.random.nextBoolean() ? P66 : NONE;
                int opcode = opcodes[out.random.nextInt(opcodes.length)];
                out.memory(prefix, false, false, MAP_0F, opcode, xmm, 16, 16, 0);
            }
            case 2 -> {
                int prefix = out.random.nextBoolean() ? F2 : F3;
                int opcode = out.random.nextBoolean() ? 0x10 : 0x11;
                if (out.random.nextBoolean()) {
                    out.registers(prefix, false, false, MAP_0F, opcode, xmm, out.vectorRegister());
                } else {
                    out.memory(prefix, false, false, MAP_0F, opcode, xmm, 8, 1, 0);
                }
            }
            case 3 -> {
                int[] opcodes = {0x12, 0x13, 0x16, 0x17};
                int prefix = out.random.nextBoolean() ? P66 : NONE;
                int opcode = opcodes[out.random.nextInt(opcodes.length)];
                out.memory(prefix, false, false, MAP_0F, opcode, xmm, 8, 1, 0);
            }
            case 4 -> {
                int[] prefixes = {F2, F3, NONE};
                int prefix = prefixes[out.random.nextInt(3)];
                int opcode = prefix == F2 || out.random.nextBoolean() ? 0x12 : 0x16;
                out.registers(prefix, false, false, MAP_0F, opcode, xmm, out.vectorRegister());
            }
            case 5 ->
                out.registers(out.random.nextBoolean() ? P66 : NONE, false, false, MAP_0F, 0x50, out.register(), xmm);
            case 6 -> out.registers(P66, false, false, MAP_0F, 0xD7, out.register(), xmm);
            case 7 -> {
                boolean insert = out.random.nextBoolean();
                out.registers(
                        P66,
                        false,
                        false,
                        MAP_0F,
                        insert ? 0xC4 : 0xC5,
                        insert ? xmm : out.register(),
                        insert ? out.register() : xmm);
                out.put(out.random.nextInt(256));
            }
            case 8 -> {
                int[] opcodes = {0x14, 0x15, 0x16, 0x17, 0x20, 0x22};
                int opcode = opcodes[out.random.nextInt(opcodes.length)];
                boolean wide = w && (opcode == 0x16 || opcode == 0x22);
                if (out.random.nextBoolean()) {
                    out.registers(P66, wide, false, MAP_0F3A, opcode, xmm, out.register());
                } else {
                    out.memory(P66, wide, false, MAP_0F3A, opcode, xmm, 8, 1, 1);
                }
                out.put(out.random.nextInt(256));
            }
            case 9 -> {
                if (out.random.nextBoolean()) {
                    out.registers(P66, false, false, MAP_0F3A, 0x21, xmm, out.vectorRegister());
                } else {
                    out.memory(P66, false, false, MAP_0F3A, 0x21, xmm, 4, 1, 1);
                }
                out.put(out.random.nextInt(256));
            }
            case 10 -> {
                int prefix = out.random.nextBoolean() ? P66 : F3;
                int opcode = prefix == P66 ? 0xD6 : 0x7E;
                if (out.random.nextBoolean()) {
                    out.registers(prefix, false, false, MAP_0F, opcode, xmm, out.vectorRegister());
                } else {
                    out.memory(prefix, false, false, MAP_0F, opcode, xmm, 8, 1, 0);
                }
            }
            default -> {
                int prefix = out.random.nextBoolean() ? P66 : F3;
                int opcode = out.random.nextBoolean() ? 0x6F : 0x7F;
                out.memory(prefix, false, false, MAP_0F, opcode, xmm, 16, 16, 0);
            }
        }
    }

    void floatingPoint(SnippetWriter out) {
        int prefix = out.random.nextBoolean() ? F2 : F3;
        boolean w = out.random.nextBoolean();
        switch (out.random.nextInt(8)) {
            case 0 -> {
                // From integers.
                if (out.random.nextBoolean()) {
                    out.registers(prefix, w, false, MAP_0F, 0x2A, out.vectorRegister(), out.register());
                } else {
                    out.memory(prefix, w, false, MAP_0F, 0x2A, out.vectorRegister(), 8, 1, 0);
                }
            }
            case 1 -> {
                int opcode = out.random.nextBoolean() ? 0x2C : 0x2D;
                if (out.random.nextBoolean()) {
                    out.registers(prefix, w, false, MAP_0F, opcode, out.register(), out.vectorRegister());
                } else {
                    out.memory(prefix, w, false, MAP_0F, opcode, out.register(), 8, 1, 0);
                }
            }
            case 2 -> {
                int opcode = out.random.nextBoolean() ? 0x2E : 0x2F;
                int width = out.random.nextBoolean() ? P66 : NONE;
                out.registers(width, false, false, MAP_0F, opcode, out.vectorRegister(), out.vectorRegister());
                out.flags(Cpu.ARITHMETIC, 0);
            }
            default -> write(out, any(out, floatingPoint));
        }
    }

    /** PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI. */
    void text(SnippetWriter out) {
        int opcode = 0x60 + out.random.nextInt(4);
        boolean w = opcode < 0x62 && out.random.nextBoolean();
        out.load(Cpu.RAX, out.random.nextInt(-20, 20));
        out.load(Cpu.RDX, out.random.nextInt(-20, 20));
        if (out.chance(3)) {
            out.memory(P66, w, false, MAP_0F3A, opcode, out.vectorRegister(), 16, 1, 1);
        } else {
            out.registers(P66, w, false, MAP_0F3A, opcode, out.vectorRegister(), out.vectorRegister());
        }
        out.put(out.random.nextInt(128));
        out.flags(Cpu.ARITHMETIC, 0);
    }
}
