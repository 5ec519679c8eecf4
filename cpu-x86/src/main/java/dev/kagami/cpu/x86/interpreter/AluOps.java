package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Integer arithmetic and logic. */
final class AluOps {
    private AluOps() {}

    static @Nullable Op create(Instruction in) {
        return null;
    }
}
