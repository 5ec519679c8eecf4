package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Floating-point instructions of AVX-512. */
final class EvexFloats {
    private EvexFloats() {}

    /** {@return the op of an EVEX-encoded instruction, or null when it isn't one of these} */
    static @Nullable Op create(Instruction in, EvexForm form) {
        return null;
    }
}
