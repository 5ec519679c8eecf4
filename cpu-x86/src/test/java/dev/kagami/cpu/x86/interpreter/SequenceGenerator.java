package dev.kagami.cpu.x86.interpreter;

import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F38;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_0F3A;
import static dev.kagami.cpu.x86.interpreter.SnippetWriter.MAP_PRIMARY;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Makes random instruction sequences that can run on a real processor without raising a signal, and knows which flags
 * are undefined behind them (SDM 2, "Flags Affected" of each instruction).
 */
final class SequenceGenerator {
    /** One kind of instructions. */
    private record Family(String name, Runnable writer) {}

    private static final int CF = Cpu.CF;
    private static final int PF = Cpu.PF;
    private static final int AF = Cpu.AF;
    private static final int ZF = Cpu.ZF;
    private static final int SF = Cpu.SF;
    private static final int OF = Cpu.OF;
    private static final int ALL = Cpu.ARITHMETIC;

    private SplittableRandom random = new SplittableRandom(0);
    private SnippetWriter out = new SnippetWriter(random);
    private final List<Family> families = new ArrayList<>();

    /**
     * Creates a generator.
     *
     * @param features host processor features, as the kernel names them, that instructions may use
     */
    SequenceGenerator(Set<String> features) {
        add(4, "alu", this::arithmetic);
        add(1, "unary", this::unary);
        add(2, "mov", this::move);
        add(1, "extend", this::extend);
        add(1, "lea", this::loadAddress);
        add(1, "exchange", this::exchange);
        add(1, "condition", this::conditional);
        add(1, "flag", this::flagInstruction);
        add(2, "shift", this::shift);
        add(1, "shiftdouble", this::shiftDouble);
        add(1, "multiply", this::multiply);
        add(1, "divide", this::divide);
        add(1, "bittest", this::bitTest);
        add(1, "bitscan", this::bitScan);
        add(1, "string", this::string);
        add(1, "compareexchange", this::compareExchange);
        add(1, "stack", this::stack);
        add(1, "jump", this::jump);
        add(1, "call", this::call);
        add(1, "misc", this::miscellaneous);
        if (features.containsAll(Set.of("popcnt", "movbe", "abm", "bmi1", "bmi2", "adx", "sse4_2"))) {
            add(1, "bitcount", this::bitCount);
            add(1, "bmi", this::bitManipulation);
        }
        X87Sequences x87 = new X87Sequences();
        add(2, "x87", () -> x87.write(out));
        if (features.contains("sse4_2") && features.contains("ssse3")) {
            SimdSequences simd = new SimdSequences(features);
            add(3, "sseint", () -> simd.integer(out));
            add(1, "ssemove", () -> simd.move(out));
            add(2, "ssefloat", () -> simd.floatingPoint(out));
            add(1, "ssetext", () -> simd.text(out));
            add(1, "crypto", () -> simd.cryptography(out));
            add(1, "mmx", () -> simd.mmx(out));
            add(1, "loop", () -> loop(simd));
        }
        if (features.containsAll(Set.of("avx", "avx2", "fma", "f16c"))) {
            VexSequences vex = new VexSequences(features);
            add(3, "vexint", () -> vex.integer(out));
            add(2, "vexmove", () -> vex.move(out));
            add(3, "vexfloat", () -> vex.floatingPoint(out));
            add(2, "vexpermute", () -> vex.permute(out));
            add(2, "fma", () -> vex.fused(out));
            add(1, "masked", () -> vex.masked(out));
            add(1, "vexcrypto", () -> vex.cryptography(out));
        }
        if (features.containsAll(EvexSequences.FEATURES)) {
            EvexSequences evex = new EvexSequences();
            add(6, "evex", () -> evex.write(out));
            add(1, "opmask", () -> evex.opmask(out));
        }
    }

    private void add(int weight, String name, Runnable writer) {
        for (int i = 0; i < weight; i++) {
            families.add(new Family(name, writer));
        }
    }

    /** {@return the names of the kinds of instructions} */
    List<String> families() {
        return families.stream().map(Family::name).distinct().toList();
    }

    /**
     * Makes a snippet; the same for the same arguments.
     *
     * @param seed what to make
     * @param vector receives the code, the form and the undefined flags
     */
    void generate(long seed, RecordedVector vector) {
        start(seed);
        int count = 1 + random.nextInt(12);
        for (int i = 0; i < count; i++) {
            families.get(random.nextInt(families.size())).writer.run();
        }
        finish(vector, "random." + count);
    }

    /**
     * Makes a snippet of one kind of instructions.
     *
     * @param seed what to make
     * @param family one of {@link #families}
     * @param vector receives the code, the form and the undefined flags
     */
    void generate(long seed, String family, RecordedVector vector) {
        start(seed);
        for (Family candidate : families) {
            if (candidate.name.equals(family)) {
                candidate.writer.run();
                break;
            }
        }
        finish(vector, family);
    }

    private void start(long seed) {
        random = new SplittableRandom(seed);
        out = new SnippetWriter(random);
    }

    private void finish(RecordedVector vector, String form) {
        vector.form = form;
        vector.code = out.code();
        vector.undefinedFlags = out.undefinedFlags();
        vector.undefinedStatus = out.undefinedStatus();
        vector.undefinedRegisters = 0;
    }

    // ---------------------------------------------------------------- arithmetic

    private void arithmetic() {
        int operation = random.nextInt(9);
        int size = out.size();
        if (operation == 2 || operation == 3) {
            out.needFlags(CF);
        }
        int wide = size == 1 ? 0 : 1;
        if (operation == 8) {
            if (random.nextBoolean()) {
                out.registerOrMemory(size, MAP_PRIMARY, 0x84 | wide, out.register(), 0);
            } else {
                out.registerOrMemory(size, MAP_PRIMARY, 0xF6 | wide, 0, Math.min(size, 4));
                out.little(out.immediate(), Math.min(size, 4));
            }
            out.flags(ALL, AF);
            return;
        }
        int opcode = operation << 3;
        switch (random.nextInt(5)) {
            case 0 -> out.registerOrMemory(size, MAP_PRIMARY, opcode | wide, out.register(), 0);
            case 1 -> out.registerOrMemory(size, MAP_PRIMARY, opcode | 2 | wide, out.register(), 0);
            case 2 -> {
                out.registerOrMemory(size, MAP_PRIMARY, 0x80 | wide, operation, Math.min(size, 4));
                out.little(out.immediate(), Math.min(size, 4));
            }
            case 3 -> {
                out.registerOrMemory(size, MAP_PRIMARY, size == 1 ? 0x80 : 0x83, operation, 1);
                out.little(out.immediate(), 1);
            }
            default -> {
                if (size == 2) {
                    out.put(0x66);
                } else if (size == 8) {
                    out.put(0x48);
                }
                out.put(opcode | 4 | wide);
                out.little(out.immediate(), Math.min(size, 4));
            }
        }
        boolean logic = operation == 1 || operation == 4 || operation == 6;
        out.flags(ALL, logic ? AF : 0);
    }

    private void unary() {
        int size = out.size();
        int wide = size == 1 ? 0 : 1;
        switch (random.nextInt(4)) {
            case 0 -> {
                out.registerOrMemory(size, MAP_PRIMARY, 0xFE | wide, 0, 0);
                out.flags(ALL & ~CF, 0);
            }
            case 1 -> {
                out.registerOrMemory(size, MAP_PRIMARY, 0xFE | wide, 1, 0);
                out.flags(ALL & ~CF, 0);
            }
            case 2 -> out.registerOrMemory(size, MAP_PRIMARY, 0xF6 | wide, 2, 0);
            default -> {
                out.registerOrMemory(size, MAP_PRIMARY, 0xF6 | wide, 3, 0);
                out.flags(ALL, 0);
            }
        }
    }

    private void multiply() {
        int size = out.size();
        switch (random.nextInt(4)) {
            case 0 -> out.registerOrMemory(size, MAP_PRIMARY, size == 1 ? 0xF6 : 0xF7, 4 + random.nextInt(2), 0);
            case 1 -> out.registerOrMemory(Math.max(size, 2), MAP_0F, 0xAF, out.register(), 0);
            case 2 -> {
                out.registerOrMemory(Math.max(size, 2), MAP_PRIMARY, 0x6B, out.register(), 1);
                out.little(out.immediate(), 1);
            }
            default -> {
                int wide = Math.max(size, 2);
                out.registerOrMemory(wide, MAP_PRIMARY, 0x69, out.register(), Math.min(wide, 4));
                out.little(out.immediate(), Math.min(wide, 4));
            }
        }
        out.flags(CF | OF, SF | ZF | AF | PF);
    }

    /** Divisions whose operands are loaded first, so that they can't raise #DE. */
    private void divide() {
        int size = out.size();
        boolean signed = random.nextBoolean();
        int divisorRegister = random.nextBoolean() ? Cpu.RCX : 8 + random.nextInt(6);
        int bits = 8 * size;
        // An unsigned quotient fits when the dividend's upper half is below the divisor; a signed one when its
        // magnitude is
        // below half of the divisor's.
        long divisor = random.nextLong() >>> 64 - bits >>> random.nextInt(bits - 2);
        divisor = Math.max(divisor & Long.MAX_VALUE, 4);
        if (signed) {
            divisor &= (1L << bits - 1) - 1;
            divisor = Math.max(divisor, 4);
        }
        long high = random.nextLong(signed ? divisor / 2 - 1 : divisor);
        if (signed && random.nextBoolean()) {
            high = -high;
        }
        long encodedDivisor = signed && random.nextBoolean() ? -divisor : divisor;
        out.load(divisorRegister, encodedDivisor);
        if (size == 1) {
            out.load(Cpu.RAX, high << 8 | random.nextInt(256));
            // REX, so that the register is the low byte.
            out.put(0x40 | divisorRegister >> 3, 0xF6, 0xC0 | (signed ? 7 : 6) << 3 | divisorRegister & 7);
        } else {
            out.load(Cpu.RAX, random.nextLong() >> random.nextInt(64));
            out.load(Cpu.RDX, high);
            out.sized(size, MAP_PRIMARY, 0xF7, signed ? 7 : 6, divisorRegister);
        }
        out.flags(0, ALL);
    }

    // ---------------------------------------------------------------- data movement

    private void move() {
        int size = out.size();
        int wide = size == 1 ? 0 : 1;
        switch (random.nextInt(5)) {
            case 0, 1 -> out.registerOrMemory(size, MAP_PRIMARY, 0x88 | wide, out.register(), 0);
            case 2, 3 -> out.registerOrMemory(size, MAP_PRIMARY, 0x8A | wide, out.register(), 0);
            default -> {
                out.registerOrMemory(size, MAP_PRIMARY, 0xC6 | wide, 0, Math.min(size, 4));
                out.little(out.immediate(), Math.min(size, 4));
            }
        }
    }

    private void extend() {
        int size = out.wideSize();
        switch (random.nextInt(5)) {
            case 0 -> fromSmaller(size, MAP_0F, 0xB6, 1);
            case 1 -> fromSmaller(size, MAP_0F, 0xBE, 1);
            case 2 -> fromSmaller(size, MAP_0F, random.nextBoolean() ? 0xB7 : 0xBF, 2);
            case 3 -> fromSmaller(8, MAP_PRIMARY, 0x63, 4);
            default -> {
                // CBW and CWD with their wider forms.
                if (size == 2) {
                    out.put(0x66);
                } else if (size == 8) {
                    out.put(0x48);
                }
                out.put(random.nextBoolean() ? 0x98 : 0x99);
            }
        }
    }

    private void fromSmaller(int size, int map, int opcode, int source) {
        int prefix = size == 2 ? 0x66 : 0;
        if (random.nextInt(3) == 0) {
            out.memory(prefix, size == 8, false, map, opcode, out.register(), source, 1, 0);
        } else {
            int reg = out.register();
            out.registers(prefix, size == 8, source == 1 && random.nextBoolean(), map, opcode, reg, out.register());
        }
    }

    private void loadAddress() {
        int size = out.wideSize();
        if (size == 2) {
            out.put(0x66);
        }
        if (random.nextInt(4) == 0) {
            out.put(0x67);
        }
        int reg = out.register();
        int index = out.anyRegister();
        int base = out.anyRegister();
        out.put(0x40 | (size == 8 ? 8 : 0) | reg >> 3 << 2 | index >> 3 << 1 | base >> 3, 0x8D);
        out.put(0x84 | (reg & 7) << 3, random.nextInt(4) << 6 | (index & 7) << 3 | base & 7);
        out.little(out.immediate(), 4);
    }

    private void exchange() {
        int size = out.size();
        switch (random.nextInt(5)) {
            case 0 -> out.registerOrMemory(size, MAP_PRIMARY, size == 1 ? 0x86 : 0x87, out.register(), 0);
            case 1 -> {
                int register = out.register();
                boolean wide = random.nextBoolean();
                out.put(0x40 | (wide ? 8 : 0) | register >> 3, 0x0F, 0xC8 | register & 7);
            }
            case 2 -> {
                int register = out.register();
                if (size == 2) {
                    out.put(0x66);
                }
                out.put(0x40 | (size == 8 ? 8 : 0) | register >> 3, 0x90 | register & 7);
            }
            case 3 -> {
                out.registerOrMemory(size, MAP_0F, size == 1 ? 0xC0 : 0xC1, out.register(), 0);
                out.flags(ALL, 0);
            }
            default -> {
                // XLAT.
                out.load(Cpu.RBX, MachineState.DATA + random.nextInt(0x200));
                out.put(0xD7);
            }
        }
    }

    private void compareExchange() {
        int size = out.size();
        if (random.nextInt(3) > 0) {
            if (random.nextBoolean()) {
                // Make it succeed: the accumulator gets the register's value first.
                int d = 8 + random.nextInt(6);
                out.put(0x4C, 0x89, 0xC0 | (d & 7) << 3); // mov rax, d
                out.sized(size, MAP_0F, size == 1 ? 0xB0 : 0xB1, 8 + random.nextInt(6), d);
            } else {
                out.registerOrMemory(size, MAP_0F, size == 1 ? 0xB0 : 0xB1, out.register(), 0);
            }
            out.flags(ALL, 0);
            return;
        }
        int target = random.nextInt(0x40, 0x300) & -16;
        boolean wide = random.nextBoolean();
        if (random.nextBoolean()) {
            // Load what is there, so that it succeeds.
            int rex = wide ? 0x48 : 0x40;
            out.put(rex, 0x8B, 0x04, 0x25);
            out.little(MachineState.DATA + target, 4);
            out.put(rex, 0x8B, 0x14, 0x25);
            out.little(MachineState.DATA + target + (wide ? 8 : 4), 4);
        }
        if (random.nextBoolean()) {
            out.put(0xF0);
        }
        out.put(wide ? 0x48 : 0x40, 0x0F, 0xC7, 0x0C, 0x25);
        out.little(MachineState.DATA + target, 4);
        out.flags(ZF, 0);
    }

    private void stack() {
        int from = out.anyRegister();
        int to = out.register();
        out.put(0x40 | from >> 3, 0x50 | from & 7);
        if (random.nextBoolean()) {
            move();
        }
        out.put(0x40 | to >> 3, 0x58 | to & 7);
    }

    // ---------------------------------------------------------------- flags

    /** {@return the flags that a condition code looks at} */
    private static int readBy(int condition) {
        return switch (condition >> 1) {
            case 0 -> OF;
            case 1 -> CF;
            case 2 -> ZF;
            case 3 -> CF | ZF;
            case 4 -> SF;
            case 5 -> PF;
            case 6 -> SF | OF;
            default -> ZF | SF | OF;
        };
    }

    private void conditional() {
        int condition = random.nextInt(16);
        out.needFlags(readBy(condition));
        if (random.nextBoolean()) {
            out.registerOrMemory(1, MAP_0F, 0x90 | condition, 0, 0);
        } else {
            out.registerOrMemory(out.wideSize(), MAP_0F, 0x40 | condition, out.register(), 0);
        }
    }

    private void flagInstruction() {
        switch (random.nextInt(6)) {
            case 0 -> {
                out.put(0xF8);
                out.flags(CF, 0);
            }
            case 1 -> {
                out.put(0xF9);
                out.flags(CF, 0);
            }
            case 2 -> {
                out.needFlags(CF);
                out.put(0xF5);
            }
            case 3 -> {
                out.needFlags(ALL);
                out.put(0x9F);
            }
            case 4 -> {
                out.put(0x9E);
                out.flags(ALL & ~OF, 0);
            }
            default -> out.put(random.nextBoolean() ? 0xFC : 0xFD);
        }
    }

    private void jump() {
        int kind = random.nextInt(20);
        if (kind < 16 && random.nextBoolean()) {
            // A comparison right before, as compilers do it.
            int opcode = random.nextBoolean() ? 0x39 : 0x85;
            out.registerOrMemory(out.size() == 8 ? 8 : 4, MAP_PRIMARY, opcode, out.register(), 0);
            out.flags(ALL, opcode == 0x85 ? AF : 0);
        }
        out.needFlags(kind < 16 ? readBy(kind) : ZF);
        if (kind < 16) {
            out.put(0x70 | kind, 0);
        } else {
            out.put(0xE0 | kind - 16, 0);
        }
        int behind = out.length();
        move();
        extend();
        out.patch(behind - 1, out.length() - behind);
    }

    /** Calls, returns and unconditional jumps, all forwards. */
    private void call() {
        int register = out.register();
        switch (random.nextInt(5)) {
            case 0 -> {
                // The return address becomes data.
                out.put(0xE8);
                out.little(0, 4);
                out.put(0x40 | register >> 3, 0x58 | register & 7);
            }
            case 1 -> {
                // Over a jump to a subroutine of one instruction and back.
                out.put(0xE8);
                out.little(5, 4);
                out.put(0xE9);
                int jump = out.length();
                out.little(0, 4);
                extend(); // writes no memory: the return address must stay
                out.put(0xC3);
                out.patch(jump, out.length() - jump - 4);
            }
            case 2 -> {
                out.put(0xEB, 0);
                int behind = out.length();
                extend();
                out.patch(behind - 1, out.length() - behind);
            }
            case 3 -> {
                // To an address in a register, or pushed and returned to.
                int byReturn = random.nextInt(2);
                out.put(0x48 | register >> 3 << 2, 0x8D, 0x05 | (register & 7) << 3);
                int displacement = out.length();
                out.little(0, 4);
                if (byReturn == 1) {
                    out.put(0x40 | register >> 3, 0x50 | register & 7, 0xC3);
                } else {
                    out.put(0x40 | register >> 3, 0xFF, 0xE0 | register & 7);
                }
                move();
                out.patch(displacement, out.length() - displacement - 4);
            }
            default -> {
                // ENTER and LEAVE without nesting.
                out.put(0xC8);
                out.little(random.nextInt(4) * 8, 2);
                out.put(0);
                out.put(0xC9);
            }
        }
    }

    /** A short loop whose body leaves the counter alone. */
    private void loop(SimdSequences simd) {
        out.load(Cpu.RCX, random.nextInt(1, 9));
        int start = out.length();
        simd.integer(out);
        if (random.nextBoolean()) {
            simd.integer(out);
        }
        if (random.nextBoolean()) {
            out.put(0xE2, start - out.length() - 2);
        } else {
            out.put(0x48, 0xFF, 0xC9); // dec rcx
            out.flags(ALL & ~CF, 0);
            out.put(0x75, start - out.length() - 2);
        }
    }

    private void miscellaneous() {
        int target = random.nextInt(0x40, 0x3C0);
        int register = out.register();
        switch (random.nextInt(10)) {
            case 0 -> {
                // POPF of what may change at CPL 3, without TF and AC.
                out.put(0x68);
                out.little(random.nextInt() & MachineState.FLAGS | Cpu.IF | 2, 4);
                out.put(0x9D);
                out.flags(ALL, 0);
            }
            case 1 -> {
                out.needFlags(ALL);
                out.put(0x9C, 0x48, 0x81, 0x24, 0x24); // pushfq; and qword [rsp], imm32
                out.little(MachineState.FLAGS, 4);
                out.put(0x40 | register >> 3, 0x58 | register & 7);
                out.flags(ALL, AF);
            }
            case 2 -> {
                // MOV with a 64-bit absolute address.
                int size = out.size();
                if (size == 2) {
                    out.put(0x66);
                } else if (size == 8) {
                    out.put(0x48);
                }
                out.put((random.nextBoolean() ? 0xA0 : 0xA2) | (size == 1 ? 0 : 1));
                out.little(MachineState.DATA + target, 8);
            }
            case 3 -> {
                out.memory(0, false, false, MAP_PRIMARY, 0xFF, 6, 8, 1, 0);
                out.memory(0, false, false, MAP_PRIMARY, 0x8F, 0, 8, 1, 0);
            }
            case 4 -> {
                boolean small = random.nextBoolean();
                out.put(small ? 0x6A : 0x68);
                out.little(out.immediate(), small ? 1 : 4);
                out.put(0x40 | register >> 3, 0x58 | register & 7);
            }
            case 5 -> {
                // MXCSR, with all exceptions masked.
                int word = 0x1F80 | random.nextInt() & 0xE03F;
                out.put(0xC7, 0x04, 0x25);
                out.little(MachineState.DATA + target, 4);
                out.little(word, 4);
                out.put(0x0F, 0xAE, 0x14, 0x25);
                out.little(MachineState.DATA + target, 4);
            }
            case 6 -> out.memory(0, false, false, MAP_0F, 0xAE, 3, 4, 1, 0); // STMXCSR
            case 7 -> out.memory(0, random.nextBoolean(), false, MAP_0F, 0xC3, register, 8, 1, 0); // MOVNTI
            case 8 -> {
                // Hints and fences: a long NOP, PREFETCHh, CLFLUSH, ENDBR64, PAUSE, LFENCE, MFENCE, SFENCE.
                switch (random.nextInt(6)) {
                    case 0 -> out.memory(0, false, false, MAP_0F, 0x1F, 0, 4, 1, 0);
                    case 1 -> out.memory(0, false, false, MAP_0F, 0x18, random.nextInt(4), 1, 1, 0);
                    case 2 -> out.memory(0, false, false, MAP_0F, 0xAE, 7, 1, 1, 0);
                    case 3 -> out.put(0xF3, 0x0F, 0x1E, 0xFA);
                    case 4 -> out.put(0xF3, 0x90);
                    default -> out.put(0x0F, 0xAE, 0xE8 + 8 * random.nextInt(3));
                }
            }
            default -> {
                // PUSH and POP of 16 bits.
                out.put(0x66, 0x40 | register >> 3, 0x50 | register & 7);
                out.put(0x66, 0x40 | register >> 3, 0x58 | register & 7);
            }
        }
    }

    // ---------------------------------------------------------------- shifts and bits

    private void shift() {
        int operation = random.nextInt(8);
        int size = out.size();
        int wide = size == 1 ? 0 : 1;
        int countMask = size == 8 ? 63 : 31;
        boolean throughCarry = operation == 2 || operation == 3;
        if (throughCarry) {
            out.needFlags(CF);
        }
        int count;
        switch (random.nextInt(4)) {
            case 0 -> {
                count = 1;
                out.registerOrMemory(size, MAP_PRIMARY, 0xD0 | wide, operation, 0);
            }
            case 1 -> {
                count = -1;
                out.registerOrMemory(size, MAP_PRIMARY, 0xD2 | wide, operation, 0);
            }
            default -> {
                int encoded = random.nextInt(256);
                count = encoded & countMask;
                out.registerOrMemory(size, MAP_PRIMARY, 0xC0 | wide, operation, 1);
                out.put(encoded);
            }
        }
        if (operation < 4) {
            if (count < 0 || throughCarry) {
                out.flagsMaybe(count == 1 ? 0 : OF);
            } else if (count > 0) {
                out.flags(CF | OF, count == 1 ? 0 : OF);
            }
            return;
        }
        boolean loosesCarry = operation != 7 && size < 4 && (count < 0 || count >= 8 * size);
        int undefined = AF | (count == 1 ? 0 : OF) | (loosesCarry ? CF : 0);
        if (count < 0) {
            out.flagsMaybe(undefined);
        } else if (count > 0) {
            out.flags(ALL, undefined);
        }
    }

    private void shiftDouble() {
        int size = out.wideSize();
        int opcode = random.nextBoolean() ? 0xA4 : 0xAC;
        // Counts above 16 are undefined for 16-bit operands.
        int count = random.nextInt(size == 8 ? 64 : size == 4 ? 32 : 17);
        if (random.nextBoolean()) {
            out.registerOrMemory(size, MAP_0F, opcode, out.register(), 1);
            out.put(count);
        } else {
            out.put(0xB1, count); // mov cl, imm8
            out.registerOrMemory(size, MAP_0F, opcode | 1, out.register(), 0);
        }
        if (count != 0) {
            out.flags(ALL, AF | (count == 1 ? 0 : OF));
        }
    }

    private void bitTest() {
        int operation = random.nextInt(4);
        int size = out.wideSize();
        switch (random.nextInt(3)) {
            case 0 -> out.sized(size, MAP_0F, 0xA3 | operation << 3, out.register(), out.register());
            case 1 -> {
                out.registerOrMemory(size, MAP_0F, 0xBA, 4 + operation, 1);
                out.put(random.nextInt(256));
            }
            default -> {
                // A bit string in memory: the bit's number may be far outside of the operand, but not of the window.
                int register = out.register();
                out.load(register, random.nextInt(-0x200, 0x200));
                out.sizedMemory(size, MAP_0F, 0xA3 | operation << 3, register, 0);
            }
        }
        out.flags(CF, OF | SF | AF | PF);
    }

    private void bitScan() {
        int register = out.register();
        // The result of 0 is undefined.
        out.sized(4, MAP_PRIMARY, 0x83, 1, register);
        out.put(1 + random.nextInt(127));
        out.sized(out.wideSize(), MAP_0F, random.nextBoolean() ? 0xBC : 0xBD, out.register(), register);
        out.flags(ZF, CF | OF | SF | AF | PF);
    }

    private void bitCount() {
        int size = out.wideSize();
        int reg = out.register();
        switch (random.nextInt(6)) {
            case 0 -> {
                prefixed(size, 0xB8, reg);
                out.flags(ALL, 0);
            }
            case 1, 2 -> {
                prefixed(size, random.nextBoolean() ? 0xBC : 0xBD, reg);
                out.flags(CF | ZF, OF | SF | AF | PF);
            }
            case 3 ->
                out.memory(
                        size == 2 ? 0x66 : 0,
                        size == 8,
                        false,
                        MAP_0F38,
                        random.nextBoolean() ? 0xF0 : 0xF1,
                        reg,
                        size,
                        1,
                        0);
            default -> {
                // CRC32: the source's size is the operand size, the destination's 32 or 64 bits.
                boolean bytes = random.nextBoolean();
                boolean w = random.nextBoolean();
                if (!bytes && !w && random.nextBoolean()) {
                    out.put(0x66);
                }
                out.registers(
                        0xF2, w, bytes && random.nextBoolean(), MAP_0F38, bytes ? 0xF0 : 0xF1, reg, out.register());
            }
        }
    }

    private void prefixed(int size, int opcode, int reg) {
        if (size == 2) {
            out.put(0x66);
        }
        if (random.nextInt(3) == 0) {
            out.memory(0xF3, size == 8, false, MAP_0F, opcode, reg, size, 1, 0);
        } else {
            out.registers(0xF3, size == 8, false, MAP_0F, opcode, reg, out.register());
        }
    }

    /** Writes a BMI instruction with a register or, through the base register, memory as last operand. */
    private void vex(int pp, int map, boolean w, int opcode, int reg, int vvvv, int rm) {
        if (random.nextInt(3) == 0) {
            out.vexMemory(pp, map, w, opcode, reg, vvvv);
        } else {
            out.vex(pp, map, w, opcode, reg, vvvv, rm);
        }
    }

    private void bitManipulation() {
        boolean w = random.nextBoolean();
        int reg = out.register();
        int rm = out.register();
        int vvvv = out.register();
        switch (random.nextInt(11)) {
            case 0 -> {
                vex(0, MAP_0F38, w, 0xF2, reg, vvvv, rm); // ANDN
                out.flags(ALL, AF | PF);
            }
            case 1 -> {
                vex(0, MAP_0F38, w, 0xF7, reg, vvvv, rm); // BEXTR
                out.flags(ALL, AF | SF | PF);
            }
            case 2 -> {
                vex(0, MAP_0F38, w, 0xF3, 1 + random.nextInt(3), vvvv, rm); // BLSR, BLSMSK, BLSI
                out.flags(ALL, AF | PF);
            }
            case 3 -> {
                vex(0, MAP_0F38, w, 0xF5, reg, vvvv, rm); // BZHI
                out.flags(ALL, AF | PF);
            }
            case 4 -> vex(3, MAP_0F38, w, 0xF6, reg, vvvv, rm); // MULX
            case 5 -> vex(3, MAP_0F38, w, 0xF5, reg, vvvv, rm); // PDEP
            case 6 -> vex(2, MAP_0F38, w, 0xF5, reg, vvvv, rm); // PEXT
            case 7 -> {
                vex(3, MAP_0F3A, w, 0xF0, reg, 0, rm); // RORX
                out.put(random.nextInt(256));
            }
            case 8 -> vex(1 + random.nextInt(3), MAP_0F38, w, 0xF7, reg, vvvv, rm); // SHLX, SARX, SHRX
            case 9 -> {
                out.needFlags(CF);
                out.registers(0x66, w, false, MAP_0F38, 0xF6, reg, rm); // ADCX
            }
            default -> {
                out.needFlags(OF);
                out.registers(0xF3, w, false, MAP_0F38, 0xF6, reg, rm); // ADOX
            }
        }
    }

    // ---------------------------------------------------------------- strings

    private void string() {
        int size = out.size();
        int[] opcodes = {0xA4, 0xA6, 0xAA, 0xAC, 0xAE};
        int opcode = opcodes[random.nextInt(opcodes.length)];
        boolean compares = opcode == 0xA6 || opcode == 0xAE;
        boolean shortAddresses = random.nextInt(4) == 0;
        int repeat = random.nextInt(3);
        // With a count of 0 and 32-bit addresses, processors differ in what they do to the index registers.
        int count = random.nextInt(shortAddresses ? 1 : 0, 20);
        out.load(Cpu.RSI, MachineState.DATA + 0x200 + random.nextInt(-0x60, 0x60));
        out.load(Cpu.RDI, MachineState.DATA + 0x200 + random.nextInt(-0x60, 0x60));
        out.load(Cpu.RCX, count);
        if (compares && count == 0 && repeat != 0) {
            // Then the flags stay as they are, undefined ones too.
            out.needFlags(ALL);
        }
        if (random.nextInt(3) == 0) {
            out.put(0xFD);
        } else {
            out.put(0xFC);
        }
        if (shortAddresses) {
            out.put(0x67);
        }
        if (repeat != 0) {
            out.put(repeat == 1 ? 0xF3 : compares ? 0xF2 : 0xF3);
        }
        if (size == 2) {
            out.put(0x66);
        } else if (size == 8) {
            out.put(0x48);
        }
        out.put(opcode | (size == 1 ? 0 : 1));
        if (compares) {
            out.flags(ALL, 0);
        }
    }
}
