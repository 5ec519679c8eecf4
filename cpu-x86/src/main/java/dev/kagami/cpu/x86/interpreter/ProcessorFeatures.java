package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.CpuModel;

/**
 * What differs between CPU models, as CPUID shows it (SDM 2A, CPUID).
 *
 * @param label name of the model
 * @param ecx leaf 1, ECX: bits beside those that every model has
 * @param structuredEbx leaf 7, EBX: the same
 * @param structuredEcx leaf 7, ECX: the same
 * @param components what may be set in XCR0
 */
record ProcessorFeatures(String label, int ecx, int structuredEbx, int structuredEcx, long components) {
    private static final int FMA = 1 << 12;
    private static final int AVX = 1 << 28;
    private static final int F16C = 1 << 29;
    private static final int AVX2 = 1 << 5;
    private static final int VAES = 1 << 9;
    private static final int VPCLMULQDQ = 1 << 10;

    private static final long SSE = X87State.COMPONENT_X87 | X87State.COMPONENT_SSE;

    /**
     * Finds the features of a model.
     *
     * @param model one that the interpreter can run
     * @return its features
     * @throws IllegalArgumentException when the interpreter can't run it
     */
    static ProcessorFeatures of(CpuModel model) {
        int ecx = FMA | AVX | F16C;
        long components = SSE | X87State.COMPONENT_AVX;
        return switch (model) {
            case V2 -> new ProcessorFeatures(model.label(), 0, 0, 0, SSE);
            case V3 -> new ProcessorFeatures(model.label(), ecx, AVX2, 0, components);
            case V4 -> throw new IllegalArgumentException("the interpreter has no CPU model " + model.label());
            case MAX -> new ProcessorFeatures(model.label(), ecx, AVX2, VAES | VPCLMULQDQ, components);
        };
    }
}
