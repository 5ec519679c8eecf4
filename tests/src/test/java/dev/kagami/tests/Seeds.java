package dev.kagami.tests;

import java.util.SplittableRandom;

/** Seeds of random tests: new ones every time, or those after {@code -Dkagami.seed}, which every failure names. */
final class Seeds {
    private Seeds() {}

    static SplittableRandom seeds() {
        return new SplittableRandom(Long.getLong("kagami.seed", System.nanoTime()));
    }

    /** Runs a case and adds its seed to whatever it throws. */
    static void run(String what, long seed, Case body) {
        try {
            body.run(new SplittableRandom(seed));
        } catch (Throwable e) {
            throw new AssertionError("%s, seed %dL: %s".formatted(what, seed, e), e);
        }
    }

    /** A random test. */
    @FunctionalInterface
    interface Case {
        void run(SplittableRandom random) throws Exception;
    }
}
