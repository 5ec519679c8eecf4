package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.Availability;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.x86.InterpreterEngine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** CPU models: each has what its level of the x86-64 psABI asks for, and nothing that the interpreter hasn't. */
class ProcessorFeaturesTest {
    private static final int AVX = 1 << 28;
    private static final int F16C = 1 << 29;
    private static final int FMA = 1 << 12;
    private static final int AVX2 = 1 << 5;

    @Test
    void secondLevelHasNoAvx() {
        ProcessorFeatures features = ProcessorFeatures.of(CpuModel.V2);
        assertThat(features.ecx() & (AVX | F16C | FMA)).isZero();
        assertThat(features.structuredEbx() & AVX2).isZero();
        assertThat(features.components()).isEqualTo(3);
    }

    @ParameterizedTest
    @EnumSource(names = {"V3", "MAX"})
    void thirdLevelHasAvxAndWhatBelongsToIt(CpuModel model) {
        ProcessorFeatures features = ProcessorFeatures.of(model);
        assertThat(features.ecx()).isEqualTo(AVX | F16C | FMA);
        assertThat(features.structuredEbx()).isEqualTo(AVX2);
        assertThat(features.components()).isEqualTo(7);
    }

    @Test
    void whatModelsShowHasNamesAndEachLevelHasWhatTheLowerOneHas() {
        assertThat(FeatureNames.of(CpuModel.V2))
                .contains("fpu", "sse4_2", "lm", "sha_ni")
                .doesNotContain("avx", "avx2");
        assertThat(FeatureNames.of(CpuModel.V3))
                .containsAll(FeatureNames.of(CpuModel.V2))
                .contains("avx", "avx2", "fma", "f16c")
                .doesNotContain("vaes");
        assertThat(FeatureNames.of(CpuModel.MAX))
                .containsAll(FeatureNames.of(CpuModel.V3))
                .contains("vaes");
    }

    @Test
    void interpreterSaysThatItHasNoFourthLevel() {
        assertThat(new InterpreterEngine().supports(CpuModel.V4)).isInstanceOf(Availability.Unavailable.class);
        assertThatThrownBy(() -> ProcessorFeatures.of(CpuModel.V4)).isInstanceOf(IllegalArgumentException.class);
    }
}
