package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Compares every AVX-512 instruction of the interpreter with the host's processor. Other seeds: {@code -Dkagami.seed=N}; more or
 * fewer cases of each: {@code -Dkagami.cases=N}; only those whose names contain some text: {@code -Dkagami.form=TEXT}.
 */
class EvexHostTest {
    private static final int CASES = 200;

    private final long seed = Long.getLong("kagami.seed", System.nanoTime());
    private final int cases = Integer.getInteger("kagami.cases", CASES);
    private final List<String> failures = new ArrayList<>();
    private final EvexSequences sequences = new EvexSequences();

    private static void assumeHost() {
        String reason = HostOracle.AVX512 ? HostOracle.unavailable() : "the host has no AVX-512, or not all of it";
        Assumptions.assumeTrue(reason.isEmpty(), () -> "no native comparison: " + reason);
    }

    private interface Writer {
        void write(SnippetWriter out);
    }

    private void compare(HostOracle oracle, SnippetMachine machine, String name, Writer writer) {
        RecordedVector vector = new RecordedVector();
        MachineState scratch = new MachineState();
        int differing = 0;
        String first = "";
        for (int i = 0; i < cases; i++) {
            SnippetWriter out = new SnippetWriter(new SplittableRandom(seed + i));
            writer.write(out);
            vector.form = name.replace(' ', '_');
            vector.code = out.code();
            vector.undefinedFlags = out.undefinedFlags();
            vector.randomInput(seed + i);
            if (sequences.suppresses()) {
                vector.input.mxcsr &= ~(out.random.nextInt() & FloatContext.ALL_EXCEPTIONS << 7);
                vector.output.copyFrom(vector.input);
                oracle.runSuppressing(vector.output, vector.code);
            } else {
                vector.output.copyFrom(vector.input);
                oracle.run(vector.output, vector.code);
            }
            String difference = vector.check(machine, scratch, (i & 1) == 0);
            if (!difference.isEmpty() && differing++ == 0) {
                first = "%s%n    %s".formatted(difference, vector.format());
            }
        }
        if (differing != 0) {
            failures.add("%s: %d of %d differ, the first has %s%n".formatted(name, differing, cases, first));
        }
    }

    @Test
    void everyInstructionEndsAsOnTheHostProcessor() {
        assumeHost();
        String wanted = System.getProperty("kagami.form", "");
        try (HostOracle oracle = new HostOracle();
                SnippetMachine machine = new SnippetMachine()) {
            for (EvexEncoding encoding : EvexSequences.encodings()) {
                if (encoding.form().name.contains(wanted)) {
                    compare(oracle, machine, encoding.toString(), out -> sequences.write(out, encoding));
                }
            }
        }
        assertThat(failures).as("seed %d".formatted(seed)).isEmpty();
    }

    @Test
    void everyOpmaskInstructionEndsAsOnTheHostProcessor() {
        assumeHost();
        try (HostOracle oracle = new HostOracle();
                SnippetMachine machine = new SnippetMachine()) {
            for (int i = 0; i < 20; i++) {
                compare(oracle, machine, "opmask", sequences::opmask);
            }
        }
        assertThat(failures).as("seed %d".formatted(seed)).isEmpty();
    }

    @Test
    void everyFormHasARegisterOperandOfEachKindThatItNames() {
        assertThat(EvexEncoding.all()).hasSizeGreaterThan(500).allSatisfy(encoding -> {
            EvexForm form = encoding.form();
            assertThat(form.memoryOnly && form.registerOnly).isFalse();
            assertThat(form.element).isIn(1, 2, 4, 8);
        });
    }
}
