package dev.kagami.cpu.x86.interpreter;

import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_PRIMARY;

/**
 * Random x87 instructions, for {@link SequenceGenerator}. Leaves out what no two processors do alike: the
 * transcendental functions, and the instruction and data pointers.
 */
final class X87Sequences {
    private static final int C0 = 0x100;
    private static final int C1 = 0x200;
    private static final int C2 = 0x400;
    private static final int C3 = 0x4000;
    private static final int CONDITIONS = C0 | C1 | C2 | C3;

    /** What arithmetic leaves undefined (SDM 1 8.1.3.3). */
    private static final int ARITHMETIC_UNDEFINED = C0 | C2 | C3;

    void write(SnippetWriter out) {
        switch (out.random.nextInt(12)) {
            case 0, 1 -> load(out);
            case 2 -> store(out);
            case 3, 4 -> arithmetic(out);
            case 5 -> memoryArithmetic(out);
            case 6 -> integers(out);
            case 7 -> compare(out);
            case 8 -> function(out);
            case 9 -> control(out);
            case 10 -> conditionalMove(out);
            default -> registers(out);
        }
    }

    private static void memory(SnippetWriter out, int opcode, int group, int size) {
        out.memory(0, false, false, MAP_PRIMARY, opcode, group, size, 1, 0);
    }

    private static void undefine(SnippetWriter out) {
        out.status(C1, ARITHMETIC_UNDEFINED);
    }

    private void load(SnippetWriter out) {
        switch (out.random.nextInt(5)) {
            case 0 -> memory(out, 0xD9, 0, 4);
            case 1 -> memory(out, 0xDD, 0, 8);
            case 2 -> memory(out, 0xDB, 5, 10);
            case 3 -> {
                // When the source is empty and the stack full, processors differ in which of the two C1 tells.
                out.put(0xD9, 0xC0 | out.random.nextInt(8));
                out.status(0, CONDITIONS);
                return;
            }
            default -> out.put(0xD9, 0xE8 + out.random.nextInt(7)); // constants
        }
        undefine(out);
    }

    private void store(SnippetWriter out) {
        switch (out.random.nextInt(6)) {
            case 0 -> memory(out, 0xD9, 2, 4);
            case 1 -> memory(out, 0xD9, 3, 4);
            case 2 -> memory(out, 0xDD, 2, 8);
            case 3 -> memory(out, 0xDD, 3, 8);
            case 4 -> memory(out, 0xDB, 7, 10);
            default -> out.put(0xDD, (out.random.nextBoolean() ? 0xD0 : 0xD8) | out.random.nextInt(8));
        }
        undefine(out);
    }

    private static int arithmeticGroup(SnippetWriter out) {
        int[] groups = {0, 1, 4, 5, 6, 7};
        return groups[out.random.nextInt(groups.length)];
    }

    private void arithmetic(SnippetWriter out) {
        int[] opcodes = {0xD8, 0xDC, 0xDE};
        out.put(opcodes[out.random.nextInt(opcodes.length)], 0xC0 | arithmeticGroup(out) << 3 | out.random.nextInt(8));
        undefine(out);
    }

    private void memoryArithmetic(SnippetWriter out) {
        int group = arithmeticGroup(out);
        switch (out.random.nextInt(4)) {
            case 0 -> memory(out, 0xD8, group, 4);
            case 1 -> memory(out, 0xDC, group, 8);
            case 2 -> memory(out, 0xDA, group, 4);
            default -> memory(out, 0xDE, group, 2);
        }
        undefine(out);
    }

    private void integers(SnippetWriter out) {
        switch (out.random.nextInt(12)) {
            case 0 -> memory(out, 0xDB, 0, 4);
            case 1 -> memory(out, 0xDF, 0, 2);
            case 2 -> memory(out, 0xDF, 5, 8);
            case 3 -> memory(out, 0xDB, 2, 4);
            case 4 -> memory(out, 0xDB, 3, 4);
            case 5 -> memory(out, 0xDF, 2, 2);
            case 6 -> memory(out, 0xDF, 3, 2);
            case 7 -> memory(out, 0xDF, 7, 8);
            case 8 -> memory(out, 0xDB, 1, 4); // FISTTP
            case 9 -> memory(out, 0xDF, 1, 2);
            case 10 -> memory(out, 0xDD, 1, 8);
            default -> memory(out, 0xDF, 6, 10); // FBSTP
        }
        undefine(out);
    }

    private void compare(SnippetWriter out) {
        int i = out.random.nextInt(8);
        switch (out.random.nextInt(9)) {
            case 0 -> out.put(0xD8, (out.random.nextBoolean() ? 0xD0 : 0xD8) | i);
            case 1 -> out.put(0xDD, (out.random.nextBoolean() ? 0xE0 : 0xE8) | i);
            case 2 -> out.put(0xDE, 0xD9); // FCOMPP
            case 3 -> out.put(0xDA, 0xE9); // FUCOMPP
            case 4 -> memory(out, 0xD8, 2 + out.random.nextInt(2), 4);
            case 5 -> memory(out, 0xDC, 2 + out.random.nextInt(2), 8);
            case 6 -> memory(out, 0xDA, 2 + out.random.nextInt(2), 4);
            case 7 -> out.put(0xD9, 0xE4); // FTST
            default -> {
                int[] opcodes = {0xDB, 0xDF};
                // FCOMI, FUCOMI and their popping forms: some processors leave OF, SF, AF and C1 as they were.
                out.put(opcodes[out.random.nextInt(2)], (out.random.nextBoolean() ? 0xE8 : 0xF0) | i);
                out.flags(Cpu.ZF | Cpu.PF | Cpu.CF, Cpu.OF | Cpu.SF | Cpu.AF);
                out.status(0, CONDITIONS);
                return;
            }
        }
        out.status(CONDITIONS, 0);
    }

    private void function(SnippetWriter out) {
        switch (out.random.nextInt(8)) {
            case 0 -> out.put(0xD9, 0xE0); // FCHS
            case 1 -> out.put(0xD9, 0xE1); // FABS
            case 2 -> out.put(0xD9, 0xFA); // FSQRT
            case 3 -> out.put(0xD9, 0xFC); // FRNDINT
            case 4 -> out.put(0xD9, 0xFD); // FSCALE
            case 5 -> out.put(0xD9, 0xF4); // FXTRACT
            default -> {
                out.put(0xD9, 0xE5); // FXAM
                out.status(CONDITIONS, 0);
                return;
            }
        }
        undefine(out);
    }

    private void control(SnippetWriter out) {
        switch (out.random.nextInt(5)) {
            case 0 -> {
                out.put(0xDB, 0xE3); // FNINIT
                out.status(CONDITIONS, 0);
            }
            case 1 -> {
                out.put(0xDB, 0xE2); // FNCLEX
                out.status(0, CONDITIONS);
            }
            case 2 -> memory(out, 0xD9, 7, 2); // FNSTCW
            case 3 -> {
                // A control word with all exceptions masked; precision 1 is reserved.
                int[] precisions = {0, 2, 3};
                int word = 0x7F | precisions[out.random.nextInt(3)] << 8 | out.random.nextInt(4) << 10;
                int target = out.random.nextInt(0x40, 0x3C0);
                out.put(0x66, 0xC7, 0x04, 0x25);
                out.little(MachineState.DATA + target, 4);
                out.little(word, 2);
                out.put(0xD9, 0x2C, 0x25);
                out.little(MachineState.DATA + target, 4);
                out.status(0, CONDITIONS);
            }
            default -> {
                if (out.undefinedStatus() != 0) {
                    out.put(0xD9, 0xE5); // FXAM defines all that may be undefined
                    out.status(CONDITIONS, 0);
                }
                if (out.random.nextBoolean()) {
                    out.put(0xDF, 0xE0); // FNSTSW AX
                } else {
                    memory(out, 0xDD, 7, 2);
                }
            }
        }
    }

    private void conditionalMove(SnippetWriter out) {
        out.needFlags(Cpu.CF | Cpu.ZF | Cpu.PF);
        out.put(out.random.nextBoolean() ? 0xDA : 0xDB, 0xC0 | out.random.nextInt(4) << 3 | out.random.nextInt(8));
        // Only a stack underflow is said to change C1.
        out.status(0, CONDITIONS);
    }

    private void registers(SnippetWriter out) {
        int i = out.random.nextInt(8);
        switch (out.random.nextInt(5)) {
            case 0, 1 -> out.put(0xD9, 0xC8 | i); // FXCH
            case 2 -> {
                out.put(0xDD, 0xC0 | i); // FFREE
                out.status(0, CONDITIONS);
                return;
            }
            case 3 -> out.put(0xD9, 0xF6); // FDECSTP
            default -> out.put(0xD9, 0xF7); // FINCSTP
        }
        undefine(out);
    }
}
