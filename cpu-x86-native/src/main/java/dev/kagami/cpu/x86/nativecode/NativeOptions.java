package dev.kagami.cpu.x86.nativecode;

import org.jspecify.annotations.Nullable;

/**
 * How a virtual CPU translates.
 *
 * @param hot runs of a block by the interpreter before it is translated; 1 translates everything at once
 * @param codeBytes size of the code memory, a multiple of the page size
 * @param regions into how many parts that is divided, of which one is evicted at a time
 * @param maxBlocks blocks known, cold ones too, at which many are forgotten
 * @param disturbance what forces rare events, or null
 */
record NativeOptions(
        int hot,
        int codeBytes,
        int regions,
        int maxBlocks,
        @Nullable Disturbance disturbance) {
    private static final int MEBIBYTE = 1 << 20;
    private static final int REGIONS = 64;
    private static final int FEW_REGIONS = 16;

    /**
     * Code memory of one CPU, and of all CPUs of a machine until each has the least. It is the host's only as far as the guest
     * has run different code: a boot takes a few MiB, a compiler more than a hundred.
     */
    private static final int MOST = 256 * MEBIBYTE;

    private static final int ALL = 2 * MOST;
    private static final int LEAST = 16 * MEBIBYTE;

    private static final int HOT = Math.clamp(Integer.getInteger("dev.kagami.native.hot", 2), 1, Byte.MAX_VALUE);

    /** Code memory of one CPU in MiB, when it is to be another; at least 4. */
    private static final @Nullable Integer CODE = Integer.getInteger("dev.kagami.native.code");

    /** {@return the options of the engine as users have it} */
    static NativeOptions usual(int processors) {
        int bytes = CODE == null
                ? Math.clamp(ALL / processors, LEAST, MOST)
                : Math.clamp(CODE, 4, Integer.MAX_VALUE / MEBIBYTE) * MEBIBYTE;
        return new NativeOptions(HOT, bytes, Math.min(REGIONS, bytes / MEBIBYTE), 1 << 21, null);
    }

    /** {@return the options for looking for defects: little code memory, so that code is evicted soon} */
    static NativeOptions disturbed(Disturbance disturbance) {
        return new NativeOptions(2, 4 * MEBIBYTE, FEW_REGIONS, 1 << 16, disturbance);
    }
}
