package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Moves, permutations and integer instructions of AVX-512. */
final class EvexIntegers {
    private EvexIntegers() {}

    /** {@return the op of an EVEX-encoded instruction, or null when it isn't one of these} */
    static @Nullable Op create(Instruction in, EvexForm form) {
        return null;
    }
}
