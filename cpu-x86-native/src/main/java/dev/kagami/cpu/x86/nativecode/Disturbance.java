package dev.kagami.cpu.x86.nativecode;

import java.util.SplittableRandom;

/**
 * Forces what is rare in real life to happen often, by chance: lookups that miss, blocks that are not linked, code that is
 * evicted, events. None of it may change what a guest sees. Belongs to the vCPU's thread.
 */
class Disturbance {
    private static final int MAX_BLOCK = 64;

    private final SplittableRandom random;
    private final int oneIn;

    /**
     * Creates a disturbance.
     *
     * @param seed seed of the chance
     * @param oneIn how rare a disturbance is: one in so many occasions on average, at least 1
     */
    Disturbance(long seed, int oneIn) {
        random = new SplittableRandom(seed);
        this.oneIn = oneIn;
    }

    /** {@return true with a probability of one in {@code n}} */
    final boolean chance(int n) {
        return random.nextInt(n) == 0;
    }

    /** {@return whether the run loop shall be left before anything runs} */
    boolean leaves() {
        return false;
    }

    /** {@return whether the TLB shall be emptied before translated code is entered} */
    boolean emptiesTlb() {
        return chance(oneIn);
    }

    /** {@return whether the jump caches shall be emptied before translated code is entered} */
    boolean forgetsJumps() {
        return chance(oneIn);
    }

    /** {@return whether the oldest translated code shall be evicted} */
    boolean evictsCode() {
        return chance(100 * oneIn);
    }

    /** {@return whether an event that isn't there shall be signalled to translated code before it is entered} */
    boolean raisesEvent() {
        return chance(2 * oneIn);
    }

    /** {@return whether a branch shall stay without a link, or out of the jump cache, this time} */
    boolean keepsUnlinked() {
        return chance(oneIn);
    }

    /** {@return whether an instruction that missed the TLB shall be interpreted instead of being resumed} */
    boolean interpretsMiss() {
        return chance(2 * oneIn);
    }

    /** {@return whether Java shall resolve all misses of the TLB until translated code is entered the next time} */
    boolean refusesWalk() {
        return chance(2);
    }

    /** {@return whether accesses that share a lookup shall be looked up one by one after a miss} */
    boolean closesWindow() {
        return chance(oneIn);
    }

    /** {@return the most instructions that the next block may have} */
    int blockLength() {
        return chance(2) ? MAX_BLOCK : 1 + random.nextInt(MAX_BLOCK);
    }
}
