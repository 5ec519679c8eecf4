package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** AVX-512: what EVEX encodes. */
final class EvexOps {
    private EvexOps() {}

    /** {@return the op of an EVEX-encoded instruction, or null when there is none} */
    static @Nullable Op create(Instruction in) {
        EvexForm form = in.evex;
        if (form == null) {
            return null;
        }
        Op op = EvexFloats.create(in, form);
        return op == null ? EvexIntegers.create(in, form) : op;
    }
}
