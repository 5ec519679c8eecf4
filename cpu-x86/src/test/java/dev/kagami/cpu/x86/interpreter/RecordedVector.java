package dev.kagami.cpu.x86.interpreter;

import java.util.HexFormat;

/**
 * One line of a file of recorded vectors: instructions, the state before, and the state after. The text format is
 * described in {@code src/test/resources/vectors/README.md}.
 */
final class RecordedVector {
    /** Form, with a tag after an exclamation mark where the vector is special. */
    String form = "";

    byte[] code = new byte[0];
    final MachineState input = new MachineState();
    final MachineState output = new MachineState();
    int undefinedFlags;
    int undefinedStatus;
    int undefinedRegisters;

    /** Seed of {@link RandomState} that the input was made from, in hexadecimal, or an empty string. */
    private String seed = "";

    /** Whether the input has what {@link RandomState#fillWide} makes of the seed, too. */
    private boolean wide;

    /** Makes the input from a seed, with the state of AVX-512 if the host can be asked for it. */
    void randomInput(long inputSeed) {
        randomInput(inputSeed, HostOracle.AVX512);
    }

    /** Makes the input from a seed, with the state of AVX-512 or without. */
    void randomInput(long inputSeed, boolean withWide) {
        wide = withWide;
        seed = Long.toHexString(inputSeed);
        fill(input, inputSeed);
    }

    private void fill(MachineState state, long inputSeed) {
        RandomState.fill(state, inputSeed);
        if (wide) {
            RandomState.fillWide(state, inputSeed);
        }
    }

    /** {@return the line that {@link #parse} reads back; the input must come from {@link #randomInput}} */
    String format() {
        StringBuilder line = new StringBuilder(form)
                .append(' ')
                .append(HexFormat.of().formatHex(code))
                .append(wide ? " rw=" : " rs=")
                .append(seed)
                .append(" >");
        for (int i = 0; i < 16; i++) {
            field(line, MachineState.GPR_NAMES[i], output.gpr[i], input.gpr[i]);
        }
        field(line, "fl", output.flags & MachineState.FLAGS, input.flags & MachineState.FLAGS);
        for (int i = 0; i < 16; i++) {
            if (output.xmmLow[i] != input.xmmLow[i] || output.xmmHigh[i] != input.xmmHigh[i]) {
                line.append(" x%d=%016x%016x".formatted(i, output.xmmHigh[i], output.xmmLow[i]));
            }
            if (output.ymmLow[i] != input.ymmLow[i] || output.ymmHigh[i] != input.ymmHigh[i]) {
                line.append(" y%d=%016x%016x".formatted(i, output.ymmHigh[i], output.ymmLow[i]));
            }
        }
        for (int i = 0; i < output.wide.length; i++) {
            field(line, "w" + i, output.wide[i], input.wide[i]);
        }
        field(line, "mxcsr", output.mxcsr, input.mxcsr);
        field(line, "fcw", output.control, input.control);
        field(line, "fsw", output.status, input.status);
        field(line, "ftw", output.tag, input.tag);
        for (int i = 0; i < 8; i++) {
            if (output.significand[i] != input.significand[i] || output.signExponent[i] != input.signExponent[i]) {
                line.append(" st%d=%04x%016x".formatted(i, output.signExponent[i], output.significand[i]));
            }
        }
        for (int i = 0; i < MachineState.DATA_SIZE; i++) {
            if (output.data[i] != input.data[i]) {
                int end = i + 1;
                while (end < MachineState.DATA_SIZE && output.data[end] != input.data[end]) {
                    end++;
                }
                line.append(" m%x=%s".formatted(i, HexFormat.of().formatHex(output.data, i, end)));
                i = end;
            }
        }
        field(line, "uf", undefinedFlags, 0);
        field(line, "uw", undefinedStatus, 0);
        field(line, "ud", undefinedRegisters, 0);
        return line.toString();
    }

    private static void field(StringBuilder line, String name, long value, long unless) {
        if (value != unless) {
            line.append(' ').append(name).append('=').append(Long.toHexString(value));
        }
    }

    /** Replaces this vector by the one of a line. */
    void parse(String line) {
        input.reset();
        seed = "";
        wide = false;
        undefinedFlags = 0;
        undefinedStatus = 0;
        undefinedRegisters = 0;
        String[] words = line.split(" ");
        form = words[0];
        code = HexFormat.of().parseHex(words[1]);
        MachineState state = input;
        for (int i = 2; i < words.length; i++) {
            String word = words[i];
            if (word.equals(">")) {
                output.copyFrom(input);
                state = output;
                continue;
            }
            int equals = word.indexOf('=');
            field(state, word.substring(0, equals), word.substring(equals + 1));
        }
    }

    private void field(MachineState state, String name, String value) {
        switch (name) {
            case "rs", "rw" -> {
                wide = name.equals("rw");
                seed = value;
                fill(state, Long.parseUnsignedLong(value, 16));
            }
            case "fl" -> state.flags = Integer.parseInt(value, 16);
            case "mxcsr" -> state.mxcsr = Integer.parseInt(value, 16);
            case "fcw" -> state.control = Integer.parseInt(value, 16);
            case "fsw" -> state.status = Integer.parseInt(value, 16);
            case "ftw" -> state.tag = Integer.parseInt(value, 16);
            case "exc" -> state.exception = Integer.parseInt(value);
            case "rip" -> state.faultOffset = Integer.parseInt(value, 16);
            case "err" -> state.errorCode = Integer.parseInt(value, 16);
            case "uf" -> undefinedFlags = Integer.parseInt(value, 16);
            case "uw" -> undefinedStatus = Integer.parseInt(value, 16);
            case "ud" -> undefinedRegisters = Integer.parseInt(value, 16);
            default -> {
                if (name.startsWith("st")) {
                    int i = Integer.parseInt(name.substring(2));
                    state.signExponent[i] = (int) high(value);
                    state.significand[i] = low(value);
                } else if (name.charAt(0) == 'x') {
                    int i = Integer.parseInt(name.substring(1));
                    state.xmmHigh[i] = high(value);
                    state.xmmLow[i] = low(value);
                } else if (name.charAt(0) == 'y') {
                    int i = Integer.parseInt(name.substring(1));
                    state.ymmHigh[i] = high(value);
                    state.ymmLow[i] = low(value);
                } else if (name.charAt(0) == 'w') {
                    state.wide[Integer.parseInt(name.substring(1))] = low(value);
                } else if (name.charAt(0) == 'm') {
                    byte[] bytes = HexFormat.of().parseHex(value);
                    System.arraycopy(bytes, 0, state.data, Integer.parseInt(name.substring(1), 16), bytes.length);
                } else {
                    state.gpr[register(name)] = Long.parseUnsignedLong(value, 16);
                }
            }
        }
    }

    private static long high(String hex) {
        return hex.length() <= 16 ? 0 : Long.parseUnsignedLong(hex.substring(0, hex.length() - 16), 16);
    }

    private static long low(String hex) {
        return Long.parseUnsignedLong(hex.length() <= 16 ? hex : hex.substring(hex.length() - 16), 16);
    }

    private static int register(String name) {
        for (int i = 0; i < 16; i++) {
            if (MachineState.GPR_NAMES[i].equals(name)) {
                return i;
            }
        }
        throw new IllegalArgumentException("no field of a vector: " + name);
    }

    /**
     * Runs the vector and compares.
     *
     * @param machine what to run it on
     * @param scratch state to use
     * @param blocks whether to run it through blocks rather than one instruction at a time
     * @return the difference, or an empty string when it passed
     */
    String check(SnippetMachine machine, MachineState scratch, boolean blocks) {
        scratch.copyFrom(input);
        try {
            if (blocks) {
                machine.runBlocks(scratch, code);
            } else {
                machine.run(scratch, code);
            }
        } catch (RuntimeException e) {
            return e.toString() + (e.getStackTrace().length > 0 ? " at " + e.getStackTrace()[0] : "");
        }
        return scratch.difference(output, undefinedFlags, undefinedStatus, undefinedRegisters);
    }
}
