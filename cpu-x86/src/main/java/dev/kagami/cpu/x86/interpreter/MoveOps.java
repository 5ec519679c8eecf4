package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Moves between registers and memory. */
final class MoveOps {
    private MoveOps() {}

    static @Nullable Op create(Instruction in) {
        return null;
    }
}
