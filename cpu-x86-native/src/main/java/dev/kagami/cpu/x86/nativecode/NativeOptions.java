package dev.kagami.cpu.x86.nativecode;

import org.jspecify.annotations.Nullable;

/**
 * How a virtual CPU translates.
 *
 * @param hot runs of a block by the interpreter before it is translated; 1 translates everything at once
 * @param codeBytes size of the code memory, a multiple of the page size
 * @param maxBlocks blocks known, cold ones too, at which everything is forgotten
 * @param disturbance what forces rare events, or null
 */
record NativeOptions(
        int hot, int codeBytes, int maxBlocks, @Nullable Disturbance disturbance) {
    /** The options of the engine as users have it. */
    static final NativeOptions USUAL =
            new NativeOptions(Integer.getInteger("dev.kagami.native.hot", 6), 64 << 20, 1 << 20, null);
}
