package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.EvexForm.Operand;
import dev.kagami.cpu.x86.decode.Instruction;
import java.util.List;
import java.util.Set;

/** Writes random AVX-512 instructions: fields at random until a decoder takes them. */
final class EvexSequences {
    /** What the host must have for all of them. */
    static final Set<String> FEATURES = Set.of(
            "avx512f",
            "avx512cd",
            "avx512bw",
            "avx512dq",
            "avx512vl",
            "avx512ifma",
            "avx512vbmi",
            "avx512_vbmi2",
            "avx512_vnni",
            "avx512_bitalg",
            "avx512_vpopcntdq",
            "gfni",
            "vaes",
            "vpclmulqdq");

    /** Farthest that operands are from the base register. */
    private static final int REACH = 0x100;

    private static final int MARGIN = 0x40;
    private static final int MAX_TRIES = 10_000;

    /** Those whose results differ between processors are left out. */
    private static final List<EvexEncoding> ENCODINGS = EvexEncoding.all().stream()
            .filter(encoding -> !encoding.form().name.startsWith("vrcp14")
                    && !encoding.form().name.startsWith("vrsqrt14"))
            .toList();

    private final Decoder decoder = new Decoder();
    private final Instruction in = new Instruction();

    /** {@return the instructions that {@link #write(SnippetWriter, EvexEncoding)} takes} */
    static List<EvexEncoding> encodings() {
        return ENCODINGS;
    }

    /** Writes any instruction. */
    void write(SnippetWriter out) {
        write(out, ENCODINGS.get(out.random.nextInt(ENCODINGS.size())));
    }

    /** Writes an instruction with random operands; before a gather or scatter, one that makes its indexes small. */
    void write(SnippetWriter out, EvexEncoding encoding) {
        EvexForm form = encoding.form();
        int index = out.random.nextInt(32);
        if (form.indexed) {
            boolean wide = (encoding.opcode() & 1) != 0;
            // VPSRLQ by 59 leaves 0 to 31, VPSRAD by 27 leaves -16 to 15.
            int from = out.random.nextInt(32);
            int group = wide ? 2 : 4;
            escape(out, 1, 1, wide, group, index, (from & 16) != 0, (from & 8) != 0, 2 << 5);
            out.put(wide ? 0x73 : 0x72, 0xC0 | group << 3 | from & 7, wide ? 59 : 27);
        }
        for (int i = 0; i < MAX_TRIES; i++) {
            SnippetWriter trial = new SnippetWriter(out.random);
            attempt(trial, out.length(), encoding, index);
            byte[] code = trial.code();
            if (decoder.decode(code, 0, code.length, 64, in) == Decoder.OK && in.length == code.length) {
                for (byte b : code) {
                    out.put(b);
                }
                if (form.name.contains("comis")) {
                    out.flags(Cpu.ARITHMETIC, 0);
                }
                return;
            }
        }
        throw new AssertionError("no encoding of " + encoding);
    }

    /** {@return whether the last instruction written suppresses all floating-point exceptions} */
    boolean suppresses() {
        EvexForm form = in.evex;
        return form != null && form.suppresses && form.roundsStatically(in);
    }

    /** Writes one that may not exist. */
    private static void attempt(SnippetWriter out, int position, EvexEncoding encoding, int index) {
        EvexForm form = encoding.form();
        boolean memory = !form.registerOnly && (form.memoryOnly || out.chance(3));
        int reg = register(out, form.reg, encoding.group());
        int vvvv = form.vvvv == Operand.NONE ? form.indexed ? index & 16 : 0 : register(out, form.vvvv, 0);
        int opmask = form.plain || out.chance(3) ? 0 : out.random.nextInt(8);
        boolean zeroing = opmask != 0 && out.random.nextBoolean();
        int length = out.random.nextInt(4);
        boolean broadcast = out.chance(3);
        int immediate = encoding.hasImmediate() ? 1 : 0;
        int last = (zeroing ? 0x80 : 0) | length << 5 | (broadcast ? 0x10 : 0) | opmask;
        if (memory) {
            memory(out, position, encoding, reg, vvvv, last, index, immediate);
        } else {
            int rm = register(out, form.rm, 0);
            bytes(out, encoding, reg, vvvv, rm, last);
            out.put(0xC0 | (reg & 7) << 3 | rm & 7);
        }
        if (immediate != 0) {
            out.put(out.random.nextInt(out.chance(3) ? 256 : 66));
        }
    }

    private static int register(SnippetWriter out, Operand operand, int group) {
        return switch (operand) {
            case VECTOR -> out.random.nextInt(32);
            case MASK -> out.random.nextInt(8);
            case GENERAL -> out.register();
            case OPCODE -> group;
            case NONE -> 0;
        };
    }

    private static void bytes(SnippetWriter out, EvexEncoding encoding, int reg, int vvvv, int rm, int last) {
        escape(out, encoding.map(), encoding.pp(), encoding.w(), reg, vvvv, (rm & 16) != 0, (rm & 8) != 0, last);
        out.put(encoding.opcode());
    }

    private static void escape(
            SnippetWriter out, int map, int pp, boolean w, int reg, int vvvv, boolean x, boolean b, int last) {
        out.put(
                0x62,
                ((reg & 8) == 0 ? 0x80 : 0) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | ((reg & 16) == 0 ? 0x10 : 0) | map,
                (w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | pp,
                last | ((vvvv & 16) == 0 ? 8 : 0));
    }

    private static void memory(
            SnippetWriter out,
            int position,
            EvexEncoding encoding,
            int reg,
            int vvvv,
            int last,
            int index,
            int immediate) {
        EvexForm form = encoding.form();
        int low = (reg & 7) << 3;
        if (form.indexed) {
            escape(out, encoding.map(), encoding.pp(), encoding.w(), reg, vvvv, (index & 8) != 0, true, last);
            out.put(encoding.opcode(), 0x44 | low, out.random.nextInt(4) << 6 | (index & 7) << 3 | base());
            out.put(out.random.nextInt(-8, 8));
            return;
        }
        int target = out.random.nextInt(MARGIN, MachineState.DATA_SIZE - 2 * MARGIN) & (form.aligned ? -64 : -1);
        switch (out.random.nextInt(form.aligned ? 2 : 4)) {
            case 0 -> {
                escape(out, encoding.map(), encoding.pp(), encoding.w(), reg, vvvv, false, false, last);
                out.put(encoding.opcode(), low | 4, 0x25);
                out.little(MachineState.DATA + target, 4);
            }
            case 1 -> {
                escape(out, encoding.map(), encoding.pp(), encoding.w(), reg, vvvv, false, false, last);
                out.put(encoding.opcode(), low | 5);
                long behind = MachineState.CODE + position + out.length() + 4 + immediate;
                out.little(MachineState.DATA + target - behind, 4);
            }
            case 2 -> {
                escape(out, encoding.map(), encoding.pp(), encoding.w(), reg, vvvv, false, true, last);
                out.put(encoding.opcode(), 0x80 | low | base());
                out.little(out.random.nextInt(-REACH, REACH), 4);
            }
            default -> {
                escape(out, encoding.map(), encoding.pp(), encoding.w(), reg, vvvv, false, true, last);
                // Whatever it is multiplied by.
                out.put(encoding.opcode(), 0x40 | low | base(), out.random.nextInt(-4, 5));
            }
        }
    }

    private static int base() {
        return RandomState.BASE_REGISTER & 7;
    }

    /** Writes an instruction on opmask registers. */
    void opmask(SnippetWriter out) {
        int[] opcodes = {
            0x41, 0x42, 0x44, 0x45, 0x46, 0x47, 0x4A, 0x4B, 0x90, 0x91, 0x92, 0x93, 0x98, 0x99, 0x130, 0x131, 0x132,
            0x133
        };
        int opcode = opcodes[out.random.nextInt(opcodes.length)];
        boolean shift = opcode > 0xFF;
        boolean memory = opcode == 0x91 || opcode == 0x90 && out.random.nextBoolean();
        boolean toGeneral = opcode == 0x93;
        boolean fromGeneral = opcode == 0x92;
        boolean three = opcode < 0x90 && opcode != 0x44;
        int general = out.register();
        int reg = toGeneral ? general : out.random.nextInt(8);
        int rm = fromGeneral ? general : out.random.nextInt(8);
        int kind = out.random.nextInt(opcode == 0x4B ? 3 : 4);
        boolean w;
        int pp;
        if (shift) {
            pp = Instruction.PP_66;
            w = (kind & 1) != 0;
        } else if (toGeneral || fromGeneral) {
            pp = kind == 0 ? Instruction.PP_NONE : kind == 1 ? Instruction.PP_66 : Instruction.PP_F2;
            w = kind == 3;
        } else {
            // Words, bytes, quadwords and doublewords.
            pp = (kind & 1) != 0 ? Instruction.PP_66 : Instruction.PP_NONE;
            w = kind >= 2;
        }
        int map = shift ? SnippetWriter.MAP_0F3A : SnippetWriter.MAP_0F;
        if (memory) {
            out.vexMemory(pp, map, w, opcode, reg, 0);
        } else {
            out.vector(pp, map, w, three, opcode & 0xFF, reg, three ? out.random.nextInt(8) : 0, rm);
        }
        if (shift) {
            out.put(out.random.nextInt(70));
        }
        if (opcode == 0x98 || opcode == 0x99) {
            out.flags(Cpu.ARITHMETIC, 0);
        }
    }
}
