package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Runs every opcode with every combination of prefixes and kinds of operands in translated code. An encoding that the
 * host's processor refuses, where the interpreter raises an exception or knows the instruction, would end the JVM. {@code
 * -Dkagami.encodings=N} chooses one in N by chance.
 */
class EveryEncodingTest {
    private static final int ONE_IN = Integer.getInteger("kagami.encodings", 1);
    private static final int MAX_REPORTED = 10;

    private static final int[][] PREFIXES = {{}, {0x66}, {0xF3}, {0xF2}, {0x66, 0xF3}, {0x66, 0xF2}, {0xF0}, {0x67}};
    private static final int[] NO_REX = {};
    private static final int[][] REX = {NO_REX, {0x48}, {0x4F}};
    private static final int[][] MAPS = {{}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};

    /** ModRM bytes: each register field with a register and with memory at rbx. */
    private static final int[] REGISTER_AND_MEMORY = {0xC2, 0x03};

    private static final int VEX_MAPS = 3;
    private static final int LONGEST = 15;

    /** More than any instruction writes from where a register points. */
    private static final int CODE_BYTES = 8192;

    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();

    /** {@return whether an instruction branches, or changes more of the CPU than the next snippet sets anew} */
    private boolean leavesTheSnippet() {
        int opcode = instruction.opcode;
        int group = instruction.group();
        if (instruction.encoding != Instruction.ENCODING_LEGACY) {
            return false;
        }
        return switch (instruction.map) {
            case Instruction.MAP_PRIMARY ->
                switch (opcode) {
                    case 0x8E, 0x9D, 0xC2, 0xC3, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF -> true;
                    case 0xE0, 0xE1, 0xE2, 0xE3, 0xE8, 0xE9, 0xEB, 0xF1 -> true;
                    case 0xC7 -> group == 7;
                    case 0xFF -> group >= 2 && group <= 5;
                    default -> opcode >= 0x70 && opcode <= 0x7F;
                };
            case Instruction.MAP_0F ->
                switch (opcode) {
                    case 0x00, 0x01, 0x05, 0x07, 0x34, 0x35, 0xA1, 0xA9, 0xB2, 0xB4, 0xB5, 0xAE -> true;
                    default -> opcode >= 0x80 && opcode <= 0x8F;
                };
            default -> false;
        };
    }

    private static byte[] join(int[]... parts) {
        byte[] bytes = new byte[LONGEST];
        int i = 0;
        for (int[] part : parts) {
            for (int b : part) {
                bytes[i++] = (byte) b;
            }
        }
        return bytes;
    }

    private List<byte[]> encodings(SplittableRandom random) {
        List<byte[]> all = new ArrayList<>();
        for (int opcode = 0; opcode < 256; opcode++) {
            for (int field = 0; field < 8; field++) {
                for (int modrm : REGISTER_AND_MEMORY) {
                    int[] operand = {modrm | field << 3};
                    for (int[] map : MAPS) {
                        for (int[] prefix : PREFIXES) {
                            for (int[] rex : REX) {
                                add(all, random, join(prefix, rex, map, new int[] {opcode}, operand));
                            }
                        }
                    }
                    vex(all, random, opcode, operand);
                }
            }
        }
        evex(all, random);
        return all;
    }

    private void vex(List<byte[]> all, SplittableRandom random, int opcode, int[] operand) {
        for (int map = 1; map <= VEX_MAPS; map++) {
            for (int bits = 0; bits < 32; bits++) {
                // W, vvvv (inverted: none or 3), L and pp.
                int last = (bits & 16) << 3 | ((bits & 8) == 0 ? 15 : 12) << 3 | bits & 7;
                add(all, random, join(new int[] {0xC4, 0xE0 | map, last, opcode}, operand));
            }
        }
    }

    private void evex(List<byte[]> all, SplittableRandom random) {
        for (EvexEncoding encoding : EvexEncoding.all()) {
            for (int modrm : REGISTER_AND_MEMORY) {
                int[] operand = {modrm | encoding.group() << 3};
                for (int bits = 0; bits < 128; bits++) {
                    // vvvv (inverted: none or 3, or none or 19), V', z, L'L, b and the opmask, k0 or k1.
                    int vvvv = (bits & 64) == 0 ? 15 : 12;
                    int second = (encoding.w() ? 0x80 : 0) | vvvv << 3 | 4 | encoding.pp();
                    int third = (bits & 32) << 2 | (bits & 24) << 2 | (bits & 4) << 2 | (bits & 2) << 2 | bits & 1;
                    add(
                            all,
                            random,
                            join(new int[] {0x62, 0xF0 | encoding.map(), second, third, encoding.opcode()}, operand));
                }
            }
        }
    }

    private void add(List<byte[]> all, SplittableRandom random, byte[] bytes) {
        if (random.nextInt(ONE_IN) == 0
                && decoder.decode(bytes, 0, LONGEST, 64, instruction) == Decoder.OK
                && !leavesTheSnippet()) {
            all.add(Arrays.copyOf(bytes, instruction.length));
        }
    }

    /** Makes no register point to the snippet, which would be another one when it has written there. */
    private static void leaveTheCode(long[] registers) {
        for (int i = 0; i < registers.length; i++) {
            if (Math.abs(registers[i] - MachineState.CODE) < CODE_BYTES) {
                registers[i] = MachineState.DATA;
            }
        }
    }

    @Test
    void prefixesMakeNothingElseOfNop() {
        try (SnippetMachine translator = new SnippetMachine(NativeVcpus::eager)) {
            for (int[] prefixes : PREFIXES) {
                byte[] code = join(prefixes, new int[] {0x90});
                MachineState state = new MachineState();
                MachineState before = new MachineState();
                before.copyFrom(state);
                translator.runBlocks(state, Arrays.copyOf(code, prefixes.length + 1));
                assertThat(state.gpr).as(HexFormat.of().formatHex(code)).isEqualTo(before.gpr);
            }
        }
    }

    @Test
    void noEncodingIsRefusedByTheHost() {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        System.out.println("seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        List<String> failures = new ArrayList<>();
        List<byte[]> encodings = encodings(random);
        RecordedVector vector = new RecordedVector();
        MachineState expected = new MachineState();
        MachineState actual = new MachineState();
        try (SnippetMachine interpreter = new SnippetMachine();
                SnippetMachine translator = new SnippetMachine(NativeVcpus::eager)) {
            for (byte[] code : encodings) {
                vector.randomInput(random.nextLong());
                leaveTheCode(vector.input.gpr);
                expected.copyFrom(vector.input);
                actual.copyFrom(vector.input);
                interpreter.runBlocks(expected, code);
                translator.runBlocks(actual, code);
                if (actual.exception != expected.exception && failures.size() < MAX_REPORTED) {
                    failures.add("%s: exception %d, not %d"
                            .formatted(HexFormat.of().formatHex(code), actual.exception, expected.exception));
                }
            }
        }
        assertThat(failures).as("seed %d", seed).isEmpty();
        assertThat(encodings).hasSizeGreaterThan(1000);
    }
}
