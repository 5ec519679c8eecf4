package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.decode.EvexForm;
import org.junit.jupiter.api.Test;

/** Compares the interpreter's AVX-512 with the host's; see {@link EvexComparison}. */
class EvexHostTest {
    @Test
    void everyInstructionEndsAsOnTheHostProcessor() {
        EvexComparison.assumeHost();
        try (SnippetMachine machine = new SnippetMachine()) {
            assertThat(new EvexComparison(machine, false).everyInstruction()).isEmpty();
        }
    }

    @Test
    void everyOpmaskInstructionEndsAsOnTheHostProcessor() {
        EvexComparison.assumeHost();
        try (SnippetMachine machine = new SnippetMachine()) {
            assertThat(new EvexComparison(machine, false).opmaskInstructions()).isEmpty();
        }
    }

    @Test
    void everyFormCanBeEncoded() {
        assertThat(EvexEncoding.all()).hasSizeGreaterThan(500).allSatisfy(encoding -> {
            EvexForm form = encoding.form();
            assertThat(form.memoryOnly && form.registerOnly).isFalse();
            assertThat(form.element).isIn(1, 2, 4, 8);
        });
    }
}
