package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.CpuModel;
import java.util.Map;
import java.util.function.Predicate;

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

    private static final long SSE = X87State.COMPONENT_X87 | X87State.COMPONENT_SSE;

    /** What V4 has beside V3, by the names that Linux has: bits of leaf 7, EBX. */
    private static final Map<String, Integer> V4_EBX =
            Map.of("avx512f", 16, "avx512dq", 17, "avx512cd", 28, "avx512bw", 30, "avx512vl", 31);

    /** What MAX has beside V4: bits of leaf 7, EBX. */
    private static final Map<String, Integer> AVX512_EBX = Map.of("avx512ifma", 21);

    /** The same of leaf 7, ECX. */
    private static final Map<String, Integer> AVX512_ECX =
            Map.of("avx512vbmi", 1, "avx512_vbmi2", 6, "avx512_vnni", 11, "avx512_bitalg", 12, "avx512_vpopcntdq", 14);

    /** What MAX has beside V3 without AVX-512, too: bits of leaf 7, ECX. */
    private static final Map<String, Integer> MAX_ECX = Map.of("vaes", 9, "vpclmulqdq", 10);

    /**
     * Finds the features of a model.
     *
     * @param model the model
     * @param has whether a feature, by the name that Linux has for it, may be among those of {@link CpuModel#MAX}
     * @return its features
     */
    static ProcessorFeatures of(CpuModel model, Predicate<String> has) {
        int ecx = FMA | AVX | F16C;
        long v3 = SSE | X87State.COMPONENT_AVX;
        long v4 = v3 | X87State.COMPONENTS_AVX512;
        int wide = AVX2 | bits(V4_EBX, feature -> true);
        return switch (model) {
            case V2 -> new ProcessorFeatures(model.label(), 0, 0, 0, SSE);
            case V3 -> new ProcessorFeatures(model.label(), ecx, AVX2, 0, v3);
            case V4 -> new ProcessorFeatures(model.label(), ecx, wide, 0, v4);
            case MAX -> {
                int more = bits(MAX_ECX, has);
                yield V4_EBX.keySet().stream().allMatch(has)
                        ? new ProcessorFeatures(
                                model.label(), ecx, wide | bits(AVX512_EBX, has), more | bits(AVX512_ECX, has), v4)
                        : new ProcessorFeatures(model.label(), ecx, AVX2, more, v3);
            }
        };
    }

    private static int bits(Map<String, Integer> features, Predicate<String> has) {
        return features.entrySet().stream()
                .filter(feature -> has.test(feature.getKey()))
                .mapToInt(feature -> 1 << feature.getValue())
                .reduce(0, (a, b) -> a | b);
    }
}
