package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.CpuModel;
import java.util.Set;
import java.util.SortedSet;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** CPU models: each has what its level of the x86-64 psABI asks for, and nothing that the interpreter hasn't. */
class ProcessorFeaturesTest {
    private static final int AVX = 1 << 28;
    private static final int F16C = 1 << 29;
    private static final int FMA = 1 << 12;
    private static final int AVX2 = 1 << 5;
    private static final int VAES = 1 << 9;
    private static final int AVX512_F_DQ_CD_BW_VL = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31;

    @Test
    void secondLevelHasNoAvx() {
        ProcessorFeatures features = ProcessorFeatures.of(CpuModel.V2, feature -> true);
        assertThat(features.ecx() & (AVX | F16C | FMA)).isZero();
        assertThat(features.structuredEbx() & AVX2).isZero();
        assertThat(features.components()).isEqualTo(3);
    }

    @Test
    void thirdLevelHasAvxAndWhatBelongsToIt() {
        ProcessorFeatures features = ProcessorFeatures.of(CpuModel.V3, feature -> true);
        assertThat(features.ecx()).isEqualTo(AVX | F16C | FMA);
        assertThat(features.structuredEbx()).isEqualTo(AVX2);
        assertThat(features.components()).isEqualTo(7);
    }

    @ParameterizedTest
    @EnumSource(names = {"V4", "MAX"})
    void fourthLevelHasAvx512AndItsState(CpuModel model) {
        ProcessorFeatures features = ProcessorFeatures.of(model, feature -> true);
        assertThat(features.ecx()).isEqualTo(AVX | F16C | FMA);
        assertThat(features.structuredEbx() & AVX512_F_DQ_CD_BW_VL).isEqualTo(AVX512_F_DQ_CD_BW_VL);
        assertThat(features.components()).isEqualTo(0xE7);
    }

    @Test
    void mostIsWhatTheHostHas() {
        ProcessorFeatures features =
                ProcessorFeatures.of(CpuModel.MAX, Set.of("vaes", "avx512f", "avx512vbmi")::contains);
        assertThat(features.structuredEbx()).isEqualTo(AVX2);
        assertThat(features.structuredEcx()).isEqualTo(VAES);
        assertThat(features.components()).isEqualTo(7);
        assertThat(names(CpuModel.MAX, feature -> !feature.equals("avx512_vnni")))
                .contains("avx512vl", "avx512vbmi", "vaes")
                .doesNotContain("avx512_vnni");
    }

    private static SortedSet<String> names(CpuModel model, Predicate<String> has) {
        return FeatureNames.of(model, has);
    }

    private static SortedSet<String> names(CpuModel model) {
        return names(model, feature -> true);
    }

    @Test
    void whatModelsShowHasNamesAndEachLevelHasWhatTheLowerOneHas() {
        assertThat(names(CpuModel.V2)).contains("fpu", "sse4_2", "lm", "sha_ni").doesNotContain("avx", "avx2");
        assertThat(names(CpuModel.V3))
                .containsAll(names(CpuModel.V2))
                .contains("avx", "avx2", "fma", "f16c")
                .doesNotContain("vaes", "avx512f");
        assertThat(names(CpuModel.V4))
                .containsAll(names(CpuModel.V3))
                .contains("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
                .doesNotContain("vaes", "avx512ifma");
        assertThat(names(CpuModel.MAX))
                .containsAll(names(CpuModel.V4))
                .contains("vaes", "avx512ifma", "avx512_vpopcntdq");
    }
}
